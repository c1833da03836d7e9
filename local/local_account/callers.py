"""Describe calls of further functions week by week: through an alias, through another one, or of $LATEST.

The fleet's functions are called through one alias only. Tests describe functions of which that is not so, or whose
calls come together, and the stand-in of CloudWatch answers for them with the dimensions that Lambda publishes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np

from local_account.metrics import Samples
from local_account.traces import DAY_MINUTES, Counts

EVERY_DAY = tuple(range(7))


@dataclass(frozen=True, slots=True)
class Callers:
    """Calls of a function through one alias; `alias` is empty for calls of $LATEST.

    On these weekdays (0 is Monday), from the first to the end minute of the day in UTC, so many calls begin in every
    n-th minute. Of these, `at_once` are in progress at the same moment.
    """

    function_name: str
    alias: str
    calls: int
    duration_ms: float
    at_once: int
    weekdays: tuple[int, ...] = EVERY_DAY
    first_minute: int = 0
    end_minute: int = DAY_MINUTES
    every_minutes: int = 1

    @property
    def resource(self) -> str:
        """The value of the dimension Resource."""
        return f"{self.function_name}:{self.alias}" if self.alias else self.function_name

    def minutes(self, start: datetime, end: datetime) -> Counts:
        """Return the minutes since 1970 in [start, end) in which calls begin."""
        minutes = np.arange(int(start.timestamp()) // 60, int(end.timestamp()) // 60)
        of_day = minutes % DAY_MINUTES
        # The first of January 1970 was a Thursday.
        weekday = (minutes // DAY_MINUTES + 3) % 7
        inside = (of_day >= self.first_minute) & (of_day < self.end_minute) & np.isin(weekday, self.weekdays)
        called: Counts = minutes[inside & ((of_day - self.first_minute) % self.every_minutes == 0)]
        return called

    def document(self) -> dict[str, Any]:
        """Return the callers as `read_callers` reads them."""
        return asdict(self)


def read_callers(documents: Iterable[Mapping[str, Any]]) -> tuple[Callers, ...]:
    """Read what `Callers.document` returned."""
    return tuple(Callers(**{**document, "weekdays": tuple(document["weekdays"])}) for document in documents)


def samples_of(metric: str, callers: Sequence[Callers], start: datetime, end: datetime) -> Iterator[Samples]:
    """Yield the samples of a metric over all these callers; none for metrics of provisioned concurrency."""
    if metric == "ConcurrentExecutions":
        yield _concurrency(callers, start, end)
        return
    for one in callers:
        minutes = one.minutes(start, end)
        calls = np.full(len(minutes), float(one.calls))
        ones = np.ones(len(minutes))
        match metric:
            case "Invocations":
                yield Samples(minutes, calls, calls, ones, ones)
            case "Duration":
                yield Samples(minutes, calls, calls * one.duration_ms, one.duration_ms * ones, one.duration_ms * ones)
            case "Errors" | "Throttles":
                yield Samples(minutes, calls, 0.0 * calls, 0.0 * calls, 0.0 * calls)


def _concurrency(callers: Sequence[Callers], start: datetime, end: datetime) -> Samples:
    """Return the most in progress at once; callers of one minute are so together."""
    each = [one.minutes(start, end) for one in callers]
    minutes, place = np.unique(np.concatenate(each), return_inverse=True)
    at_once = np.concatenate(
        [np.full(len(found), float(one.at_once)) for one, found in zip(callers, each, strict=True)]
    )
    busy = np.bincount(place, weights=at_once, minlength=len(minutes))
    return Samples(minutes, np.ones(len(busy)), busy, busy, busy)
