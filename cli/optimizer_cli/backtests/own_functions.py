"""The functions of the account that the policy selects, and their history in CloudWatch. Reads only."""

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from optimizer.aws import configuration_of, has_alias
from optimizer.core import FunctionTarget, minute_of
from optimizer.function_logs import FunctionHistory, LogSource, LogsUnreadable, ReportLog
from optimizer.policy import Policy, log_scan_mb
from optimizer.prices import no_price
from optimizer.run import Targets, choose_targets, tagged_functions
from optimizer.store import prices_of_account
from optimizer.traffic import (
    History,
    MetricsUnavailable,
    read_anew,
)
from optimizer.warmups import LearntFacts, PingRates, Subject, learn_from_reports

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_resourcegroupstaggingapi import ResourceGroupsTaggingAPIClient


def choose(tagging: "ResourceGroupsTaggingAPIClient", policy: Policy, only: Collection[str]) -> Targets:
    """Return the functions that a run with this policy checks. `only`: names, empty for all."""
    return choose_targets(tagged_functions(tagging, policy.functions.tags), policy, only or None)


def histories(
    cloudwatch: "CloudWatchClient", lambda_: "LambdaClient", aliases: Mapping[str, str], now: datetime
) -> dict[str, History | MetricsUnavailable]:
    """Return the history of the calls through each function's alias, or why there is none; nothing is stored.

    aliases: by function name. A function without the alias is read as a whole."""
    return read_anew(cloudwatch, aliases, minute_of(now), partial(has_alias, lambda_))


def read(
    cloudwatch: "CloudWatchClient",
    lambda_: "LambdaClient",
    reports: ReportLog,
    batch: Collection[FunctionTarget],
    now: datetime,
    policy: Policy,
    init_ms: float,
) -> Iterator[tuple[str, Subject | str]]:
    """Yield each function of a batch by name, or a sentence why it cannot be played.

    init_ms: where its REPORT lines show no INIT."""
    read_now = histories(cloudwatch, lambda_, {target.function_name: target.alias for target in batch}, now)
    for target in batch:
        name = target.function_name
        history = read_now[name]
        if not isinstance(history, History):
            yield name, str(history)
            continue
        try:
            configuration = configuration_of(lambda_.get_function(FunctionName=name))
        except ClientError as error:
            yield name, f"AWS refused GetFunction: {error.response['Error'].get('Code', '?')}"
            continue
        region, architecture = target.function_arn.split(":")[3], configuration["Architectures"][0]
        rates = PingRates.of(prices_of_account(policy), region, architecture)
        if rates is None:
            yield name, no_price(region, architecture)
            continue
        learnt = _learnt(reports, configuration, now, policy)
        yield (
            name,
            Subject(
                name=name,
                minutes=history.minutes,
                timezone=target.timezone,
                memory_mb=configuration["MemorySize"],
                rates=rates,
                init_ms=learnt.init_ms or init_ms,
                is_init_seen=learnt.init_ms is not None,
                keep_alive_minutes=learnt.keep_alive.minutes,
                tags=target.tags,
            ),
        )


def _learnt(reports: ReportLog, configuration: Mapping[str, Any], now: datetime, policy: Policy) -> LearntFacts:
    """Return what the function's newest REPORT lines tell, within the policy's limit on scans."""
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{configuration['FunctionName']}"
    history = FunctionHistory()
    try:
        source = LogSource(group, configuration["FunctionName"])
        scan = reports.scan(source, now, max_scan_mb=log_scan_mb(policy.memory), lines_day=None, read_until=None)
    except LogsUnreadable:
        # The table says that INIT is assumed.
        pass
    else:
        history = history.add(scan.reports.lines, scan.end)
    return learn_from_reports(history, configuration["MemorySize"], policy.warmups.keep_alive_minutes)
