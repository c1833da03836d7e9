"""Hooks that apply any change at once and find nothing wrong with it; the lifecycle around them is the real one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from optimizer.core import Change, Status, Tuner
from optimizer.guardrails import calendar
from optimizer.lifecycle import (
    Applied,
    Blocked,
    End,
    Hooks,
    Keep,
    Look,
    Observation,
    Outdated,
    Ready,
    RolledBack,
    Setting,
    WatchOn,
    rest_until,
)
from optimizer.lifecycle.progress import ChangeProgress, Recorder

# What is in force, by resource and tuner.
type InForce = dict[tuple[str, Tuner], dict[str, Any]]

# As the defaults of the policy, in hours.
_LOOKS: Mapping[Tuner, tuple[float, ...]] = {
    Tuner.WARMUPS: (1, 5),
    Tuner.MEMORY: (0.25, 1, 6),
    Tuner.PROVISIONED_CONCURRENCY: (6,),
    Tuner.INDEXES: (0.5, 6),
    Tuner.CACHE_TTLS: (24,),
}
_COOLS_DOWN = frozenset({Status.KEPT, Status.REVERTED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class CalmHooks(Hooks[ChangeProgress]):
    """Changes that do what they should, in an account where nobody else changes anything."""

    progress_type: ClassVar = ChangeProgress

    setting: Setting
    in_force: InForce

    def prepare(self, change: Change, now: datetime) -> Ready[ChangeProgress] | End:
        state = self.in_force.get(_place(change), {})
        differs = [name for name, value in state.items() if name in change.before and change.before[name] != value]
        if differs:
            return Outdated(f"{', '.join(differs)} of {change.target} is not as planned")
        closed = calendar.closed(self.setting.policy, now, change.tuner)
        return Blocked(closed.rule, closed.message) if closed else Ready(ChangeProgress())

    def advance(self, recorder: Recorder[ChangeProgress], _now: datetime) -> Applied:
        self.in_force[_place(recorder.change)] = dict(recorder.change.after)
        return Applied()

    def observation(self, change: Change, _progress: ChangeProgress) -> Observation:
        return Observation([hours * 3600 for hours in _LOOKS[change.tuner]])

    def observe(self, _recorder: Recorder[ChangeProgress], look: Look) -> Keep | WatchOn:
        return Keep() if look.is_last else WatchOn()

    def roll_back(self, recorder: Recorder[ChangeProgress], _now: datetime) -> RolledBack:
        self.in_force[_place(recorder.change)] = dict(recorder.change.before)
        return RolledBack()

    def cool_down(self, change: Change, status: Status, since: datetime) -> Mapping[str, datetime]:
        days = getattr(getattr(self.setting.policy, change.tuner), "cool_down_days", 0)
        return {change.target: rest_until(since, days)} if status in _COOLS_DOWN and days else {}


def _place(change: Change) -> tuple[str, Tuner]:
    return change.target, change.tuner


def hours_until_kept(tuner: Tuner) -> timedelta:
    """Return how long a change is observed."""
    return timedelta(hours=_LOOKS[tuner][-1])
