"""Carries out the steps of a capacity change: each round reads what is live, lets memory_life or provisioned_life say
what comes next, records it, and does it. Nothing is remembered between two rounds but the record, so a step that died
after any call is simply run again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from optimizer.capacity import latest_life, memory_life, provisioned_life
from optimizer.capacity.live import LambdaAccount, LiveFunction, NoSuchAlias, NoSuchFunction, Raced, Version
from optimizer.capacity.memory_life import Phase
from optimizer.capacity.work import Work
from optimizer.changes import Change, Tuner
from optimizer.runs import RunStore

_ROUNDS = 15
_PAUSE_S = 2.0
# Left of the Lambda's time when work goes on in another call.
_RESERVE_MS = 30_000


@dataclass(frozen=True, slots=True)
class Acting:
    """sleep: seconds. remaining_ms: time left of this call."""

    store: RunStore
    account: LambdaAccount
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]

    def until_done(self, work: Work, step: str) -> memory_life.Wait | memory_life.Done | memory_life.Abandon:
        """Read, decide, record and do, until the step `apply`, `keep` or `revert` is over or Lambda takes its time."""
        waiting = "the time of this call is over"
        for _ in range(_ROUNDS):
            if self.remaining_ms() < _RESERVE_MS:
                break
            try:
                live = self.account.read(work.name, work.alias)
                action = self._next(work, step, live)
            except (NoSuchAlias, NoSuchFunction) as gone:
                # There is nothing left that could be put back.
                return memory_life.Done(str(gone)) if step == "revert" else memory_life.Abandon(str(gone))
            if isinstance(action, memory_life.Done | memory_life.Abandon):
                return action
            if isinstance(action, memory_life.Wait):
                waiting = action.reason
                self.sleep(_PAUSE_S)
                continue
            try:
                self._perform(work, step, action, live)
            except Raced as raced:
                waiting = str(raced)
                self.sleep(_PAUSE_S)
        return memory_life.Wait(waiting)

    def _next(self, work: Work, step: str, live: LiveFunction) -> memory_life.Action | provisioned_life.Action:
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            decide = provisioned_life.apply if step == "apply" else provisioned_life.revert
            return decide(*work.amounts, live)
        if work.latest:
            if step == "keep":
                return memory_life.Done()
            decide_latest = latest_life.apply if step == "apply" else latest_life.revert
            return decide_latest(work.memory, work.phase, live)
        candidate = self._candidate(work)
        if step == "keep":
            if candidate is None:
                return memory_life.Abandon("the version that was tried is gone")
            return memory_life.keep(work.memory, candidate, live)
        decide_memory = memory_life.apply if step == "apply" else memory_life.revert
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
        action: memory_life.SetLatestMemory
        | memory_life.Publish
        | memory_life.Route
        | memory_life.Provision
        | provisioned_life.Scale,
        live: LiveFunction,
    ) -> None:
        match action:
            case memory_life.SetLatestMemory(memory_mb):
                if step == "keep":
                    self.record(work, phase=Phase.KEEPING)
                elif step == "apply" and work.phase is Phase.NEW:
                    self.record(work, phase=Phase.RESIZING)
                self.account.set_memory(live, memory_mb)
            case memory_life.Publish():
                self.record(work, phase=Phase.PUBLISHING)
                version = self.account.publish(live, _description(work.change))
                self.record(work, version=version)
            case memory_life.Route(version, weights):
                if step == "apply":
                    self.record(work, phase=Phase.ROUTING)
                self.account.route(live, version, weights)
            case memory_life.Provision(environments):
                self.record(work, provisioning=environments)
                self.account.provision(live, environments)
            case provisioned_life.Scale(bounds):
                self.record(work, scaling=[bounds.minimum, bounds.maximum])
                self.account.scale(live, bounds)

    def record(self, work: Work, **facts: Any) -> None:
        """Store what is known now, before what follows from it is done."""
        wanted = {**work.progress, **facts}
        if wanted != work.progress:
            self.store.save_progress(work.change.id, wanted)
            work.progress = wanted


def _description(change: Change) -> str:
    return f"{change.after['memory_mb']} MB, {change.id}"
