"""The hooks of a change of memory or provisioned concurrency."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from optimizer import function_logs
from optimizer.capacity import canary, provisioned
from optimizer.capacity.canary import CanaryComparison, CanaryHealth
from optimizer.capacity.change_state import Goal, Work, moved, stale
from optimizer.capacity.executor import Executor
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.live_function import LiveFunction, NoSuchAlias, NoSuchFunction
from optimizer.capacity.measure import Measure
from optimizer.capacity.memory.steps import Done, Phase, Wait
from optimizer.capacity.observation_times import ObservationTimes
from optimizer.capacity.obstacles import obstacle, scheduling_hindrance
from optimizer.capacity.progress import CapacityProgress
from optimizer.core import Change, Status, Tuner
from optimizer.function_logs import LATE_LINES, LogSource
from optimizer.guardrails import Refusal
from optimizer.lifecycle import (
    Applied,
    Blocked,
    End,
    Failed,
    Finished,
    Hooks,
    Keep,
    Look,
    LookAgain,
    Observation,
    Outdated,
    Pending,
    Ready,
    Recorder,
    RollBack,
    RolledBack,
    WatchOn,
    rest_until,
)
from optimizer.policy import Policy, log_scan_mb
from optimizer.store import ReplacedSizes

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import PlacedTimetables
    from optimizer.function_logs import UsedMemory

_POLL_S = 20
_GLANCE_S, _MOST_GLANCES = 3600, 40
_COOLS_DOWN = frozenset({Status.KEPT, Status.REVERTED, Status.FAILED})


@dataclass(frozen=True, slots=True)
class CapacityHooks(Hooks[CapacityProgress]):
    """Change the memory size or the provisioned concurrency of a function.

    recheck: the guardrails on the live state. measure: how versions did. used_memory: log, version, start and end of
    the window, and MB that may be read. sleep: seconds. remaining_ms: time left of this call.
    """

    progress_type: ClassVar = CapacityProgress

    account: LambdaAccount
    policy: Policy
    recheck: Callable[[Change, LiveFunction, datetime], Refusal | None]
    measure: Measure
    used_memory: Callable[[LogSource, str, datetime, datetime, int], "UsedMemory"]
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    timetables: "PlacedTimetables | None" = None
    replaced: ReplacedSizes | None = None

    def prepare(self, change: Change, now: datetime) -> Ready[CapacityProgress] | End:
        """Check that the function is as planned, that nobody else owns the setting, and the guardrails."""
        work = Work(change)
        try:
            live = self.account.read(work.name, work.alias, owners=True, timetables=work.provisions)
        except (NoSuchAlias, NoSuchFunction) as gone:
            return Outdated(str(gone))
        differs = stale(work, live)
        if differs:
            return Outdated(differs)
        hindrance = scheduling_hindrance(live) if "timetable" in change.after else None
        objection = obstacle(change.tuner, live) or hindrance or self.recheck(change, live, now)
        if objection is not None:
            return Blocked(objection.rule, objection.message)
        return Ready(CapacityProgress(phase=Phase.NEW))

    def advance(self, recorder: Recorder[CapacityProgress], _now: datetime) -> Applied | Pending | End:
        """Give the function its new size or amount; what is abandoned on the way is rolled back at once."""
        if recorder.progress.abandoned is None:
            end = self._executor.until_done(recorder, Goal.APPLY)
            if isinstance(end, Wait):
                return Pending(_POLL_S, end.reason)
            if isinstance(end, Done):
                return Applied()
            recorder.save(replace(recorder.progress, abandoned=end.reason, failed=end.failed))
        back = self._executor.until_done(recorder, Goal.ROLL_BACK)
        if isinstance(back, Wait):
            return Pending(_POLL_S, back.reason)
        reason = recorder.progress.abandoned or ""
        return Failed(reason) if recorder.progress.failed else Outdated(reason)

    def observation(self, change: Change, progress: CapacityProgress) -> Observation:
        """Look at the ages of the policy, once the metrics are complete."""
        work = Work(change, progress)
        times = self._observation_times(work)
        ages_s = [times.wait_s(number, times.applied_at) for number in range(times.looks)]
        if work.provisions or work.memory.weight == 0:
            return Observation(ages_s)
        # A deployment by the team must not find our weights for days; the state machine takes a hundred verifications.
        return Observation(ages_s, pause_s=max(_GLANCE_S, ages_s[-1] / _MOST_GLANCES))

    def observe(self, recorder: Recorder[CapacityProgress], look: Look) -> Keep | WatchOn | LookAgain | RollBack:
        """Compare the calls of the window that ends at the age of this look."""
        work, number = Work.of(recorder), look.number
        times = self._observation_times(work)
        if not look.is_counted and look.now < times.looked_at(number):
            return LookAgain(times.wait_s(number, look.now))
        try:
            live = self.account.read(work.name, work.alias, timetables=work.provisions)
        except (NoSuchAlias, NoSuchFunction) as gone:
            return RollBack(str(gone))
        theirs = moved(work, live)
        if theirs:
            return RollBack(theirs)
        kind = times.kind(number)
        health = canary.judge(self._compare(work, live, times, number), times.looks, kind)
        health = self._with_memory(health, work, live, times, number)
        health = self._with_timetable(health, work, live, times, number)
        if not health.healthy:
            recorder.save(replace(recorder.progress, unhealthy=health.reason))
            return RollBack(health.reason)
        if kind is not canary.LookKind.EARLY and health.enough:
            return Keep(health.reason)
        return WatchOn(health.reason)

    def remember(self, change: Change, status: Status, now: datetime) -> None:
        """Record the memory size that was replaced: who deploys it again owns the size."""
        if self.replaced is None or change.tuner is not Tuner.MEMORY:
            return
        if status is Status.KEPT:
            self.replaced.remember(change, now)
        else:
            self.replaced.forget(change, now)

    def glance(self, recorder: Recorder[CapacityProgress], _now: datetime) -> RollBack | None:
        """End a canary where somebody else changes the function or its alias."""
        work = Work.of(recorder)
        try:
            theirs = moved(work, self.account.read(work.name, work.alias))
        except (NoSuchAlias, NoSuchFunction) as gone:
            return RollBack(str(gone))
        return RollBack(theirs) if theirs else None

    def finish(self, recorder: Recorder[CapacityProgress], _now: datetime) -> Finished | Pending | RollBack:
        """Give all calls the new memory size."""
        if recorder.change.tuner is not Tuner.MEMORY:
            return Finished()
        if recorder.progress.abandoned is None:
            end = self._executor.until_done(recorder, Goal.KEEP)
            if isinstance(end, Wait):
                return Pending(_POLL_S, end.reason)
            if isinstance(end, Done):
                return Finished(end.note)
            recorder.save(replace(recorder.progress, abandoned=end.reason))
        return RollBack("")

    def roll_back(self, recorder: Recorder[CapacityProgress], _now: datetime) -> RolledBack | Pending:
        """Restore the size or the amount before; what the team deployed meanwhile stays."""
        end = self._executor.until_done(recorder, Goal.ROLL_BACK)
        if isinstance(end, Wait):
            return Pending(_POLL_S, end.reason)
        change, progress = recorder.change, recorder.progress
        unhealthy = progress.unhealthy or ""
        not_again = {}
        if unhealthy and change.tuner is Tuner.MEMORY:
            not_again[str(change.after["memory_mb"])] = unhealthy
        return RolledBack((unhealthy, progress.abandoned or "", end.note if isinstance(end, Done) else ""), not_again)

    def cool_down(self, change: Change, status: Status, since: datetime) -> dict[str, datetime]:
        """Leave the function alone for a while after it was changed."""
        limits = self.policy.memory if change.tuner is Tuner.MEMORY else self.policy.provisioned_concurrency
        return {change.target: rest_until(since, limits.cool_down_days)} if status in _COOLS_DOWN else {}

    @property
    def _executor(self) -> Executor:
        return Executor(self.account, self.sleep, self.remaining_ms, self.clock, self.timetables)

    def _compare(self, work: Work, live: LiveFunction, times: ObservationTimes, number: int) -> CanaryComparison:
        most = self.policy.memory.max_slowdown
        start, end, evidence = times.applied_at, times.end(number), work.change.evidence
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            return self.measure.days(work.name, live.alias, start, end, most)
        most = min(most, evidence.get("max_duration_ratio", most))
        plan = work.memory
        if plan.weight == 0:
            comparison = self.measure.days(work.name, live.alias, start, end, most)
        else:
            comparison = self.measure.versions(
                work.name, live.alias, plan.version, work.observed_version, start, end, most, plan.weight
            )
        return replace(
            comparison,
            break_even=evidence.get("break_even_ratio") or math.inf,
            max_p95_ms=self.policy.memory.max_p95_ms,
        )

    def _with_memory(
        self, health: CanaryHealth, work: Work, live: LiveFunction, times: ObservationTimes, number: int
    ) -> CanaryHealth:
        """A smaller size must also hold what its calls use."""
        plan = work.memory if work.change.tuner is Tuner.MEMORY else None
        if not health.healthy or plan is None or plan.after_mb >= plan.before_mb:
            return health
        # Earlier looks have read what lies before, but for lines that came late.
        since = times.applied_at if number == 0 else max(times.applied_at, times.end(number - 1) - LATE_LINES)
        budget_mb = int(work.change.evidence.get("log_scan_mb") or log_scan_mb(self.policy.memory))
        used = self.used_memory(live.log_source, work.observed_version, since, times.end(number), budget_mb)
        tight = function_logs.memory_shortage(used, plan.after_mb, self.policy.memory.headroom)
        if tight:
            return CanaryHealth(False, tight)
        said = used.why if used.mb is None else f"it used up to {used.mb} of {plan.after_mb} MB"
        if used.mb is not None and used.why:
            said += f" ({used.why})"
        return replace(health, reason=f"{health.reason}; {said}")

    def _with_timetable(
        self, health: CanaryHealth, work: Work, live: LiveFunction, times: ObservationTimes, number: int
    ) -> CanaryHealth:
        """Require that the environments of a timetable exist and are used as planned."""
        timetable = work.amounts[1].timetable if work.provisions else None
        if not health.healthy or timetable is None:
            return health
        use = self.measure.provisioned(work.name, live.alias, timetable, times.applied_at, times.end(number))
        evidence = work.change.evidence
        used = provisioned.judge_use(
            use,
            least=float(evidence["least_utilisation"]),
            worst_day=float(evidence["utilisation_worst_day"]),
            due=number >= times.due,
        )
        reason = f"{health.reason}; {used.reason}" if used.healthy else used.reason
        return CanaryHealth(used.healthy, reason, enough=used.enough and health.enough)

    def _observation_times(self, work: Work) -> ObservationTimes:
        times = ObservationTimes.of(self.policy.memory, work.progress.applied_at or self.clock())
        timetable = work.amounts[1].timetable if work.provisions else None
        return times if timetable is None else times.until_day(provisioned.days_to_observe(timetable, times.applied_at))
