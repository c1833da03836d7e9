"""Read the cache client's records from CloudWatch Logs, the newest first, within a limit on the bytes read."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchLogsClient
from optimizer.caches.tuning.check_records import UnusableRecord, check_sample, is_in_time
from optimizer.caches.tuning.outliers import outlying_metrics, outlying_samples
from optimizer.caches.tuning.usage import is_metrics
from optimizer.core import OptimizerError

_MB = 1_000_000
_SHORTEST = timedelta(minutes=10)
_CHUNKS = 24


class RecordsUnreadable(OptimizerError, RuntimeError):
    """A log group could not be read; the message is one sentence for the report."""


@dataclass(frozen=True, slots=True)
class Records:
    """The cache client's samples and metrics records of a time; `left_out` counts those that it cannot have written."""

    samples: Sequence[Mapping[str, Any]]
    metrics: Sequence[Mapping[str, Any]]
    left_out: int = 0


class RecordLog:
    """The log groups that a cache client writes to."""

    def __init__(self, logs: "CloudWatchLogsClient") -> None:
        self._logs = logs

    def read(self, groups: Sequence[str], start: datetime, end: datetime, max_mb: float) -> Records:
        """Return the records from the newest back to `start`, or until `max_mb` were read. Raises RecordsUnreadable."""
        step = max(_SHORTEST, (end - start) / _CHUNKS)
        samples: list[Mapping[str, Any]] = []
        metrics: list[Mapping[str, Any]] = []
        reached, read, left_out = end, 0, 0
        while reached > start and read < max_mb * _MB:
            begin = max(start, reached - step)
            for group in groups:
                for text in self._messages(group, begin, reached, "OptimizerCache"):
                    read += len(text)
                    record = _parsed(text)
                    if "cache_sample" in record:
                        sample = record["cache_sample"]
                        if _is_usable_sample(sample, start, end):
                            samples.append(sample)
                        else:
                            left_out += 1
                    elif _is_usable_metrics(record, start, end):
                        metrics.append(record)
                    elif "CacheNamespace" in record:
                        left_out += 1
            reached = begin
        odd = outlying_samples(samples), outlying_metrics(metrics)
        return Records(_without(samples, odd[0]), _without(metrics, odd[1]), left_out + len(odd[0]) + len(odd[1]))

    def metrics(self, groups: Sequence[str], start: datetime, end: datetime) -> list[Mapping[str, Any]]:
        """Return the metrics records alone, which are small. Raises RecordsUnreadable."""
        texts = (text for group in groups for text in self._messages(group, start, end, "OptimizerCache -cache_sample"))
        found: list[Mapping[str, Any]] = []
        found += (record for record in map(_parsed, texts) if _is_usable_metrics(record, start, end))
        return _without(found, outlying_metrics(found))

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


def _without(records: list[Mapping[str, Any]], positions: Sequence[int]) -> list[Mapping[str, Any]]:
    gone = set(positions)
    return [record for i, record in enumerate(records) if i not in gone]


def _is_usable_sample(sample: object, start: datetime, end: datetime) -> bool:
    if not isinstance(sample, dict):
        return False
    try:
        check_sample(sample)
    except UnusableRecord:
        return False
    return is_in_time(sample["from_s"], sample["to_s"], start.timestamp(), end.timestamp())


def _is_usable_metrics(record: Mapping[str, Any], start: datetime, end: datetime) -> bool:
    if not is_metrics(record):
        return False
    to_s = record["_aws"]["Timestamp"] / 1000
    return is_in_time(min(record["FromSeconds"], to_s), to_s, start.timestamp(), end.timestamp())


def _parsed(text: str) -> dict[str, Any]:
    """Return the record that is the whole line, or the whole `message` of a JSON log; empty if there is none.

    A record within other text may be what a user of the application has sent to it (CWE-117).
    """
    found = _object(text)
    message = found.get("message")
    if isinstance(message, str):
        return _object(message)
    return message if isinstance(message, dict) else found


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
