"""Freezes and windows, in the policy's time zone: the times at which changes may start."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from optimizer.core import Change, Tuner
from optimizer.guardrails.verdict import Refusal
from optimizer.policy import Policy, RunLimits, Window

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# Windows repeat every week. What would wait for longer, because of a freeze, is better decided again after it.
_LONGEST_WAIT = timedelta(days=8)


@dataclass(frozen=True, slots=True)
class WindowWait:
    """A change waits for its window, which opens at `until`. `message`: one sentence for people."""

    until: datetime
    message: str


def wait_for_window(policy: Policy, change: Change, now: datetime) -> WindowWait | None:
    """Return how long the change waits for its window; None if it may start now, or if waiting does not help.

    Nothing waits in a freeze: afterwards a run decides again, on newer data. A plan of pings does not wait for a window
    that opens after its last ping."""
    if closed(policy, now, change.tuner) is None or _frozen_at(policy, now, change.tuner):
        return None
    opens = opens_at(policy, now, change.tuner)
    if opens is None or not _is_useful_at(change, opens):
        return None
    return WindowWait(opens, f"Waits for its window, which opens at {local_time(policy, opens)}.")


def opens_at(policy: Policy, now: datetime, tuner: Tuner) -> datetime | None:
    """Return the first moment from now on at which changes of the tuner may start; None if there is none in a week."""
    if closed(policy, now, tuner) is None:
        return now
    moments = sorted(moment for moment in _openings(policy, now) if now < moment <= now + _LONGEST_WAIT)
    return next((moment for moment in moments if closed(policy, moment, tuner) is None), None)


def local_time(policy: Policy, moment: datetime) -> str:
    """Return a moment as people read it, in the policy's time zone: `Tue 2026-12-01 09:00 CET`."""
    return f"{moment.astimezone(ZoneInfo(policy.time_zone)):%a %Y-%m-%d %H:%M %Z}"


def _openings(policy: Policy, now: datetime) -> Iterator[datetime]:
    """Yield the moments at which a window may begin, or a freeze may end, in the days ahead."""
    zone = ZoneInfo(policy.time_zone)
    today = now.astimezone(zone).date()
    windows = (*policy.run.windows, *policy.indexes.windows)
    for day in (today + timedelta(days=ahead) for ahead in range(-1, _LONGEST_WAIT.days + 1)):
        for minute in {0, *(_minutes(window.start) for window in windows)}:
            yield from _moments(day, minute, zone)


def _moments(day: date, minute: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield the moments at which the clock shows a minute of a day: two where clocks go back."""
    local = datetime.combine(day, time(minute // 60, minute % 60), zone)
    for fold in (0, 1):
        yield local.replace(fold=fold).astimezone(UTC)


def _frozen_at(policy: Policy, now: datetime, tuner: Tuner) -> Refusal | None:
    return frozen(policy.run, now.astimezone(ZoneInfo(policy.time_zone)), tuner)


def _is_useful_at(change: Change, moment: datetime) -> bool:
    last = change.after.get("until") if change.tuner is Tuner.WARMUPS else None
    return last is None or moment < datetime.fromisoformat(str(last))


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
