"""The hooks of a warm-up change: its schedules are created, observed, kept or deleted.

Names of schedules are deterministic, so that a repeated step finds what it did before.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar

from optimizer.aws import EventBridgeSchedulerClient, ScheduleTarget
from optimizer.core import Change, Warmup, minute_of
from optimizer.guardrails import Refusal, WarmupState
from optimizer.lifecycle import (
    Applied,
    Blocked,
    End,
    Hooks,
    Keep,
    Look,
    Observation,
    Outdated,
    Pending,
    Ready,
    Recorder,
    RollBack,
    RolledBack,
    WatchOn,
)
from optimizer.store import KeptWarm, PingLog, PlansInPlace
from optimizer.warmups import schedule_batches, schedules
from optimizer.warmups.callers import DAY_MINUTES, DAYS, callers_at
from optimizer.warmups.observe import Calls, WarmupHealth, judge
from optimizer.warmups.progress import WarmupPhase, WarmupProgress
from optimizer.warmups.schedule_batches import pings_of, warmup_of
from optimizer.warmups.schedules import Scheduled
from optimizer.warmups.sending.room import Room

# Records of pings and metrics of the last minutes of a window are still on their way.
_LATE = timedelta(minutes=4)
# Left for the answer and the record when the work is continued by another call.
_RESERVE_MS = 20_000
_CONTINUE = Pending(wait_s=1)


@dataclass(frozen=True, slots=True)
class Target:
    """The live state of a target that is read just before acting."""

    has_alias: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class WarmupHooks(Hooks[WarmupProgress]):
    """Put a plan of pings in place as one-time schedules.

    recheck: the guardrails on the live state. read_target: `(function
    name, alias)`. read_calls: the calls through the alias
    `(function name, alias, first minute, end minute)`. remaining_ms: time
    left of this call. watch_minutes: the ages at which the pings are judged, rising. read_room: the room for pings of
    `(function name)`. why_not_ready: why no ping may be sent to `(function name, alias)` now; it may send one ping to a
    version of which nothing is known. read_concurrency: the function's measured concurrency `(function name, first
    minute, end minute)`. keep_free: what pings leave of the account's concurrency. clock: asked again while a call
    works; None stands still.
    """

    progress_type: ClassVar = WarmupProgress

    log: PingLog
    in_place: PlansInPlace
    scheduler: "EventBridgeSchedulerClient"
    schedules: ScheduleTarget
    recheck: Callable[[Change, WarmupState, datetime], Refusal | None]
    read_target: Callable[[str, str], Target]
    read_calls: Callable[[str, str, int, int], Calls]
    remaining_ms: Callable[[], float]
    watch_minutes: Sequence[int]
    read_room: Callable[[str], Room]
    why_not_ready: Callable[[str, str, datetime], str]
    read_concurrency: Callable[[str, int, int], Mapping[datetime, float]]
    keep_free: int
    clock: Callable[[], datetime] | None = None

    def prepare(self, change: Change, now: datetime) -> Ready[WarmupProgress] | End:
        """Check that the plan still fits the function, and the guardrails."""
        live = self._live(change)
        target = self.read_target(_name(change), change.after["alias"])
        others = {schedule.plan for schedule in live} - {schedules.plan_mark(change.id)}
        pings = pings_of(change)
        if pings and not target.has_alias:
            return Outdated(f"the function has no alias {change.after['alias']} any more")
        if others - set(change.before["plans"]):
            return Outdated("another plan of pings was applied after this one was made")
        if pings and all(minute <= minute_of(now) for minute, _ in pings):
            return Outdated("all its pings lie in the past")
        objection = self.recheck(change, self._live_state(change, len(live), now), now)
        blocked = Blocked(objection.rule, objection.message) if objection else None
        if pings and not target.ready:
            blocked = Blocked("warmups.ready_tag", "the function is not tagged as understanding pings any more")
        if blocked is None and pings:
            blocked = self._obstacle(change, now)
        if blocked is None:
            return Ready(WarmupProgress(phase=WarmupPhase.REMOVING))
        self.in_place.end(_name(change), change.id, now)
        return blocked

    def advance(self, recorder: Recorder[WarmupProgress], now: datetime) -> Applied | Pending:
        """Delete the plan before, then create the schedules."""
        if recorder.progress.phase is WarmupPhase.REMOVING:
            if not self._remove_former(recorder.change, now):
                return _CONTINUE
            recorder.save(WarmupProgress(phase=WarmupPhase.CREATING, next=0))
        if recorder.progress.phase is WarmupPhase.CREATING:
            if not self._create(recorder, now):
                return _CONTINUE
            recorder.save(WarmupProgress(phase=WarmupPhase.WATCHING))
        return Applied()

    def observation(self, change: Change, _progress: WarmupProgress) -> Observation:
        """Look at the ages of the policy, once the records of the last minutes have arrived."""
        ages_s = [minutes * 60 + _LATE.total_seconds() for minutes in self.watch_minutes]
        return Observation(ages_s, f"{len(pings_of(change))} pings are scheduled")

    def observe(self, recorder: Recorder[WarmupProgress], look: Look) -> Keep | WatchOn | RollBack:
        """Judge the pings of the window that ends at the age of this look."""
        since = recorder.progress.applied_at or look.now
        end = since + timedelta(minutes=self.watch_minutes[look.number])
        # Asked too early, it judges what there is. A clock before the change's own says nothing of what there is.
        until = min(end, look.now - _LATE) if look.now >= since else end
        health = self._health(recorder.change, minute_of(since) + 1, minute_of(until))
        if health.problem:
            return RollBack(health.problem)
        return Keep(health.summary) if look.is_last else WatchOn(health.summary)

    def roll_back(self, recorder: Recorder[WarmupProgress], now: datetime) -> RolledBack | Pending:
        """Delete the schedules of this change. A plan that they replaced does not come back: it is out of date."""
        change = recorder.change
        mark = schedules.plan_mark(change.id)
        if not self._remove(change.target, lambda schedule: schedule.plan == mark):
            return _CONTINUE
        self.in_place.end(_name(change), change.id, now)
        return RolledBack()

    def _live_state(self, change: Change, schedules_there: int, now: datetime) -> WarmupState:
        """Record the plan and return the live state. Of two plans applied at once, at least one sees the other."""
        kept = KeptWarm(int(change.after["most_environments"]), float(change.after["usd_day"]))
        if kept.environments:
            until = datetime.fromisoformat(change.after["from"]) + timedelta(hours=change.after["hours"])
            self.in_place.record(_name(change), change.id, kept, until)
        elsewhere = self.in_place.elsewhere(_name(change), now)
        return WarmupState(schedules_there, elsewhere.environments, elsewhere.usd_day)

    def _obstacle(self, change: Change, now: datetime) -> Blocked | None:
        """Return why no ping can be sent: no room, or a version that does not answer pings, which is found out last."""
        name = _name(change)
        room = self.read_room(name)
        elsewhere = 0 if room.reserved is not None else self.in_place.elsewhere(name, now).environments
        if room.environments - elsewhere < 1:
            others = f"; pings of other functions take {elsewhere}" if elsewhere else ""
            return Blocked("warmups.concurrency", f"There is no room for pings: {room.reason}{others}.")
        reason = self.why_not_ready(name, change.after["alias"], now)
        return Blocked("warmups.not_ready", f"{reason[0].upper()}{reason[1:]}.") if reason else None

    def _warmups(self, change: Change, now: datetime) -> list[Warmup]:
        """Return the pings of the plan, each with what callers need at its time of day."""
        pings = pings_of(change)
        end = minute_of(now)
        first = end - DAYS * DAY_MINUTES
        concurrency = self.read_concurrency(_name(change), first, end)
        measured = {at: most for at, most in concurrency.items() if most > 0}
        pinged = {ping.at_minute for ping in self.log.between(_name(change), first, end)} if measured else set[int]()
        callers = callers_at([minute for minute, _ in pings], measured, pinged, change.after["timezone"])
        return [
            warmup_of(change, minute, count, needed, self.keep_free)
            for (minute, count), needed in zip(pings, callers, strict=True)
        ]

    def _live(self, change: Change) -> list[Scheduled]:
        return list(schedules.list_schedules(self.scheduler, self.schedules.group, change.target))

    def _remove_former(self, change: Change, now: datetime) -> bool:
        """Delete the schedules of former plans, except those due within two minutes, so that no gap is left."""
        mark, soon = schedules.plan_mark(change.id), minute_of(now) + 2
        former = {schedule.plan for schedule in self._live(change)} - {mark}
        for plan in former:
            self.log.record_replaced(schedules.change_id_of(plan), soon, change.id, now)
        if not self._remove(change.target, lambda schedule: schedule.plan != mark and schedule.minute > soon):
            return False
        self.in_place.end_others(_name(change), change.id, now)
        return True

    def _remove(self, target: str, unwanted: Callable[[Scheduled], bool]) -> bool:
        return schedule_batches.remove(self.scheduler, self.schedules.group, target, unwanted, self._time_left)

    def _create(self, recorder: Recorder[WarmupProgress], now: datetime) -> bool:
        def about_to_create(number: int) -> None:
            recorder.save(replace(recorder.progress, next=number))

        start = recorder.progress.next or 0
        clock = self.clock or (lambda: now)
        warmups = self._warmups(recorder.change, now)
        return schedule_batches.create(
            self.scheduler, self.schedules, recorder.change, warmups, start, clock, about_to_create, self._time_left
        )

    def _time_left(self) -> bool:
        return self.remaining_ms() >= _RESERVE_MS

    def _health(self, change: Change, first: int, end: int) -> WarmupHealth:
        replaced = self.log.replaced_at(change.id)
        until = end if replaced is None else min(end, replaced)
        due = [minute for minute, _ in pings_of(change) if first <= minute < until]
        pings = [
            ping
            for ping in self.log.between(_name(change), first, until)
            if ping.change_id == change.id and not ping.after_deploy
        ]
        calls = self.read_calls(_name(change), change.after["alias"], first, end) if first < end else Calls(None, None)
        return judge(due, pings, calls, change.evidence.get("errors_share"))


def _name(change: Change) -> str:
    return change.target.rpartition(":")[2]
