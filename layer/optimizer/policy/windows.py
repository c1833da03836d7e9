"""Windows of a policy that cannot meet, or that stay closed for longer than a change is of use."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from optimizer.core import Tuner
from optimizer.policy.errors import PolicyError
from optimizer.policy.model import Mode, Policy, RunWindow, Window
from optimizer.policy.overrides import modes_of

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = 24 * 60
_WEEK = 7 * _DAY


def window_errors(policy: Policy) -> list[PolicyError]:
    """Return an error if no change of indexes could ever start. Runs accept such a policy, and say so."""
    run, indexes = _open_minutes(_windows_for(policy, "indexes")), _open_minutes(policy.indexes.windows)
    if any(map(min, run, indexes)):
        return []
    return [
        PolicyError(
            "indexes.windows",
            "never meet run.windows. Changes of indexes start only where both are open: let them meet.",
        )
    ]


def window_warnings(policy: Policy) -> list[str]:
    """Return a sentence for each kind of change that windows keep from being applied in time."""
    if modes_of(policy, Tuner.WARMUPS) == {Mode.RECOMMEND}:
        return []
    closed_hours = _longest_closed(_windows_for(policy, "warmups")) / 60
    if closed_hours <= policy.warmups.horizon_hours:
        return []
    return [
        f"run.windows of warmups are closed for up to {closed_hours:g} hours, and a plan of pings covers "
        f"{policy.warmups.horizon_hours} hours (warmups.horizon_hours). Plans that end before the next window opens "
        "are not applied: no function is warmed then. Let a window open every day, or set warmups.mode to recommend."
    ]


def _windows_for(policy: Policy, tuner: str) -> list[RunWindow]:
    """Return the windows that concern a tuner: without names a window holds for all but warm-ups."""
    return [w for w in policy.run.windows if (tuner in w.tuners if w.tuners else tuner != "warmups")]


def _longest_closed(windows: Sequence[Window]) -> int:
    # Twice, because the longest time may include the night from Sunday to Monday.
    minutes = _open_minutes(windows) * 2
    return max((len(list(group)) for is_open, group in groupby(minutes) if not is_open), default=0)


def _open_minutes(windows: Sequence[Window]) -> list[bool]:
    """Return, for each minute of a week from Monday on, whether one of the windows is open. No windows: always."""
    if not windows:
        return [True] * _WEEK
    minutes = [False] * _WEEK
    for minute in _minutes_of(windows):
        minutes[minute % _WEEK] = True
    return minutes


def _minutes_of(windows: Sequence[Window]) -> Iterator[int]:
    for window in windows:
        start, until = (int(text[:2]) * 60 + int(text[3:]) for text in (window.start, window.until))
        length = until - start if until > start else until - start + _DAY
        for day in window.days:
            first = _DAYS.index(day) * _DAY + start
            yield from range(first, first + length)
