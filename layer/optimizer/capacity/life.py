"""The life of a capacity Change: apply, poll, verify, keep, revert, as docs/architecture.md says.

Each step is a loop: read what is live, let memory_life or provisioned_life say what comes next, record it, do it.
Nothing is remembered between two rounds but the record, so a step that died after any call is simply run again.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from optimizer.capacity import memory_life, provisioned_life
from optimizer.capacity.canary import Comparison, judge
from optimizer.capacity.live import LambdaAccount, LiveFunction, NoSuchAlias, NoSuchFunction, Raced, Scaling, Version
from optimizer.capacity.measure import Measure
from optimizer.capacity.memory_life import Phase
from optimizer.capacity.obstacles import obstacle
from optimizer.capacity.watch import Watch
from optimizer.changes import FINAL, Change, Status, Tuner, function_name
from optimizer.policy.model import Policy
from optimizer.runs import RunStore, StoredChange

_ROUNDS = 15
_PAUSE_S = 2.0
_POLL_S = 20
# Left of the Lambda's time when work goes on in another call.
_RESERVE_MS = 30_000

type Answer = dict[str, Any]


class Refusal(Protocol):
    """A guardrail that does not hold."""

    @property
    def rule(self) -> str:
        """Its name."""

    @property
    def message(self) -> str:
        """What does not hold, in one sentence."""


@dataclass(slots=True)
class _Work:
    """A change that is worked on and its record, which is stored before every write."""

    change: Change
    progress: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return function_name(self.change.target)

    @property
    def alias(self) -> str:
        return str(self.change.evidence["alias"])

    @property
    def memory(self) -> memory_life.Plan:
        before, after, evidence = self.change.before, self.change.after, self.change.evidence
        return memory_life.Plan(
            version=str(before["version"]),
            before_mb=int(before["memory_mb"]),
            after_mb=int(after["memory_mb"]),
            weight=float(evidence["canary_weight"]),
            provisioned=int(evidence.get("provisioned_environments", 0)),
        )

    @property
    def amounts(self) -> tuple[provisioned_life.Amount, provisioned_life.Amount]:
        before, after = (
            provisioned_life.Amount(
                int(part["environments"]), Scaling(int(part["min"]), int(part["max"])) if "min" in part else None
            )
            for part in (self.change.before, self.change.after)
        )
        return before, after

    @property
    def phase(self) -> Phase:
        return Phase(self.progress.get("phase", Phase.NEW))


@dataclass(frozen=True, slots=True)
class ChangeCapacity:
    """The steps. recheck: the guardrails on the live state. measure: how versions did. sleep: seconds.
    remaining_ms: time left of this call."""

    store: RunStore
    account: LambdaAccount
    policy: Policy
    recheck: Callable[[Change, LiveFunction, datetime], Refusal | None]
    measure: Measure
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Check the live state and the guardrails, then act; `poll` goes on where Lambda takes its time."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING or stored.status in FINAL:
            return self._where_it_is(stored)
        if not self.store.move(change_id, Status.APPLYING, now, frm={Status.APPROVED}):
            return _answer("refused", change_id, f"the change is {stored.status.value}, not approved")
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
        work = _Work(stored.change, dict(stored.progress))
        if "abandoned" not in work.progress:
            end = self._until_done(work, "apply")
            if isinstance(end, memory_life.Wait):
                return _answer("pending", change_id, end.reason, wait_s=_POLL_S)
            if isinstance(end, memory_life.Done):
                self._record(work, applied_at=work.progress.get("applied_at", now.isoformat()))
                self.store.move(change_id, Status.WATCHING, now, frm={Status.APPLYING})
                return self._where_it_is(self.store.change(change_id))
            self._record(work, abandoned=end.reason, failed=end.failed)
        back = self._until_done(work, "revert")
        if isinstance(back, memory_life.Wait):
            return _answer("pending", change_id, back.reason, wait_s=_POLL_S)
        reason, ended = str(work.progress["abandoned"]), Status.STALE
        if work.progress.get("failed"):
            self._cool_down(stored.change, now)
            ended = Status.FAILED
        self.store.move(change_id, ended, now, frm={Status.APPLYING}, message=reason)
        return _answer(ended.value, change_id, reason)

    def verify(self, change_id: str, now: datetime, verification: int | None = None) -> Answer:
        """Compare the calls of the window that ends at the watch's next age. `verification`: which one, from 1; where
        the caller does not count, the clock tells."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        work = _Work(stored.change, dict(stored.progress))
        watch = Watch(datetime.fromisoformat(work.progress["applied_at"]), self.policy.memory.watch_minutes)
        number = watch.number(now) if verification is None else verification - 1
        if number < 0:
            return _answer("watch", change_id, wait_s=watch.wait_s(0, now))
        try:
            live = self.account.read(work.name, work.alias)
        except (NoSuchAlias, NoSuchFunction) as gone:
            return _answer("revert", change_id, str(gone))
        moved = self._moved(work, live)
        if moved:
            return _answer("revert", change_id, moved)
        comparison = self._compare(work, live, watch, number)
        health = judge(comparison, watch.looks, last=watch.is_last(number))
        if not health.healthy:
            self._record(work, unhealthy=health.reason)
            return _answer("revert", change_id, health.reason)
        if watch.is_last(number):
            return _answer("keep", change_id, health.reason)
        wait_s = watch.wait_s(number + 1, now if verification is None else watch.looked_at(number))
        return _answer("watch", change_id, health.reason, wait_s=wait_s)

    def keep(self, change_id: str, now: datetime) -> Answer:
        """The watch is over and went well: all calls get the new size."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return self._where_it_is(stored)
        work = _Work(stored.change, dict(stored.progress))
        end: memory_life.Action | provisioned_life.Action = memory_life.Done()
        if stored.change.tuner is Tuner.MEMORY and "abandoned" not in work.progress:
            end = self._until_done(work, "keep")
            if isinstance(end, memory_life.Abandon):
                self._record(work, abandoned=end.reason)
        if "abandoned" in work.progress:
            return self.revert(change_id, now)
        if isinstance(end, memory_life.Wait):
            return _answer("pending", change_id, end.reason, wait_s=_POLL_S)
        note = end.note if isinstance(end, memory_life.Done) else ""
        self._cool_down(stored.change, now)
        self.store.move(change_id, Status.KEPT, now, frm={Status.WATCHING}, message=note)
        return _answer("kept", change_id, note)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """Put back what was, because of `reason`; also for a change that was kept and is regretted."""
        stored = self.store.change(change_id)
        if stored.status in (Status.REVERTED, Status.STALE, Status.FAILED):
            return _answer("reverted", change_id, stored.message)
        back_from = {Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT}
        if not self.store.move(change_id, Status.REVERTING, now, frm=back_from, message=reason):
            return self._where_it_is(stored)
        work = _Work(stored.change, dict(stored.progress))
        end = self._until_done(work, "revert")
        if isinstance(end, memory_life.Wait):
            return _answer("pending", change_id, end.reason, wait_s=_POLL_S)
        unhealthy = str(work.progress.get("unhealthy", ""))
        notes = (reason, unhealthy, str(work.progress.get("abandoned", "")), getattr(end, "note", ""))
        said = "; ".join(filter(None, dict.fromkeys(notes)))
        if unhealthy and stored.change.tuner is Tuner.MEMORY:
            memory_mb = str(stored.change.after["memory_mb"])
            self.store.remember_taken_back(stored.change.target, Tuner.MEMORY, memory_mb, now, unhealthy)
        self._cool_down(stored.change, now)
        self.store.move(change_id, Status.REVERTED, now, frm={Status.REVERTING}, message=said)
        return _answer("reverted", change_id, said)

    # What a step does.

    def _until_done(self, work: _Work, step: str) -> memory_life.Wait | memory_life.Done | memory_life.Abandon:
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

    def _next(self, work: _Work, step: str, live: LiveFunction) -> memory_life.Action | provisioned_life.Action:
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            decide = provisioned_life.apply if step == "apply" else provisioned_life.revert
            return decide(*work.amounts, live)
        candidate = self._candidate(work)
        if step == "keep":
            if candidate is None:
                return memory_life.Abandon("the version that was tried is gone")
            return memory_life.keep(work.memory, candidate, live)
        decide_memory = memory_life.apply if step == "apply" else memory_life.revert
        return decide_memory(work.memory, work.phase, candidate, live)

    def _candidate(self, work: _Work) -> Version | None:
        if work.phase in (Phase.NEW, Phase.RESIZING):
            return None
        name = work.progress.get("version") or self.account.find_version(work.name, _description(work.change))
        if name is None:
            return None
        # A call that published may have died before it could record the version.
        self._record(work, version=name)
        try:
            return self.account.version(work.name, name)
        except NoSuchFunction:
            return None

    def _perform(
        self,
        work: _Work,
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
                    self._record(work, phase=Phase.KEEPING)
                elif step == "apply" and work.phase is Phase.NEW:
                    self._record(work, phase=Phase.RESIZING)
                self.account.set_memory(live, memory_mb)
            case memory_life.Publish():
                self._record(work, phase=Phase.PUBLISHING)
                version = self.account.publish(live, _description(work.change))
                self._record(work, version=version)
            case memory_life.Route(version, weights):
                if step == "apply":
                    self._record(work, phase=Phase.ROUTING)
                self.account.route(live, version, weights)
            case memory_life.Provision(environments):
                self._record(work, provisioning=environments)
                self.account.provision(live, environments)
            case provisioned_life.Scale(bounds):
                self._record(work, scaling=[bounds.minimum, bounds.maximum])
                self.account.scale(live, bounds)

    def _record(self, work: _Work, **facts: Any) -> None:
        wanted = {**work.progress, **facts}
        if wanted != work.progress:
            self.store.save_progress(work.change.id, wanted)
            work.progress = wanted

    def _turn_down(self, change: Change, now: datetime) -> Answer | None:
        work = _Work(change)
        before = {Status.APPLYING}
        try:
            live = self.account.read(work.name, work.alias, owners=True)
        except (NoSuchAlias, NoSuchFunction) as gone:
            self.store.move(change.id, Status.STALE, now, frm=before, message=str(gone))
            return _answer("stale", change.id, str(gone))
        stale = self._stale(work, live)
        if stale:
            self.store.move(change.id, Status.STALE, now, frm=before, message=stale)
            return _answer("stale", change.id, stale)
        refusal = obstacle(change.tuner, live) or self.recheck(change, live, now)
        if refusal is None:
            return None
        self.store.move(change.id, Status.REFUSED, now, frm=before, message=f"{refusal.rule}: {refusal.message}")
        return {**_answer("refused", change.id, refusal.message), "rule": refusal.rule}

    def _stale(self, work: _Work, live: LiveFunction) -> str:
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            now, before = provisioned_life.held(live), work.amounts[0]
            return "" if now == before else "the provisioned concurrency is not what it was when this was planned"
        plan = work.memory
        if live.alias_version != plan.version:
            return f"the alias points at version {live.alias_version}, not at {plan.version} as planned"
        if live.version.memory_mb != plan.before_mb:
            return f"the function has {live.version.memory_mb} MB, not {plan.before_mb} as planned"
        if plan.weight > 0 and live.provisioned is not None:
            return "the alias was given provisioned concurrency, which refuses a canary"
        return ""

    def _moved(self, work: _Work, live: LiveFunction) -> str:
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            same = provisioned_life.held(live) == work.amounts[1]
            return "" if same else "somebody else changed the provisioned concurrency"
        plan, candidate = work.memory, str(work.progress["version"])
        expected = (plan.version, {candidate}) if plan.weight else (candidate, set())
        if (live.alias_version, set(live.weights)) != expected:
            return "the alias was changed by a deploy"
        return ""

    def _compare(self, work: _Work, live: LiveFunction, watch: Watch, number: int) -> Comparison:
        most = self.policy.memory.max_slowdown
        start, end, evidence = watch.applied_at, watch.end(number), work.change.evidence
        if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            return self.measure.days(work.name, live.alias, start, end, most)
        most = min(most, evidence.get("max_duration_ratio", most))
        candidate, plan = str(work.progress["version"]), work.memory
        if plan.weight == 0:
            comparison = self.measure.days(work.name, live.alias, start, end, most)
        else:
            comparison = self.measure.versions(
                work.name, live.alias, plan.version, candidate, start, end, most, plan.weight
            )
        return replace(comparison, break_even=evidence.get("break_even_ratio") or math.inf)

    def _cool_down(self, change: Change, now: datetime) -> None:
        days = (
            self.policy.memory.cool_down_days
            if change.tuner is Tuner.MEMORY
            else self.policy.provisioned_concurrency.cool_down_days
        )
        self.store.cool_down(change.target, change.tuner, now + timedelta(days=days), change.id)

    def _where_it_is(self, stored: StoredChange) -> Answer:
        if stored.status is Status.WATCHING:
            watch = Watch(datetime.fromisoformat(stored.progress["applied_at"]), self.policy.memory.watch_minutes)
            return _answer("applied", stored.change.id, wait_s=watch.wait_s(0, watch.applied_at))
        outcomes = {Status.REJECTED: "refused", Status.RECOMMENDED: "refused"}
        return _answer(outcomes.get(stored.status, stored.status.value), stored.change.id, stored.message)


def _description(change: Change) -> str:
    return f"{change.after['memory_mb']} MB, {change.id}"


def _answer(outcome: str, change_id: str, message: str = "", **more: Any) -> Answer:
    return {"outcome": outcome, "change_id": change_id, **({"message": message} if message else {}), **more}
