"""Apply the steps of a capacity change.

Each round reads the live state, lets the steps of memory or of provisioned concurrency decide what comes next, records
that, and does it. Only the record is kept between two rounds, so a step that died after any call is run again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from optimizer.capacity.change_state import Goal, Work
from optimizer.capacity.lambda_account import LambdaAccount, Raced, WriteRefused
from optimizer.capacity.live_function import LiveFunction, NoSuchAlias, NoSuchFunction, Version
from optimizer.capacity.memory import steps
from optimizer.capacity.memory.steps import Phase
from optimizer.capacity.progress import CapacityProgress
from optimizer.core import Change
from optimizer.lifecycle import Recorder

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import PlacedTimetables, steps as provisioned_life

    type _Provisioned = (
        steps.Provision | provisioned_life.Scale | provisioned_life.PutEntry | provisioned_life.RemoveEntries
    )

_ROUNDS = 15
_PAUSE_S = 2.0
# Longer than a step of a timetable takes, and longer than it may be late by the retries of its schedule and function,
# which template.yaml and timetable_schedules.py set.
STEP_S = 30.0
STEP_LATE_MINUTES = 16
# Left of the Lambda's time when work goes on in another call.
_RESERVE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Executor:
    """sleep: seconds. remaining_ms: time left of this call. timetables: None where none can be applied."""

    account: LambdaAccount
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]
    clock: Callable[[], datetime]
    timetables: "PlacedTimetables | None" = None

    def until_done(self, recorder: Recorder[CapacityProgress], goal: Goal) -> steps.Wait | steps.Done | steps.Abandon:
        """Read, decide, record and do, until the goal is reached or Lambda needs more time."""
        waiting = "the time of this call is over"
        for _ in range(_ROUNDS):
            if self.remaining_ms() < _RESERVE_MS:
                break
            work = Work.of(recorder)
            try:
                live = self.account.read(work.name, work.alias, timetables=work.provisions)
                action = self._next(recorder, goal, live)
            except (NoSuchAlias, NoSuchFunction) as gone:
                if goal is not Goal.ROLL_BACK:
                    return steps.Abandon(str(gone))
                # Nothing is left to roll back; schedules that would go on acting on the function are deleted.
                if work.provisions and self.timetables is not None:
                    self.timetables.remove_schedules(work.change.target, work.amounts[1].plan)
                return steps.Done(str(gone))
            if isinstance(action, steps.Done | steps.Abandon):
                return action
            if isinstance(action, steps.Wait):
                if not action.soon:
                    return action
                waiting = action.reason
                self.sleep(_PAUSE_S)
                continue
            raced = self._perform_unless_raced(recorder, goal, action, live)
            if isinstance(raced, steps.Abandon):
                return raced
            waiting = raced or waiting
        return steps.Wait(waiting)

    def _perform_unless_raced(
        self, recorder: Recorder[CapacityProgress], goal: Goal, action: Any, live: LiveFunction
    ) -> str | steps.Abandon:
        """Return the reason that nothing was written and may be later, or an empty text. A refusal ends the change, and
        on the way back it is an error: nothing else can be done then."""
        try:
            self._perform(recorder, goal, action, live)
        except Raced as raced:
            self.sleep(_PAUSE_S)
            return str(raced)
        except WriteRefused as refused:
            if goal is Goal.ROLL_BACK:
                raise
            return steps.Abandon(str(refused), failed=True)
        return ""

    def _next(
        self, recorder: Recorder[CapacityProgress], goal: Goal, live: LiveFunction
    ) -> "steps.Action | provisioned_life.Action":
        work = Work.of(recorder)
        if work.provisions:
            from optimizer.capacity.provisioned import steps as provisioned_life

            decide = provisioned_life.apply if goal is Goal.APPLY else provisioned_life.revert
            return decide(*work.amounts, live, self.clock(), settled=self._is_settled(work))
        if work.latest:
            if goal is Goal.KEEP:
                return steps.Done()
            from optimizer.capacity.memory import latest_steps

            decide_latest = latest_steps.apply if goal is Goal.APPLY else latest_steps.revert
            return decide_latest(work.memory, work.phase, live)
        candidate = self._candidate(recorder)
        if goal is Goal.KEEP:
            if candidate is None:
                return steps.Abandon("the version with the new size no longer exists")
            return steps.keep(work.memory, candidate, live)
        decide_memory = steps.apply if goal is Goal.APPLY else steps.revert
        return decide_memory(work.memory, work.phase, candidate, live)

    def _candidate(self, recorder: Recorder[CapacityProgress]) -> Version | None:
        work = Work.of(recorder)
        if work.phase in (Phase.NEW, Phase.RESIZING):
            return None
        version = work.progress.version or self.account.find_version(work.name, _description(work.change))
        if version is None:
            return None
        # A call that published may have died before it could record the version.
        recorder.save(replace(work.progress, version=version))
        try:
            return self.account.version(work.name, version)
        except NoSuchFunction:
            return None

    def _perform(
        self,
        recorder: Recorder[CapacityProgress],
        goal: Goal,
        action: "steps.SetLatestMemory | steps.Publish | steps.Route | _Provisioned",
        live: LiveFunction,
    ) -> None:
        progress = recorder.progress
        match action:
            case steps.SetLatestMemory(memory_mb):
                recorder.save(replace(progress, phase=_resizing(goal, progress.phase)))
                self.account.set_memory(live, memory_mb)
            case steps.Publish():
                recorder.save(replace(progress, phase=Phase.PUBLISHING))
                version = self.account.publish(live, _description(recorder.change))
                recorder.save(replace(recorder.progress, version=version))
            case steps.Route(version, weights):
                if goal is Goal.APPLY:
                    recorder.save(replace(progress, phase=Phase.ROUTING))
                self.account.route(live, version, weights)
            case _:
                self._perform_provisioned(recorder, action, live)

    def _perform_provisioned(
        self, recorder: Recorder[CapacityProgress], action: "_Provisioned", live: LiveFunction
    ) -> None:
        from optimizer.capacity.provisioned import steps as provisioned_life

        progress = recorder.progress
        match action:
            case steps.Provision(environments):
                recorder.save(replace(progress, provisioning=environments))
                self.account.provision(live, environments)
            case provisioned_life.Scale(bounds):
                recorder.save(replace(progress, scaling=(bounds.minimum, bounds.maximum)))
                self.account.scale(live, bounds)
            case provisioned_life.PutEntry(plan, number, entry, timezone):
                recorder.save(replace(progress, putting=(plan, number)))
                self._placed.put(live, plan, number, entry, timezone)
            case provisioned_life.RemoveEntries(plan):
                recorder.save(replace(progress, removing=plan, removed_at=self.clock()))
                self._placed.remove(live, plan)

    @property
    def _placed(self) -> "PlacedTimetables":
        if self.timetables is None:
            raise TypeError("a timetable is to be applied, and no schedules were given")
        return self.timetables

    def _is_settled(self, work: Work) -> bool:
        """Return True once no step of a removed timetable can be under way. Scheduled actions end at once."""
        removed_at = work.progress.removed_at
        if removed_at is None:
            return True
        mark = work.progress.removing
        removed = next((amount for amount in work.amounts if amount.timetable and amount.plan == mark), None)
        if removed is not None and removed.bounds is not None:
            return True
        if removed is not None and removed.timetable is not None:
            quiet = removed.timetable.minutes_since_change(removed_at) > STEP_LATE_MINUTES
            return quiet or (self.clock() - removed_at).total_seconds() >= STEP_S
        return (self.clock() - removed_at).total_seconds() >= STEP_S


def _resizing(goal: Goal, phase: Phase | None) -> Phase | None:
    """Return the phase in which $LATEST gets another size."""
    if goal is Goal.KEEP:
        return Phase.KEEPING
    return Phase.RESIZING if goal is Goal.APPLY and phase in (None, Phase.NEW) else phase


def _description(change: Change) -> str:
    return f"{change.after['memory_mb']} MB, {change.id}"
