"""Read the cache client's records from CloudWatch Logs, the newest first, within a limit on the bytes read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchLogsClient
from optimizer.core import OptimizerError

_MB = 1_000_000
_SHORTEST = timedelta(minutes=10)
_CHUNKS = 24


class RecordsUnreadable(OptimizerError, RuntimeError):
    """A log group could not be read; the message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class Records:
    """The cache client's samples and metrics records of a time."""

    samples: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]


class RecordLog:
    """The log groups that a cache client writes to."""

    def __init__(self, logs: "CloudWatchLogsClient") -> None:
        self._logs = logs

    def read(self, groups: Sequence[str], start: datetime, end: datetime, max_mb: float) -> Records:
        """Return the records from the newest back to `start`, or until `max_mb` were read. Raises RecordsUnreadable."""
        step = max(_SHORTEST, (end - start) / _CHUNKS)
        samples: list[Mapping[str, Any]] = []
        metrics: list[Mapping[str, Any]] = []
        reached, read = end, 0
        while reached > start and read < max_mb * _MB:
            begin = max(start, reached - step)
            for group in groups:
                for text in self._messages(group, begin, reached, "OptimizerCache"):
                    read += len(text)
                    record = _parsed(text)
                    if isinstance(record.get("cache_sample"), dict):
                        samples.append(record["cache_sample"])
                    elif "_aws" in record:
                        metrics.append(record)
            reached = begin
        return Records(samples, metrics)

    def metrics(self, groups: Sequence[str], start: datetime, end: datetime) -> list[Mapping[str, Any]]:
        """Return the metrics records alone, which are small. Raises RecordsUnreadable."""
        texts = (text for group in groups for text in self._messages(group, start, end, "OptimizerCache -cache_sample"))
        return [record for record in map(_parsed, texts) if "_aws" in record]

    def _messages(self, group: str, start: datetime, end: datetime, pattern: str) -> Iterator[str]:
        try:
            pages = self._logs.get_paginator("filter_log_events").paginate(
                logGroupName=group,
                startTime=round(start.timestamp() * 1000),
                # The service includes the last millisecond.
                endTime=round(end.timestamp() * 1000) - 1,
                filterPattern=pattern,
            )
            for page in pages:
                yield from (event["message"] for event in page["events"])
        except ClientError as error:
            raise RecordsUnreadable(f"{group} could not be read: {error.response['Error']['Code']}") from error


def _parsed(text: str) -> dict[str, Any]:
    """Return the JSON object of a line, behind any prefix that a logger added; empty if there is none."""
    try:
        found = json.loads(text[text.index("{") :])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
