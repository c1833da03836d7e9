"""Carries out the steps of a capacity change: each round reads what is live, lets memory_life or provisioned_life say
what comes next, records it, and does it. Nothing is remembered between two rounds but the record, so a step that died
after any call is simply run again."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from optimizer.capacity.change_state import Work
from optimizer.capacity.lambda_account import LambdaAccount, Raced
from optimizer.capacity.live_function import LiveFunction, NoSuchAlias, NoSuchFunction, Version
from optimizer.capacity.memory import latest_steps, steps
from optimizer.capacity.memory.steps import Phase
from optimizer.capacity.provisioned import steps as provisioned_life
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables
from optimizer.core import Change, Tuner
from optimizer.store import RunStore

_ROUNDS = 15
_PAUSE_S = 2.0
# Longer than a step of a timetable takes and than it may come late, by its schedule's and its function's retries:
# template.yaml and timetables.py say so.
STEP_S = 30.0
STEP_LATE_MINUTES = 16
# Left of the Lambda's time when work goes on in another call.
_RESERVE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Acting:
    """sleep: seconds. remaining_ms: time left of this call. timetables: where they are put in place, None where none
    can be."""

    store: RunStore
    account: LambdaAccount
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]
    clock: Callable[[], datetime]
    timetables: PlacedTimetables | None = None

    def until_done(self, work: Work, step: str) -> steps.Wait | steps.Done | steps.Abandon:
        """Read, decide, record and do, until the step `apply`, `keep` or `revert` is over or Lambda takes its time."""
        waiting = "the time of this call is over"
        for _ in range(_ROUNDS):
            if self.remaining_ms() < _RESERVE_MS:
                break
            try:
                live = self.account.read(work.name, work.alias, timetables=work.provisions)
                action = self._next(work, step, live)
            except (NoSuchAlias, NoSuchFunction) as gone:
                if step != "revert":
                    return steps.Abandon(str(gone))
                # There is nothing left that could be put back; what would go on acting on it is taken away.
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
            try:
                self._perform(work, step, action, live)
            except Raced as raced:
                waiting = str(raced)
                self.sleep(_PAUSE_S)
        return steps.Wait(waiting)

    def _next(self, work: Work, step: str, live: LiveFunction) -> steps.Action | provisioned_life.Action:
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            decide = provisioned_life.apply if step == "apply" else provisioned_life.revert
            return decide(*work.amounts, live, self.clock(), settled=self._is_settled(work))
        if work.latest:
            if step == "keep":
                return steps.Done()
            decide_latest = latest_steps.apply if step == "apply" else latest_steps.revert
            return decide_latest(work.memory, work.phase, live)
        candidate = self._candidate(work)
        if step == "keep":
            if candidate is None:
                return steps.Abandon("the version that was tried is gone")
            return steps.keep(work.memory, candidate, live)
        decide_memory = steps.apply if step == "apply" else steps.revert
        return decide_memory(work.memory, work.phase, candidate, live)

    def _candidate(self, work: Work) -> Version | None:
        if work.phase in (Phase.NEW, Phase.RESIZING):
            return None
        name = work.progress.get("version") or self.account.find_version(work.name, _description(work.change))
        if name is None:
            return None
        # A call that published may have died before it could record the version.
        self.record(work, version=name)
        try:
            return self.account.version(work.name, name)
        except NoSuchFunction:
            return None

    def _perform(
        self,
        work: Work,
        step: str,
        action: steps.SetLatestMemory
        | steps.Publish
        | steps.Route
        | steps.Provision
        | provisioned_life.Scale
        | provisioned_life.PutEntry
        | provisioned_life.RemoveEntries,
        live: LiveFunction,
    ) -> None:
        match action:
            case steps.SetLatestMemory(memory_mb):
                if step == "keep":
                    self.record(work, phase=Phase.KEEPING)
                elif step == "apply" and work.phase is Phase.NEW:
                    self.record(work, phase=Phase.RESIZING)
                self.account.set_memory(live, memory_mb)
            case steps.Publish():
                self.record(work, phase=Phase.PUBLISHING)
                version = self.account.publish(live, _description(work.change))
                self.record(work, version=version)
            case steps.Route(version, weights):
                if step == "apply":
                    self.record(work, phase=Phase.ROUTING)
                self.account.route(live, version, weights)
            case steps.Provision(environments):
                self.record(work, provisioning=environments)
                self.account.provision(live, environments)
            case provisioned_life.Scale(bounds):
                self.record(work, scaling=[bounds.minimum, bounds.maximum])
                self.account.scale(live, bounds)
            case provisioned_life.PutEntry() | provisioned_life.RemoveEntries():
                self._place(work, action, live)

    def _place(
        self, work: Work, action: provisioned_life.PutEntry | provisioned_life.RemoveEntries, live: LiveFunction
    ) -> None:
        if isinstance(action, provisioned_life.PutEntry):
            self.record(work, putting=[action.plan, action.number])
            self._placed.put(live, action.plan, action.number, action.entry, action.timezone)
        else:
            self.record(work, removing=action.plan, removed_at=self.clock().isoformat())
            self._placed.remove(live, action.plan)

    @property
    def _placed(self) -> PlacedTimetables:
        if self.timetables is None:
            raise TypeError("a timetable is to be put in place, and there is no place for it")
        return self.timetables

    def _is_settled(self, work: Work) -> bool:
        """Whether whatever a timetable began that was taken away has ended. Scheduled actions end at once."""
        if "removed_at" not in work.progress:
            return True
        removed_at = datetime.fromisoformat(work.progress["removed_at"])
        mark = work.progress["removing"]
        gone = next((amount for amount in work.amounts if amount.timetable and amount.plan == mark), None)
        if gone is not None and gone.bounds is not None:
            return True
        if gone is not None and gone.timetable is not None:
            quiet = gone.timetable.minutes_since_change(removed_at) > STEP_LATE_MINUTES
            return quiet or (self.clock() - removed_at).total_seconds() >= STEP_S
        return (self.clock() - removed_at).total_seconds() >= STEP_S

    def record(self, work: Work, **facts: Any) -> None:
        """Store what is known now, before what follows from it is done."""
        wanted = {**work.progress, **facts}
        if wanted != work.progress:
            self.store.save_progress(work.change.id, wanted)
            work.progress = wanted


def _description(change: Change) -> str:
    return f"{change.after['memory_mb']} MB, {change.id}"
