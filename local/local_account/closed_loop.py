"""Run the shipped planner, guardrails and change code, day after day, on a simulated account.

Its functions follow known curves. The clock is passed in: nothing sleeps, nothing is sent anywhere.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import numpy as np
from optimizer import guardrails
from optimizer.capacity import CapacityHooks, CapacityPlanner, CapacityProgress, LambdaAccount, LiveFunction, Measure
from optimizer.capacity.provisioned import steps
from optimizer.core import Change, NoChange, Status, Tuner, function_name
from optimizer.function_logs import read_used_memory
from optimizer.guardrails import Account, Decision, Held, memory, provisioned_concurrency
from optimizer.lifecycle import Lifecycle
from optimizer.policy import Policy, settings_of_change
from optimizer.prices import LambdaPrices, NoPrice, Rates, no_price
from optimizer.store import prices_of_account
from optimizer.traffic import HOUR_METRICS, History, Series, empty_series

from local_account.fleet import TargetFunction
from local_account.lambda_metrics import LambdaMetrics
from local_account.lambda_twin import Twin, TwinClient
from local_account.memory_run_store import MemoryRunStore
from local_account.next_step import NEXT_STEP
from local_account.simulated_services import Clock, MemoryDocuments, SimulatedCloudWatch, SimulatedLog
from local_account.workload import Routing, Share, Workload

_UNRESERVED = 1000
_MOST_STEPS = 60


class NoEnd(RuntimeError):
    """A change lasted longer than any change may."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A change and its end."""

    change: Change
    status: Status
    message: str
    at: datetime


@dataclass(slots=True)
class ClosedLoop:
    """The account, with all decisions and changes so far.

    `most_lines` bounds the log lines that one scan of a function gives. Prices are those of `region`.
    """

    targets: Sequence[TargetFunction]
    policy: Policy
    begin: datetime
    most_lines: int = 2000
    region: str = "eu-west-1"
    ended: list[Ended] = field(default_factory=list)
    no_changes: list[NoChange] = field(default_factory=list)
    twins: dict[str, Twin] = field(init=False)
    clock: Clock = field(init=False)
    _routings: dict[str, list[Routing]] = field(init=False)
    _documents: MemoryDocuments = field(init=False)
    _store: MemoryRunStore = field(init=False)
    _account: LambdaAccount = field(init=False)
    _logs: Any = field(init=False)
    _cloudwatch: Any = field(init=False)
    _workloads: dict[str, Workload] = field(init=False)

    def __post_init__(self) -> None:
        self.clock = Clock(self.begin)
        self.twins = {target.name: Twin(target.name, target.memory_mb, region=self.region) for target in self.targets}
        self._routings = {}
        for target in self.targets:
            twin = self.twins[target.name]
            self._routings[target.name] = [_routing(twin, target.traffic.start)]
            twin.on_route = self._follow(twin)
        self._documents, self._store = MemoryDocuments(), MemoryRunStore()
        functions: Any = TwinClient(self.twins, "lambda")
        scaling: Any = TwinClient(self.twins, "application-autoscaling")
        self._account = LambdaAccount(functions, scaling)
        self._logs = SimulatedLog(self.targets, self._routings.__getitem__, self.most_lines)
        self._cloudwatch = SimulatedCloudWatch(LambdaMetrics(self.targets, self._routings.__getitem__), self.clock)
        self._workloads = {target.name: Workload(target) for target in self.targets}

    @property
    def prices(self) -> LambdaPrices:
        """The prices of the account."""
        return prices_of_account(self.policy)

    @property
    def rates(self) -> Rates:
        """The prices of calls here; raise NoPrice for a Region whose prices are not known."""
        rates = self.prices.rates(self.region, "x86_64")
        if rates is None:
            raise NoPrice(no_price(self.region, "x86_64"))
        return rates

    def run(self, days: int, progress: Callable[[int], None] = lambda _day: None) -> None:
        """Make one plan a day, and play the life of every change in it."""
        for day in range(days):
            self.one_day(self.begin + timedelta(days=day))
            progress(day + 1)

    def one_day(self, now: datetime) -> None:
        """Plan, check, and live the changes through; each modifies a different function, so they do not interfere."""
        self.clock.now = now
        run_id = f"run-{now:%Y%m%d}"
        self._observe(run_id, now)
        planner = CapacityPlanner(
            self._documents,
            self._account,
            self._logs,
            self.policy,
            run_id,
            now,
            self.prices,
            self._taken_back(now),
        )
        proposals = planner.plan("0000")
        self.no_changes += proposals.no_changes
        changes = proposals.changes
        account = Account(
            targets=len(self.targets),
            unreserved_concurrency=_UNRESERVED,
            cool_downs={
                (change.target, change.tuner): until
                for change in changes
                for until in self._store.cool_downs([change.target], change.tuner).values()
            },
            held={
                item.target: Held(int(item.evidence["environments"]), float(item.evidence["usd_month"]))
                for item in proposals.no_changes
                if item.tuner is Tuner.PROVISIONED_CONCURRENCY and item.evidence.get("environments")
            },
        )
        for change, verdict in zip(changes, guardrails.check(changes, self.policy, account, now), strict=True):
            if verdict.verdict in (Decision.AUTOMATIC, Decision.ASK):
                self.live_through(change, now)
            else:
                why = f"{verdict.rule}: {verdict.message}"
                self.no_changes.append(NoChange(run_id, change.tuner, change.target, why))

    def live_through(self, change: Change, now: datetime) -> None:
        """Follow change.asl.json, with the clock put forward instead of waiting."""
        self._store.record_change(change, Status.APPROVED, now)
        step, verification, self.clock.now = "apply", 0, now
        for _ in range(_MOST_STEPS):
            life = self._life(change)
            if step == "verify":
                verification += 1
                answer = life.verify(change.id, self.clock.now, verification)
            else:
                answer = getattr(life, step)(change.id, self.clock.now)
            self.clock.now += timedelta(seconds=answer.get("wait_s", 0))
            following = NEXT_STEP.get((step, answer["outcome"]))
            if following is None:
                stored = self._store.change(change.id)
                self.ended.append(Ended(change, stored.status, stored.message, self.clock.now))
                return
            step = following
        raise NoEnd(f"{change.id} of {change.target}: {step} again and again")

    def _life(self, change: Change) -> Lifecycle[CapacityProgress]:
        store: Any = self._store
        hooks = CapacityHooks(
            account=self._account,
            policy=settings_of_change(self.policy, change),
            recheck=self._recheck,
            measure=Measure(self._cloudwatch),
            used_memory=partial(read_used_memory, self._logs),
            sleep=lambda _seconds: None,
            remaining_ms=lambda: 300_000.0,
        )
        return Lifecycle(store, hooks)

    def _recheck(self, change: Change, live: LiveFunction, now: datetime) -> guardrails.Refusal | None:
        if change.tuner is Tuner.MEMORY:
            return guardrails.recheck(change, memory.MemoryState(live.version.memory_mb), self.policy, now)
        held = steps.held(live).environments
        state = provisioned_concurrency.ProvisionedState(held, _UNRESERVED, live.reserved)
        return guardrails.recheck(change, state, self.policy, now)

    def _taken_back(self, now: datetime) -> Callable[[str], Collection[int]]:
        return lambda target: {int(mb) for mb in self._store.taken_back(target, Tuner.MEMORY, now)}

    def _follow(self, twin: Twin) -> Callable[[], None]:
        return lambda: self._routings[twin.name].append(_routing(twin, self.clock.now))

    def _observe(self, run_id: str, now: datetime) -> None:
        """Return the documents that analyze_traffic would have written."""
        batch, traffic = [], {}
        for target in self.targets:
            twin = self.twins[target.name]
            series, need_most = self._minutes(target, now)
            calls = series.values["invocations"]
            document = {
                "function_name": target.name,
                "function_arn": twin.arn,
                "alias": target.alias,
                "timezone": "UTC",
            }
            batch.append(document)
            traffic[target.name] = {
                **document,
                "invocations_day": float(calls.mean() * 1440) if len(calls) else None,
                "need": {"max": need_most},
            }
            history = History(series, empty_series(HOUR_METRICS)).to_bytes()
            self._documents.write_bytes(f"history/{target.name}.npz", history, "application/octet-stream")
        self._documents.write(f"runs/{run_id}/batches/0000.json", {"functions": batch})
        self._documents.write(f"runs/{run_id}/traffic/0000.json", {"functions": traffic, "failed": {}})

    def _minutes(self, target: TargetFunction, now: datetime) -> tuple[Series, int]:
        # A function may be younger than the period that is read.
        first = max(0, target.traffic.index(now - timedelta(days=7)))
        start = target.traffic.start + timedelta(minutes=first)
        length = max(0, target.traffic.index(now) - first)
        calls, busy_ms, most = np.zeros(length), np.zeros(length), np.zeros(length)
        for part in self._workloads[target.name].parts(self._routings[target.name], start, now):
            place = slice(part.first - first, part.first - first + len(part.invocations))
            calls[place] += part.invocations
            busy_ms[place] += part.invocations * part.duration_ms
            most[place] += part.concurrency
        mean = np.divide(busy_ms, calls, out=np.full(length, np.nan), where=calls > 0)
        values = {"invocations": calls, "duration_ms": mean, "concurrency": most}
        return Series(int(start.timestamp()) // 60, values), int(most.max(initial=0))


def _routing(twin: Twin, since: datetime) -> Routing:
    weights: Mapping[str, float] = twin.alias["weights"]
    shares = [(twin.alias["version"], 1.0 - sum(weights.values())), *weights.items()]
    return Routing(
        since,
        tuple(Share(version, share, int(twin.versions[version]["MemorySize"])) for version, share in shares),
        twin.provisioned["requested"] if twin.provisioned else 0,
    )


def target_of(change: Change, targets: Sequence[TargetFunction]) -> TargetFunction:
    """Return the function that a change modifies."""
    return next(target for target in targets if target.name == function_name(change.target))
