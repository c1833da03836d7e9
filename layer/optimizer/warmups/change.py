"""The life of one warm-up Change: its schedules are put in place, watched, kept or taken away.

Every step may be repeated. What is about to be done is in the Change's `progress` before it is done; names of
schedules are deterministic, so a repeated step finds what it did before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optimizer.aws import ScheduleTarget
from optimizer.core import FINAL, Change, Status, StoredChange, minute_of
from optimizer.guardrails import WarmupState
from optimizer.lifecycle import Answer, Objection, answer, applied_at, ended, look_number
from optimizer.store import KeptWarm, PingLog, PlansInPlace, RunStore
from optimizer.warmups import schedule_batches, schedules
from optimizer.warmups.observe import Calls, WarmupHealth, judge
from optimizer.warmups.schedule_batches import planned
from optimizer.warmups.schedules import Scheduled

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

# Records of pings and metrics of the last minutes of a window are still on their way.
_LATE = timedelta(minutes=4)
# Left for the answer and the record when work goes on in another call.
_RESERVE_MS = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """What the acting Lambda reads of a target just before it acts."""

    has_alias: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class ChangeWarmups:
    """The steps. Read `docs/architecture.md` for the answers.

    recheck: the guardrails on the live state. read_target: `(function
    name, alias)`. read_calls: the target's calls `(function name, first minute, end minute)`. remaining_ms: time
    left of this call. watch_minutes: the ages at which the pings are judged, rising.
    """

    store: RunStore
    log: PingLog
    in_place: PlansInPlace
    scheduler: "EventBridgeSchedulerClient"
    schedules: ScheduleTarget
    recheck: Callable[[Change, WarmupState, datetime], Objection | None]
    read_target: Callable[[str, str], Target]
    read_calls: Callable[[str, int, int], Calls]
    remaining_ms: Callable[[], float]
    watch_minutes: Sequence[int]

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Check the live state, then put the schedules in place; `poll` goes on where the time ran out."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING:
            return self._applied(stored)
        if stored.status in FINAL:
            return ended(stored)
        if not self.store.move(change_id, Status.APPLYING, now, frm={Status.APPROVED}):
            return answer("refused", change_id, f"the change is {stored.status.value}, not approved")
        if not stored.progress:
            turned_down = self._turn_down(stored.change, now)
            if turned_down is not None:
                return turned_down
            self.store.save_progress(change_id, {"phase": "removing"})
        return self.poll(change_id, now)

    def poll(self, change_id: str, now: datetime) -> Answer:
        """Go on with what `apply` began."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING:
            return self._applied(stored)
        if stored.status is not Status.APPLYING:
            return ended(stored)
        progress = dict(stored.progress)
        if progress["phase"] == "removing":
            if not self._remove_former(stored.change, now):
                return _pending(change_id)
            progress = {"phase": "creating", "next": 0}
        if progress["phase"] == "creating":
            if not self._create(stored.change, int(progress["next"]), now):
                return _pending(change_id)
            progress = {"phase": "watching", "applied_at": applied_at(stored, now), "verified": 0}
            self.store.save_progress(change_id, progress)
        self.store.move(change_id, Status.WATCHING, now, frm={Status.APPLYING})
        return self._applied(self.store.change(change_id))

    def verify(self, change_id: str, now: datetime, verification: int | None = None) -> Answer:
        """Judge the pings of the window that ends at the next age. `verification`: which one this is, from 1."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return ended(stored)
        number = look_number(stored.progress, verification)
        since = datetime.fromisoformat(stored.progress["applied_at"])
        end = since + timedelta(minutes=self.watch_minutes[number])
        # Asked too early, it judges what there is. A clock before the change's own says nothing of what there is.
        until = min(end, now - _LATE) if now >= since else end
        health = self._health(stored.change, minute_of(since) + 1, minute_of(until))
        if health.problem:
            return answer("revert", change_id, health.problem)
        if number + 1 == len(self.watch_minutes):
            return answer("keep", change_id, health.summary)
        looked = {"verified": number + 1, "verification": verification}
        self.store.save_progress(change_id, {**stored.progress, **looked})
        wait = timedelta(minutes=self.watch_minutes[number + 1] - self.watch_minutes[number])
        return answer("watch", change_id, health.summary, wait_s=_seconds(wait))

    def keep(self, change_id: str, now: datetime) -> Answer:
        """The watch is over; the pings that are still to come stay."""
        if not self.store.move(change_id, Status.KEPT, now, frm={Status.WATCHING}):
            return ended(self.store.change(change_id))
        return answer("kept", change_id)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """Delete the schedules of this Change, because of `reason`. A plan that they replaced does not come
        back: it is out of date."""
        takes_back = {Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT}
        if not self.store.move(change_id, Status.REVERTING, now, frm=takes_back, message=reason):
            return ended(self.store.change(change_id))
        change = self.store.change(change_id).change
        mark = schedules.plan_mark(change_id)
        if not self._remove(change.target, lambda schedule: schedule.plan == mark):
            return _pending(change_id)
        self.in_place.end(_name(change), change_id, now)
        self.store.move(change_id, Status.REVERTED, now, frm={Status.REVERTING})
        return answer("reverted", change_id)

    def _turn_down(self, change: Change, now: datetime) -> Answer | None:
        live = self._live(change)
        target = self.read_target(_name(change), change.after["alias"])
        others = {schedule.plan for schedule in live} - {schedules.plan_mark(change.id)}
        before = {Status.APPROVED, Status.APPLYING}
        pings, stale = planned(change), ""
        if pings and not target.has_alias:
            stale = f"the function has no alias {change.after['alias']} any more"
        elif others - set(change.before["plans"]):
            stale = "another plan of pings was put in place after this one was made"
        elif pings and all(minute <= minute_of(now) for minute, _ in pings):
            stale = "all its pings lie in the past"
        if stale:
            self.store.move(change.id, Status.STALE, now, frm=before, message=stale)
            return answer("stale", change.id, stale)
        refusal = self.recheck(change, self._live_state(change, len(live), now), now)
        rule, message = (refusal.rule, refusal.message) if refusal else ("", "")
        if pings and not target.ready:
            rule, message = "warmups.ready_tag", "the function is not tagged as understanding pings any more"
        if not rule:
            return None
        self.in_place.end(_name(change), change.id, now)
        self.store.move(change.id, Status.REFUSED, now, frm=before, message=f"{rule}: {message}")
        return {**answer("refused", change.id, message), "rule": rule}

    def _live_state(self, change: Change, schedules_there: int, now: datetime) -> WarmupState:
        """Records the plan first: of two that are put in place at once, one at least sees the other."""
        kept = KeptWarm(int(change.after["most_environments"]), float(change.after["usd_day"]))
        if kept.environments:
            until = datetime.fromisoformat(change.after["from"]) + timedelta(hours=change.after["hours"])
            self.in_place.record(_name(change), change.id, kept, until)
        elsewhere = self.in_place.elsewhere(_name(change), now)
        return WarmupState(schedules_there, elsewhere.environments, elsewhere.usd_day)

    def _live(self, change: Change) -> list[Scheduled]:
        return list(schedules.listed(self.scheduler, self.schedules.group, change.target))

    def _remove_former(self, change: Change, now: datetime) -> bool:
        """What is due within two minutes is left to fire, so that there is no hole between two plans."""
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

    def _create(self, change: Change, start: int, now: datetime) -> bool:
        def about_to_create(number: int) -> None:
            self.store.save_progress(change.id, {"phase": "creating", "next": number})

        return schedule_batches.create(
            self.scheduler, self.schedules, change, start, now, about_to_create, self._time_left
        )

    def _time_left(self) -> bool:
        return self.remaining_ms() >= _RESERVE_MS

    def _health(self, change: Change, first: int, end: int) -> WarmupHealth:
        replaced = self.log.replaced_at(change.id)
        until = end if replaced is None else min(end, replaced)
        due = [minute for minute, _ in planned(change) if first <= minute < until]
        pings = [ping for ping in self.log.between(_name(change), first, until) if ping.change_id == change.id]
        calls = self.read_calls(_name(change), first, end) if first < end else Calls(None, None)
        return judge(due, pings, calls, change.evidence.get("errors_share"))

    def _applied(self, stored: StoredChange) -> Answer:
        wait = timedelta(minutes=self.watch_minutes[0]) + _LATE
        message = f"{len(planned(stored.change))} pings are scheduled"
        return answer("applied", stored.change.id, message, wait_s=_seconds(wait))


def _name(change: Change) -> str:
    return change.target.rpartition(":")[2]


def _seconds(wait: timedelta) -> int:
    return max(1, round(wait.total_seconds()))


def _pending(change_id: str) -> Answer:
    return answer("pending", change_id, wait_s=1)
