"""Runs queries of Logs Insights over one log group, and says what the group holds."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchLogsClient
from optimizer.core import OptimizerError

# A log group that is younger or empty does not tell its rate.
YOUNG = timedelta(hours=1)
# Storage is billed compressed, to 15 % by AWS's own calculator, and no source settles if `storedBytes` is that. Until a
# query has told, it may scan so many bytes for each that is stored.
_SCANNED_PER_STORED = 7.0
_PAUSE_S = 0.5
_WAIT_S = 60.0


class LogsUnreadable(OptimizerError, RuntimeError):
    """The lines could not be read. The message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class LogGroup:
    """The bytes that a log group holds, when it was created, and how long it keeps them (None: for ever)."""

    stored_bytes: int
    created_at: datetime
    retention: timedelta | None = None

    def scanned_a_second(self, now: datetime) -> float | None:
        """Return the most bytes that a query may scan for each second, None where the group does not tell."""
        age = now - self.created_at
        if self.stored_bytes <= 0 or age <= YOUNG:
            return None
        kept = age if self.retention is None else min(age, self.retention)
        return self.stored_bytes * _SCANNED_PER_STORED / kept.total_seconds()

    def oldest(self, now: datetime, longest: timedelta) -> datetime:
        """Return the time from which on there may be lines, at most so long ago."""
        oldest = now - (longest if self.retention is None else min(self.retention, longest))
        # Reading from before the creation of a group of unknown rate costs nothing.
        return oldest if self.scanned_a_second(now) is None else max(oldest, self.created_at)


@dataclass(frozen=True, slots=True)
class LogQueries:
    """Runs queries one at a time. An account runs few at once, so a query waits for others to end."""

    logs: "CloudWatchLogsClient"
    sleep: Callable[[float], None] = time.sleep
    timeout_s: float = _WAIT_S

    def group(self, name: str) -> LogGroup:
        """Return the log group; raise LogsUnreadable if there is none."""
        found = self.logs.describe_log_groups(logGroupNamePrefix=name, limit=50)["logGroups"]
        for group in found:
            if group["logGroupName"] == name:
                days = group.get("retentionInDays")
                return LogGroup(
                    group.get("storedBytes", 0),
                    datetime.fromtimestamp(group["creationTime"] / 1000, UTC),
                    timedelta(days=days) if days else None,
                )
        raise LogsUnreadable(f"there is no log group {name}")

    def rows(self, group: str, query: str, start: datetime, end: datetime) -> tuple[list[dict[str, str]], float]:
        """Return the rows and the bytes that were scanned for them; raise LogsUnreadable if the query fails."""
        if start >= end:
            return [], 0.0
        answer = self._answer(group, query, start, end)
        rows = [{item["field"]: item["value"] for item in row} for row in answer["results"]]
        # If the service does not report the scanned bytes, they are at least those of the returned messages.
        returned = sum(len(row.get("@message", "")) for row in rows)
        return rows, max(float(answer.get("statistics", {}).get("bytesScanned", 0.0)), float(returned))

    def _answer(self, group: str, query: str, start: datetime, end: datetime) -> Any:
        query_id = self._start(group, query, start, end)
        for _ in range(self._polls):
            answer = self.logs.get_query_results(queryId=query_id)
            if answer["status"] == "Complete":
                return answer
            if answer["status"] not in ("Scheduled", "Running"):
                raise LogsUnreadable(f"the query of {group} ended as {answer['status']}")
            self.sleep(_PAUSE_S)
        self.logs.stop_query(queryId=query_id)
        raise LogsUnreadable(f"the query of {group} took longer than {self.timeout_s:g} s")

    def _start(self, group: str, query: str, start: datetime, end: datetime) -> str:
        for _ in range(self._polls):
            try:
                return self.logs.start_query(
                    logGroupName=group,
                    startTime=int(start.timestamp()),
                    endTime=int(end.timestamp()),
                    queryString=query,
                )["queryId"]
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code != "LimitExceededException":
                    raise LogsUnreadable(f"CloudWatch Logs refused the query of {group}: {code}") from error
            self.sleep(_PAUSE_S)
        raise LogsUnreadable(f"other queries of the account kept the query of {group} waiting for {self.timeout_s:g} s")

    @property
    def _polls(self) -> int:
        return max(1, int(self.timeout_s / _PAUSE_S))
