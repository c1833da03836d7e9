"""Remove the application's own pings from the metrics of a function.

CloudWatch counts pings as calls. A plan made from them would keep planning for its own pings.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from optimizer.traffic.history import Floats, History, Series

if TYPE_CHECKING:
    from optimizer.core import Ping

# If pings are more than this share of an hour's calls, the 95th percentile may be that of the pings.
_PINGS_IN_P95 = 0.05


def remove_pings(history: History, pings: Iterable["Ping"]) -> History:
    """Return a newly read history without the calls of the pings in it.

    Calls are exact. The mean duration of an hour is exact as far as a ping lasts as long as it was held. The
    concurrency of a minute or hour with pings becomes unknown, and so does the p95 duration of an hour in which pings
    are more than 5 % of the calls.
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
    values = {
        "invocations": left,
        "duration_ms": _durations_without(minutes, calls, busy_ms, left),
        "concurrency": np.where(pinged, np.where(left > 0, np.nan, left), minutes.values["concurrency"]),
    }
    return History(Series(minutes.start, values), _hours_without(history.hours, minutes.start, calls))


def _durations_without(minutes: Series, calls: Floats, busy_ms: Floats, left: Floats) -> Floats:
    """Return the mean durations of the remaining calls; an hour with pings has one mean for all its minutes."""
    hour = (minutes.start + np.arange(len(calls))) // 60 - minutes.start // 60
    duration_ms = minutes.values["duration_ms"]

    def in_hour(of_minutes: Floats) -> Floats:
        return np.bincount(hour, weights=np.nan_to_num(of_minutes))

    all_ms = in_hour(minutes.values["invocations"] * duration_ms)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean_ms = np.maximum(all_ms - in_hour(busy_ms), 0) / in_hour(left)
    with_pings = (in_hour(calls) > 0)[hour]
    return np.where(with_pings, np.where(left > 0, mean_ms[hour], np.nan), duration_ms)


def _hours_without(hours: Series, start_minute: int, calls: Floats) -> Series:
    hour = (start_minute + np.arange(len(calls))) // 60 - hours.start
    inside = (hour >= 0) & (hour < len(hours))
    pings = np.bincount(hour[inside], weights=calls[inside], minlength=len(hours))
    seen = hours.values["invocations"]
    # The calls stay: hours that are read with minutes get them from the minutes.
    many = (pings > 0) & ~(pings <= _PINGS_IN_P95 * np.nan_to_num(seen))
    values = dict(hours.values)
    values["p95_duration_ms"] = np.where(many, np.nan, hours.values["p95_duration_ms"])
    values["concurrency"] = np.where(pings > 0, np.nan, hours.values["concurrency"])
    return Series(hours.start, values)
