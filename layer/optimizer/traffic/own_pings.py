"""Taking the application's own pings out of what CloudWatch says of a function: they are calls like any other there,
and a plan made for them would never end."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optimizer.traffic.history import History, Series

if TYPE_CHECKING:
    from optimizer.warmups.ping_log import Ping

# Of an hour's calls: with more pings than this among them, its 95th percentile may be that of the pings.
_PINGS_IN_P95 = 0.05


def without_pings(history: History, pings: Iterable["Ping"]) -> History:
    """The newly read part of a history without the calls of the pings that came in it.

    Calls and their mean duration are exact as far as the pings' own duration is the time they were held. The largest
    concurrency of a minute with pings is not known any more, and neither is the p95 of an hour of mostly pings.
    """
    minutes = history.minutes
    calls, busy_ms = np.zeros(len(minutes)), np.zeros(len(minutes))
    for ping in pings:
        at = ping.at_minute - minutes.start
        if 0 <= at < len(minutes):
            calls[at] += ping.calls - ping.failed
            busy_ms[at] += ping.busy_ms
    if not calls.any():
        return history
    pinged = calls > 0
    seen = minutes.values["invocations"]
    left = np.where(pinged, np.maximum(seen - calls, 0), seen)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_ms = np.maximum(seen * minutes.values["duration_ms"] - busy_ms, 0) / left
    values = {
        "invocations": left,
        "duration_ms": np.where(pinged, np.where(left > 0, mean_ms, np.nan), minutes.values["duration_ms"]),
        "concurrency": np.where(pinged, np.where(left > 0, np.nan, left), minutes.values["concurrency"]),
    }
    return History(Series(minutes.start, values), _hours_without(history.hours, minutes.start, calls))


def _hours_without(hours: Series, start_minute: int, calls: np.ndarray) -> Series:
    hour = (start_minute + np.arange(len(calls))) // 60 - hours.start
    inside = (hour >= 0) & (hour < len(hours))
    pings = np.bincount(hour[inside], weights=calls[inside], minlength=len(hours))
    seen = hours.values["invocations"]
    # The hours that are read with minutes get their calls from the minutes.
    mostly = (pings > 0) & ~(pings <= _PINGS_IN_P95 * np.nan_to_num(seen))
    values = dict(hours.values)
    values["p95_duration_ms"] = np.where(mostly, np.nan, hours.values["p95_duration_ms"])
    return Series(hours.start, values)
