"""The life of a capacity Change: apply, poll, verify, keep, revert, as docs/architecture.md says."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from optimizer.capacity.canary import CanaryComparison, CanaryHealth, Look, judge
from optimizer.capacity.change_state import Work, moved, stale
from optimizer.capacity.executor import Acting
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.live_function import LiveFunction, NoSuchAlias, NoSuchFunction
from optimizer.capacity.measure import Measure
from optimizer.capacity.memory import steps as memory_life
from optimizer.capacity.memory.steps import Phase
from optimizer.capacity.observation_times import Watch
from optimizer.capacity.obstacles import obstacle, scheduling_hindrance
from optimizer.capacity.provisioned import steps as provisioned_life
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables
from optimizer.capacity.provisioned.use import days_to_watch, judge_use
from optimizer.core import FINAL, Change, Status, StoredChange, Tuner
from optimizer.function_logs import UsedMemory, memory_shortage
from optimizer.lifecycle import Answer, Objection, answer, applied_at
from optimizer.policy import Policy
from optimizer.store import RunStore

_POLL_S = 20


@dataclass(frozen=True, slots=True)
class ChangeCapacity:
    """The steps. recheck: the guardrails on the live state. measure: how versions did. used_memory: log group, version,
    start and end of the window. sleep: seconds. remaining_ms: time left of this call."""

    store: RunStore
    account: LambdaAccount
    policy: Policy
    recheck: Callable[[Change, LiveFunction, datetime], Objection | None]
    measure: Measure
    used_memory: Callable[[str, str, datetime, datetime], UsedMemory]
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    timetables: PlacedTimetables | None = None

    @property
    def acting(self) -> Acting:
        """What carries the steps out."""
        return Acting(self.store, self.account, self.sleep, self.remaining_ms, self.clock, self.timetables)

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Check the live state and the guardrails, then act; `poll` goes on where Lambda takes its time."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING or stored.status in FINAL:
            return self._where_it_is(stored)
        if not self.store.move(change_id, Status.APPLYING, now, frm={Status.APPROVED}):
            return answer("refused", change_id, f"the change is {stored.status.value}, not approved")
        if not stored.progress:
            turned_down = self._turn_down(stored.change, now)
            if turned_down is not None:
                return turned_down
            self.store.save_progress(change_id, {"phase": Phase.NEW.value})
        return self.poll(change_id, now)

    def poll(self, change_id: str, now: datetime) -> Answer:
        """Go on with what `apply` began."""
        stored = self.store.change(change_id)
        if stored.status is not Status.APPLYING:
            return self._where_it_is(stored)
        work = Work(stored.change, dict(stored.progress))
        if "abandoned" not in work.progress:
            end = self.acting.until_done(work, "apply")
            if isinstance(end, memory_life.Wait):
                return answer("pending", change_id, end.reason, wait_s=_POLL_S)
            if isinstance(end, memory_life.Done):
                self.acting.record(work, applied_at=work.progress.get("applied_at", applied_at(stored, now)))
                self.store.move(change_id, Status.WATCHING, now, frm={Status.APPLYING})
                return self._where_it_is(self.store.change(change_id))
            self.acting.record(work, abandoned=end.reason, failed=end.failed)
        back = self.acting.until_done(work, "revert")
        if isinstance(back, memory_life.Wait):
            return answer("pending", change_id, back.reason, wait_s=_POLL_S)
        reason, ended = str(work.progress["abandoned"]), Status.STALE
        if work.progress.get("failed"):
            self._cool_down(stored.change, now)
            ended = Status.FAILED
        self.store.move(change_id, ended, now, frm={Status.APPLYING}, message=reason)
        return answer(ended.value, change_id, reason)

    def verify(self, change_id: str, now: datetime, verification: int | None = None) -> Answer:
        """Compare the calls of the window that ends at the watch's next age. `verification`: which one, from 1; where
        the caller does not count, the clock tells."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        work = Work(stored.change, dict(stored.progress))
        watch = self._watch(work)
        number = watch.number(now) if verification is None else verification - 1
        if number < 0:
            return answer("watch", change_id, wait_s=watch.wait_s(0, now))
        try:
            live = self.account.read(work.name, work.alias, timetables=work.provisions)
        except (NoSuchAlias, NoSuchFunction) as gone:
            return answer("revert", change_id, str(gone))
        theirs = moved(work, live)
        if theirs:
            return answer("revert", change_id, theirs)
        comparison = self._compare(work, live, watch, number)
        look = watch.look(number)
        health = judge(comparison, watch.looks, look)
        health = self._with_memory(health, work, live, watch, number)
        health = self._with_timetable(health, work, live, watch, number)
        if not health.healthy:
            self.acting.record(work, unhealthy=health.reason)
            return answer("revert", change_id, health.reason)
        if look is not Look.EARLY and health.enough:
            return answer("keep", change_id, health.reason)
        wait_s = watch.wait_s(number + 1, now if verification is None else watch.looked_at(number))
        return answer("watch", change_id, health.reason, wait_s=wait_s)

    def keep(self, change_id: str, now: datetime) -> Answer:
        """The watch is over and went well: all calls get the new size."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        work = Work(stored.change, dict(stored.progress))
        end: memory_life.Action | provisioned_life.Action = memory_life.Done()
        if stored.change.tuner is Tuner.MEMORY and "abandoned" not in work.progress:
            end = self.acting.until_done(work, "keep")
            if isinstance(end, memory_life.Abandon):
                self.acting.record(work, abandoned=end.reason)
        if "abandoned" in work.progress:
            return self.revert(change_id, now)
        if isinstance(end, memory_life.Wait):
            return answer("pending", change_id, end.reason, wait_s=_POLL_S)
        note = end.note if isinstance(end, memory_life.Done) else ""
        self._cool_down(stored.change, now)
        self.store.move(change_id, Status.KEPT, now, frm={Status.WATCHING}, message=note)
        return answer("kept", change_id, note)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """Put back what was, because of `reason`; also for a change that was kept and is regretted."""
        stored = self.store.change(change_id)
        if stored.status in (Status.REVERTED, Status.STALE, Status.FAILED):
            return answer("reverted", change_id, stored.message)
        back_from = {Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT}
        if not self.store.move(change_id, Status.REVERTING, now, frm=back_from, message=reason):
            return self._where_it_is(stored)
        work = Work(stored.change, dict(stored.progress))
        end = self.acting.until_done(work, "revert")
        if isinstance(end, memory_life.Wait):
            return answer("pending", change_id, end.reason, wait_s=_POLL_S)
        unhealthy = str(work.progress.get("unhealthy", ""))
        notes = (reason, unhealthy, str(work.progress.get("abandoned", "")), getattr(end, "note", ""))
        said = "; ".join(filter(None, dict.fromkeys(notes)))
        if unhealthy and stored.change.tuner is Tuner.MEMORY:
            memory_mb = str(stored.change.after["memory_mb"])
            self.store.remember_taken_back(stored.change.target, Tuner.MEMORY, memory_mb, now, unhealthy)
        self._cool_down(stored.change, now)
        self.store.move(change_id, Status.REVERTED, now, frm={Status.REVERTING}, message=said)
        return answer("reverted", change_id, said)

    def _turn_down(self, change: Change, now: datetime) -> Answer | None:
        work = Work(change)
        before = {Status.APPLYING}
        try:
            live = self.account.read(work.name, work.alias, owners=True, timetables=work.provisions)
        except (NoSuchAlias, NoSuchFunction) as gone:
            self.store.move(change.id, Status.STALE, now, frm=before, message=str(gone))
            return answer("stale", change.id, str(gone))
        differs = stale(work, live)
        if differs:
            self.store.move(change.id, Status.STALE, now, frm=before, message=differs)
            return answer("stale", change.id, differs)
        hindrance = scheduling_hindrance(live) if "timetable" in change.after else None
        refusal = obstacle(change.tuner, live) or hindrance or self.recheck(change, live, now)
        if refusal is None:
            return None
        self.store.move(change.id, Status.REFUSED, now, frm=before, message=f"{refusal.rule}: {refusal.message}")
        return {**answer("refused", change.id, refusal.message), "rule": refusal.rule}

    def _compare(self, work: Work, live: LiveFunction, watch: Watch, number: int) -> CanaryComparison:
        most = self.policy.memory.max_slowdown
        start, end, evidence = watch.applied_at, watch.end(number), work.change.evidence
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            return self.measure.days(work.name, live.alias, start, end, most)
        most = min(most, evidence.get("max_duration_ratio", most))
        plan = work.memory
        if plan.weight == 0:
            comparison = self.measure.days(work.name, live.alias, start, end, most)
        else:
            comparison = self.measure.versions(
                work.name, live.alias, plan.version, work.watched_version, start, end, most, plan.weight
            )
        return replace(
            comparison,
            break_even=evidence.get("break_even_ratio") or math.inf,
            max_p95_ms=self.policy.memory.max_p95_ms,
        )

    def _with_memory(
        self, health: CanaryHealth, work: Work, live: LiveFunction, watch: Watch, number: int
    ) -> CanaryHealth:
        """A smaller size must also hold what its calls use."""
        plan = work.memory if work.change.tuner is Tuner.MEMORY else None
        if not health.healthy or plan is None or plan.after_mb >= plan.before_mb:
            return health
        used = self.used_memory(live.log_group, work.watched_version, watch.applied_at, watch.end(number))
        tight = memory_shortage(used, plan.after_mb, self.policy.memory.headroom)
        if tight:
            return CanaryHealth(False, tight)
        said = used.why or f"it used up to {used.mb} of {plan.after_mb} MB"
        return replace(health, reason=f"{health.reason}; {said}")

    def _with_timetable(
        self, health: CanaryHealth, work: Work, live: LiveFunction, watch: Watch, number: int
    ) -> CanaryHealth:
        """What a timetable holds must also be there, and be used as was planned."""
        timetable = work.amounts[1].timetable if work.provisions else None
        if not health.healthy or timetable is None:
            return health
        use = self.measure.provisioned(work.name, live.alias, timetable, watch.applied_at, watch.end(number))
        evidence = work.change.evidence
        used = judge_use(
            use,
            least=float(evidence["least_utilisation"]),
            worst_day=float(evidence["utilisation_worst_day"]),
            due=number >= watch.due,
        )
        reason = f"{health.reason}; {used.reason}" if used.healthy else used.reason
        return CanaryHealth(used.healthy, reason, enough=used.enough and health.enough)

    def _watch(self, work: Work) -> Watch:
        watch = Watch.of(self.policy.memory, datetime.fromisoformat(work.progress["applied_at"]))
        timetable = work.amounts[1].timetable if work.provisions else None
        return watch if timetable is None else watch.until_day(days_to_watch(timetable, watch.applied_at))

    def _cool_down(self, change: Change, now: datetime) -> None:
        days = (
            self.policy.memory.cool_down_days
            if change.tuner is Tuner.MEMORY
            else self.policy.provisioned_concurrency.cool_down_days
        )
        self.store.cool_down(change.target, change.tuner, now + timedelta(days=days), change.id)

    def _where_it_is(self, stored: StoredChange) -> Answer:
        if stored.status is Status.WATCHING:
            watch = self._watch(Work(stored.change, dict(stored.progress)))
            return answer("applied", stored.change.id, wait_s=watch.wait_s(0, watch.applied_at))
        outcomes = {Status.REJECTED: "refused", Status.RECOMMENDED: "refused"}
        return answer(outcomes.get(stored.status, stored.status.value), stored.change.id, stored.message)
