"""Freezes and windows, in the policy's time zone: the times at which changes may start."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.core import Tuner
from optimizer.guardrails.verdict import Refusal
from optimizer.policy import Policy, RunLimits, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def closed(policy: Policy, now: datetime, tuner: Tuner) -> Refusal | None:
    """Return the freeze or window that keeps changes of the tuner from starting now, or None.

    Local wall-clock times decide, so a window keeps its hours in summer and winter; an hour that the clock shows twice
    is in the window twice."""
    local = now.astimezone(ZoneInfo(policy.time_zone))
    windows = [window for window in policy.run.windows if _concerns(window.tuners, tuner)]
    refusal = frozen(policy.run, local, tuner) or outside_windows(windows, local, "run.window")
    if refusal is None and tuner is Tuner.INDEXES:
        return outside_windows(policy.indexes.windows, local, "indexes.window")
    return refusal


def frozen(limits: RunLimits, local: datetime, tuner: Tuner) -> Refusal | None:
    """Block changes of the tuner on the days of a freeze, including its first and last day."""
    for freeze in limits.freezes:
        if freeze.first <= local.date() <= freeze.last and _concerns(freeze.tuners, tuner):
            return Refusal("run.freeze", f"Changes are frozen from {freeze.first} to {freeze.last}: {freeze.reason}.")
    return None


def _concerns(tuners: Collection[str], tuner: Tuner) -> bool:
    """Return True if a freeze or window for these tuners holds for this one; without any, for all but warm-ups."""
    # Pings change nothing of a function, and the days of a freeze are often its busiest.
    return tuner in tuners if tuners else tuner is not Tuner.WARMUPS


def outside_windows(windows: Sequence[Window], local: datetime, rule: str) -> Refusal | None:
    """Block changes outside every window; without windows any hour is fine."""
    if not windows or any(_is_open(window, local) for window in windows):
        return None
    hours = "; ".join(f"{', '.join(window.days)} {window.start} to {window.until}" for window in windows)
    return Refusal(rule, f"{local:%a %H:%M %Z} is outside the windows for changes ({hours}).")


def _is_open(window: Window, local: datetime) -> bool:
    minute = local.hour * 60 + local.minute
    start, until = _minutes(window.start), _minutes(window.until)
    today, yesterday = _DAYS[local.weekday()], _DAYS[(local - timedelta(days=1)).weekday()]
    if until > start:
        return today in window.days and start <= minute < until
    return (today in window.days and minute >= start) or (yesterday in window.days and minute < until)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)
