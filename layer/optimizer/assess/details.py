"""Reads a batch of functions in detail: aliases, traffic by the minute, and REPORT lines within the budget for logs."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from botocore.exceptions import ClientError

from optimizer.assess.facts import FunctionDetails, ListedFunction
from optimizer.assess.read_only import ReadOnlySession, is_denied
from optimizer.aws import CloudWatchLogsClient, configuration_of
from optimizer.capacity import LATEST, LiveFunction, Placed, ProvisionedConfig, Scaling, Version, version_of
from optimizer.core import minute_of
from optimizer.function_logs import FunctionHistory, LogSource, LogsUnreadable, ReportLog
from optimizer.traffic import History, read_anew

_AT_ONCE = 8
# More lines than these tell little more about a memory size; the number of lines decides how far back a scan reads.
_LINES = 2500
_LINES_OF_A_SCAN = 10_000
# Most queries have ended after this time, so that one call gets the result.
_QUERY_S = 1.5


@dataclass(frozen=True, slots=True)
class LogAsk:
    """A function whose logs are read, and the most MB that its scan may take."""

    function: ListedFunction
    most_mb: int


class PatientLogs:
    """CloudWatch Logs with few calls: groups are listed once, and a query is asked for when it should be over."""

    def __init__(self, session: ReadOnlySession) -> None:
        self._session, self._logs = session, session.client("logs")
        self._groups: dict[str, Any] | None = None
        self._begun: dict[str, float] = {}

    def list_groups(self) -> None:
        """List all groups; without the right, none is known."""

        def read() -> dict[str, Any]:
            pages = self._logs.get_paginator("describe_log_groups").paginate()
            return {group["logGroupName"]: group for page in pages for group in page["logGroups"]}

        self._groups = self._session.tried("logs", "DescribeLogGroups", read)

    @property
    def may_read(self) -> bool:
        """True unless a right that every scan needs is missing."""
        missing = {right.action for right in self._session.missing_rights}
        return self._groups is not None and not missing & {"logs:StartQuery", "logs:GetQueryResults"}

    def describe_log_groups(self, logGroupNamePrefix: str, **_: object) -> Any:  # noqa: N803 - as boto3 names it
        """Answer from the list."""
        group = (self._groups or {}).get(logGroupNamePrefix)
        return {"logGroups": [group] if group else []}

    def start_query(self, **query: Any) -> Any:
        """Start a query, and note a missing right."""
        answer = self._noted("StartQuery", lambda: self._logs.start_query(**query))
        self._begun[answer["queryId"]] = time.monotonic()
        return answer

    def get_query_results(self, queryId: str) -> Any:  # noqa: N803 - as boto3 names it
        """Return the result, once the query should be over."""
        begun = self._begun.pop(queryId, None)
        if begun is not None:
            self._session.pause(max(0.0, begun + _QUERY_S - time.monotonic()))
        return self._noted("GetQueryResults", lambda: self._logs.get_query_results(queryId=queryId))

    def stop_query(self, **_: object) -> None:
        """Do nothing: a query that takes too long ends by itself, and an assessment stops nothing."""

    def _noted(self, operation: str, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except ClientError as error:
            if self._session.note("logs", operation, error):
                raise LogsUnreadable(f"the right logs:{operation} is missing") from error
            raise


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the details of functions.

    scaled: bounds of scaled aliases, by their resource id. worth: names of the functions whose logs are worth their
    cost. shared: names of those that write to one log group with others.
    """

    session: ReadOnlySession
    logs: PatientLogs
    scaled: Mapping[str, tuple[int, int]]
    alias: str
    worth: Collection[str]
    shared: Collection[str]
    now: datetime

    def read(self, batch: Sequence[ListedFunction], asked: Mapping[str, int]) -> list[FunctionDetails]:
        """Return the details of a batch. asked: the most MB of logs to scan, by function; others are not scanned."""
        with ThreadPoolExecutor(3) as parts:
            lives = parts.submit(self._lives, batch)
            # The calls are those through the alias that is judged.
            traffic = parts.submit(lambda: self._traffic([live for live, _ in lives.result()]))
            scans = parts.submit(self._scans, [LogAsk(one, asked[one.name]) for one in batch if one.name in asked])
            found = lives.result()
            return [self._together(live, aliases, traffic.result(), scans.result()) for live, aliases in found]

    def _together(
        self,
        live: LiveFunction,
        aliases: tuple[str, ...],
        traffic: Mapping[str, tuple[History | None, str]],
        scans: Mapping[str, "_Scanned"],
    ) -> FunctionDetails:
        name, problems = live.function_name, {}
        history, no_history = traffic[name]
        if no_history:
            problems["data.no_metrics"] = no_history
        scanned = scans.get(name)
        if scanned is None and name in self.worth:
            problems["data.not_scanned"] = "its log was not read: functions that cost more come first"
        elif name in self.shared:
            problems["data.shared_log"] = (
                "other functions write to its log group, and a query would scan the lines of all"
            )
        elif scanned is None:
            problems["data.small_bill"] = "its bill is too small for reading its log"
        elif scanned.problem:
            problems["data.no_log"] = scanned.problem
        scanned = scanned or _Scanned()
        return FunctionDetails(live, history, scanned.lines, aliases, problems, scanned.scanned_bytes)

    # Lambda

    def _lives(self, batch: Sequence[ListedFunction]) -> list[tuple[LiveFunction, tuple[str, ...]]]:
        client = self.session.client("lambda")
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda one: self._live(client, one), batch))

    def _live(self, client: Any, one: ListedFunction) -> tuple[LiveFunction, tuple[str, ...]]:
        answer = self.session.tried("lambda", "ListAliases", lambda: client.list_aliases(FunctionName=one.name))
        aliases = {alias["Name"]: alias for alias in (answer or {}).get("Aliases", ())}
        chosen = self._chosen(one, aliases)
        if chosen is None:
            return _live(one, LATEST, LATEST, one.latest), ()
        version = self._version(client, one, chosen["FunctionVersion"])
        weights = (chosen.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
        scaled = self.scaled.get(f"function:{one.name}:{chosen['Name']}")
        return (
            _live(
                one,
                chosen["Name"],
                chosen["FunctionVersion"],
                version,
                weights=dict(weights),
                provisioned=self._provisioned(client, one, chosen),
                scaling=Scaling(*scaled) if scaled else None,
            ),
            tuple(sorted(aliases)),
        )

    def _chosen(self, one: ListedFunction, aliases: Mapping[str, Any]) -> Any:
        """Return the alias to judge: the one that a tag or the policy names, else the one of the newest version."""
        for name in (one.tags.get("optimizer:alias", ""), self.alias):
            if name in aliases:
                return aliases[name]
        newest = sorted(aliases.values(), key=lambda alias: (_number(alias["FunctionVersion"]), alias["Name"]))
        return newest[-1] if newest else None

    def _version(self, client: Any, one: ListedFunction, version: str) -> Version:
        if version == LATEST:
            return one.latest
        answer = self.session.tried(
            "lambda", "GetFunction", lambda: client.get_function(FunctionName=one.name, Qualifier=version)
        )
        return version_of(configuration_of(answer)) if answer else one.latest

    def _provisioned(self, client: Any, one: ListedFunction, alias: Mapping[str, Any]) -> ProvisionedConfig | None:
        answer = self.session.tried(
            "lambda",
            "ListProvisionedConcurrencyConfigs",
            lambda: client.list_provisioned_concurrency_configs(FunctionName=one.name),
        )
        for config in (answer or {}).get("ProvisionedConcurrencyConfigs", ()):
            if config["FunctionArn"].rpartition(":")[2] == alias["Name"]:
                return ProvisionedConfig(config["RequestedProvisionedConcurrentExecutions"], config["Status"])
        return None

    # CloudWatch

    def _traffic(self, lives: Sequence[LiveFunction]) -> dict[str, tuple[History | None, str]]:
        if any(right.action == "cloudwatch:GetMetricData" for right in self.session.missing_rights):
            return {one.function_name: (None, "the right cloudwatch:GetMetricData is missing") for one in lives}
        client, aliases = self.session.client("cloudwatch"), {one.function_name: one.alias for one in lives}
        # An alias that was found is there.
        found = read_anew(client, aliases, minute_of(self.now), lambda _name, _alias: True)
        return {name: (one, "") if isinstance(one, History) else (None, str(one)) for name, one in found.items()}

    # Logs

    def _scans(self, asked: Sequence[LogAsk]) -> dict[str, "_Scanned"]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return dict(zip((one.function.name for one in asked), pool.map(self._scan, asked), strict=True))

    def _scan(self, asked: LogAsk) -> "_Scanned":
        if not self.logs.may_read:
            return _Scanned(problem="the right to read its log is missing")
        calls_day = asked.function.calls_day
        try:
            scan = ReportLog(cast("CloudWatchLogsClient", self.logs), self.session.pause).scan(
                LogSource(asked.function.log_group, asked.function.name),
                self.now,
                max_scan_mb=asked.most_mb,
                # A scan reads up to its limit of lines; fewer are enough here.
                lines_day=calls_day * _LINES_OF_A_SCAN / _LINES if calls_day else None,
                read_until=None,
            )
        except LogsUnreadable as unreadable:
            return _Scanned(problem=str(unreadable))
        except ClientError as error:
            if is_denied(error):
                return _Scanned(problem="the right to read its log is missing")
            raise
        return _Scanned(FunctionHistory().add(scan.reports.lines, scan.end), scan.scanned_bytes)


@dataclass(frozen=True, slots=True)
class _Scanned:
    lines: FunctionHistory = field(default_factory=FunctionHistory)
    scanned_bytes: float = 0.0
    problem: str = ""


def _live(one: ListedFunction, alias: str, alias_version: str, version: Version, **more: Any) -> LiveFunction:
    return LiveFunction(
        function_name=one.name,
        alias=alias,
        alias_version=alias_version,
        alias_revision="",
        latest=one.latest,
        version=version,
        tags=one.tags,
        log_group=one.log_group,
        function_arn=one.arn,
        placed=Placed({}),
        **{"weights": {}, **more},
    )


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0
