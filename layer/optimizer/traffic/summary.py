"""Summarise a history in a few numbers: calls, durations, needed environments, and how traffic repeats."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.core import canonical_json, moment_of
from optimizer.traffic.concurrency import environments_needed, usual_need
from optimizer.traffic.gaps import first_known_minute
from optimizer.traffic.history import DAY_MINUTES, Floats, History, local_hours

_PATTERN_HOURS = 28 * 24
_PATTERN_EXPLAINS = 0.25
_WEEK_ADDS = 0.05
_SPARSE_SHARE = 0.2
_PEAK_SLOT = 5
_PEAKS = 3


class Pattern(StrEnum):
    """The season of the calls. SPARSE: no season, and calls in fewer than 20 % of the hours."""

    DAILY = "daily"
    WEEKLY = "weekly"
    SPARSE = "sparse"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Peak:
    """A rise of traffic that is expected within a day after the end of the history."""

    # The largest minute of the rise, in local time.
    at: str
    environments: int


@dataclass(frozen=True, slots=True)
class FunctionTraffic:
    """The traffic of one function. None, an empty list and an empty mapping mean unknown.

    days: known minutes from the first call on, in days. need: the quantiles `p50`, `p80`, `p95` and `max` of the
    environments needed in known minutes with calls. pattern_strength: the share of the variance (of the square root of
    hourly calls) that the pattern explains on days it was not computed from. ended_at: the first minute after the
    history. last_call_at: the last known minute with calls.
    """

    function_name: str
    function_arn: str
    alias: str
    timezone: str
    history_key: str
    ended_at: str
    days: float = 0.0
    unknown_minutes: int = 0
    invocations_day: float | None = None
    mean_duration_ms: float | None = None
    p95_duration_ms: float | None = None
    errors_share: float | None = None
    throttles_day: float | None = None
    need: Mapping[str, int] = field(default_factory=dict)
    pattern: Pattern = Pattern.NONE
    pattern_strength: float = 0.0
    peaks: tuple[Peak, ...] = ()
    last_call_at: str | None = None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "FunctionTraffic":
        """Read the stored form."""
        return cast("FunctionTraffic", canonical_json.read(cls, document))


def summarise(
    history: History, *, function_name: str, function_arn: str, alias: str, timezone: str, history_key: str
) -> FunctionTraffic:
    """Return the summary of a settled history; `days` is 0 if nothing is known."""
    unknown = FunctionTraffic(
        function_name=function_name,
        function_arn=function_arn,
        alias=alias,
        timezone=timezone,
        history_key=history_key,
        ended_at=moment_of(history.end_minute).isoformat(),
    )
    known_from = first_known_minute(history)
    if known_from is None:
        return unknown
    zone = ZoneInfo(timezone)
    calls = history.minutes.values["invocations"]
    known = ~np.isnan(calls)
    days = known.sum() / DAY_MINUTES
    need = environments_needed(history.minutes)
    busy = need[known & (calls > 0)]
    pattern, strength = pattern_of(history, zone)
    return replace(
        unknown,
        days=round(float(days), 3),
        unknown_minutes=int((~known[max(known_from - history.minutes.start, 0) :]).sum()),
        invocations_day=round(float(np.nansum(calls) / days), 3) if days else None,
        mean_duration_ms=_weighted(history.minutes.values["duration_ms"], calls),
        p95_duration_ms=_weighted(history.hours.values["p95_duration_ms"], history.hours.values["invocations"]),
        errors_share=_share(history, "errors"),
        throttles_day=_per_day(history, "throttles"),
        need={
            **{f"p{int(q * 100)}": int(np.quantile(busy, q, method="inverted_cdf")) for q in (0.5, 0.8, 0.95)},
            "max": int(busy.max()),
        }
        if len(busy)
        else {},
        pattern=pattern,
        pattern_strength=round(strength, 3),
        peaks=_peaks(need, history, zone),
        last_call_at=_last_call(history),
    )


def pattern_of(history: History, zone: ZoneInfo) -> tuple[Pattern, float]:
    """Return the season that best predicts days it was not computed from, and the share of the variance it explains.

    Each hour is predicted by the mean of the same hour of the other days (daily), or of the same hour and weekday of
    the other weeks (weekly). The weekly season needs two weeks and must explain _WEEK_ADDS more.
    """
    hours = history.hours.window(max(history.hours.start, history.hours.end - _PATTERN_HOURS), history.hours.end)
    calls = hours.values["invocations"]
    known = ~np.isnan(calls)
    if not known.any() or np.nansum(calls) == 0:
        return Pattern.NONE, 0.0
    # The variance of a count grows with the count; the variance of its square root does not.
    level = np.sqrt(calls[known])
    number = hours.start + np.flatnonzero(known)
    local = local_hours(zone, number)
    daily = _explained(level, local % 24)
    weekly = _explained(level, local % (7 * 24)) if known.sum() >= 14 * 24 else -np.inf
    best, strength = (Pattern.WEEKLY, weekly) if weekly > daily + _WEEK_ADDS else (Pattern.DAILY, daily)
    if strength >= _PATTERN_EXPLAINS:
        return best, float(strength)
    sparse = np.mean(calls[known] > 0) < _SPARSE_SHARE
    return (Pattern.SPARSE if sparse else Pattern.NONE), max(float(strength), 0.0)


def _explained(values: Floats, group: NDArray[np.int64]) -> float:
    """Return 1 - squared error / variance, where each value is predicted by the mean of the others in its group."""
    sums, counts = np.bincount(group, weights=values), np.bincount(group)
    alone = counts[group] < 2
    others = np.where(alone, values.mean(), (sums[group] - values) / np.maximum(counts[group] - 1, 1))
    variance = float(((values - values.mean()) ** 2).sum())
    return 1 - float(((values - others) ** 2).sum()) / variance if variance > 0 else 0.0


def _peaks(need: Floats, history: History, zone: ZoneInfo) -> tuple[Peak, ...]:
    """Return up to three stretches of the next day in which the usual need is above half of its maximum."""
    slots = history.end_minute + np.arange(0, DAY_MINUTES, _PEAK_SLOT)
    usual = np.nan_to_num(usual_need(need, history.minutes.start, slots, zone, (0.8,), after=_PEAK_SLOT)[0])
    if usual.max() <= 0:
        return ()
    above = np.concatenate(([False], usual > usual.max() / 2, [False])).astype(np.int8)
    edges = np.flatnonzero(np.diff(above))
    tops = [int(first + usual[first:end].argmax()) for first, end in zip(edges[::2], edges[1::2], strict=True)]
    largest = sorted(sorted(tops, key=lambda slot: (-usual[slot], slot))[:_PEAKS])
    return tuple(Peak(moment_of(int(slots[slot]), zone).isoformat(), int(usual[slot])) for slot in largest)


def _weighted(values: Floats, calls: Floats) -> float | None:
    known = ~np.isnan(values) & (calls > 0)
    return round(float(np.average(values[known], weights=calls[known])), 3) if known.any() else None


def _share(history: History, metric: str) -> float | None:
    calls, values = history.hours.values["invocations"], history.hours.values[metric]
    known = ~np.isnan(values) & (calls > 0)
    return round(float(values[known].sum() / calls[known].sum()), 6) if known.any() else None


def _per_day(history: History, metric: str) -> float | None:
    values = history.hours.values[metric]
    known = ~np.isnan(values)
    return round(float(values[known].mean() * 24), 3) if known.any() else None


def _last_call(history: History) -> str | None:
    for series, length in ((history.minutes, 1), (history.hours, 60)):
        called = np.flatnonzero(np.nan_to_num(series.values["invocations"]) > 0)
        if len(called):
            return moment_of((series.start + int(called[-1])) * length).isoformat()
    return None
