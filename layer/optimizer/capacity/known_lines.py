"""Decides if further REPORT lines of a function are worth the query that reads them. Pure."""

from datetime import datetime, timedelta

import numpy as np

from optimizer.capacity.live_function import LiveFunction
from optimizer.core import minute_of
from optimizer.function_logs import FunctionHistory
from optimizer.traffic import Series

_KNOWN_CALLS, _KNOWN_CALLS_OF_VERSION = 5000, 1000
# Lines are read again after so long, whatever is known.
KNOWN_FOR = timedelta(days=8)
# With fewer new calls for each known one, means and percentiles stay within what they are known to.
_NEWS = 0.2


def is_known_enough(
    history: FunctionHistory, live: LiveFunction, now: datetime, new_calls: float | None, *, is_sizing: bool
) -> bool:
    """Return True where reading further lines would tell nothing new of the function as it is now.

    new_calls: since its lines were read, None where not known. is_sizing: the run decides the memory size or verifies
    pings, and reads all there is.
    """
    if history.read_until is None or now - history.read_until > KNOWN_FOR:
        return False
    if new_calls == 0:
        return True
    if is_sizing:
        return False
    return is_well_known(history, live, now) or _adds_little(history, live, new_calls)


def is_well_known(history: FunctionHistory, live: LiveFunction, now: datetime) -> bool:
    """Return True where a day's further REPORT lines would tell nothing new of the function, however many they are.

    Its duration and INIT are then known from thousands of calls of this version with this size."""
    size = history.sizes.get(live.version.memory_mb)
    if size is None or history.read_until is None or now - history.read_until > KNOWN_FOR:
        return False
    return size.calls >= _KNOWN_CALLS and size.versions.get(live.version.name, 0) >= _KNOWN_CALLS_OF_VERSION


def _adds_little(history: FunctionHistory, live: LiveFunction, new_calls: float | None) -> bool:
    size = history.sizes.get(live.version.memory_mb)
    if size is None or new_calls is None:
        return False
    return new_calls <= _NEWS * size.versions.get(live.version.name, 0)


def calls_since(minutes: Series, then: datetime | None) -> float | None:
    """Return the calls from a time on; None where the minutes do not reach back to it.

    A minute without a point is one without calls, or one whose calls a later run reads."""
    if then is None or not len(minutes):
        return None
    first = minute_of(then) - minutes.start
    if first < 0:
        return None
    return float(np.nansum(minutes.values["invocations"][first:]))
