"""Plans the capacity of a batch of functions: reads what each is and did, and proposes."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from fnmatch import fnmatchcase
from threading import BoundedSemaphore
from typing import Any

from botocore.exceptions import ClientError

from optimizer.advice import Advice, advise
from optimizer.aws import at_once
from optimizer.capacity import provisioned
from optimizer.capacity.function_facts import FunctionFacts, Proposal
from optimizer.capacity.function_lines import LineReader
from optimizer.capacity.known_lines import KNOWN_FOR
from optimizer.capacity.lambda_account import LambdaAccount, TagsUnreadable
from optimizer.capacity.live_function import LATEST, LiveFunction, NoSuchAlias, NoSuchFunction
from optimizer.capacity.propose import TUNERS, evidence_of, plan_function
from optimizer.capacity.provisioned import Amount, Demand, LocalDays, change_id_of, mark_of
from optimizer.capacity.remembered import Remembered, RememberedFunctions
from optimizer.capacity.signals import cold_start_usd, signals_of
from optimizer.core import Change, Replaced, Tuner, asked_tuners
from optimizer.function_logs import ReportLog
from optimizer.policy import (
    Policy,
    settings_of_function,
    with_overrides_named,
    without_promises,
)
from optimizer.prices import LambdaPrices
from optimizer.store import (
    Documents,
    FunctionLook,
    NoSuchDocument,
    Proposals,
    listed_event_sources,
    read_remembered,
    write_looks,
)
from optimizer.traffic import BatchHistories, environments_needed, forecast

WEEK_HOURS = 7 * 24
# Logs Insights runs 30 queries of an account at once, and people need some of them.
_QUERIES_AT_ONCE = 5
_UNREADABLE = (NoSuchAlias, NoSuchFunction, TagsUnreadable, ClientError)


@dataclass(frozen=True, slots=True)
class _Planned:
    """The proposals for one function, and the evidence for tuners that the run was not started for."""

    proposals: Sequence[Proposal]
    only_seen: dict[str, Mapping[str, Any]]
    look: FunctionLook
    remembered: Remembered | None
    advice: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Batch:
    """The facts that are known of a batch before its functions are read.

    observed, replaced: by function (ARN), the changes under observation and the sizes that were replaced."""

    asked: Collection[Tuner]
    observed: Mapping[str, str]
    replaced: Mapping[str, Replaced]
    memory: RememberedFunctions
    histories: BatchHistories


@dataclass(frozen=True, slots=True)
class CapacityPlanner:
    """Plans the batches of a run.

    rolled_back: returns the sizes of a function that were rolled back. change: returns the record of a Change, or None.
    replaced: returns the sizes that kept changes have replaced, of each function that has any.
    observed: returns the sentence about a change under observation for each of the functions that has one.
    prices: what the account pays. pinged: returns True if the application pinged a function since then.
    """

    documents: Documents
    account: LambdaAccount
    logs: ReportLog
    policy: Policy
    run_id: str
    now: datetime
    prices: LambdaPrices
    rolled_back: Callable[[str], Collection[int]] = lambda _target: ()
    change: Callable[[str], Change | None] = lambda _change_id: None
    observed: Callable[[Collection[str]], Mapping[str, str]] = lambda _targets: {}
    replaced: Callable[[Collection[str]], Mapping[str, Replaced]] = lambda _targets: {}
    pinged: Callable[[str, datetime], bool] = lambda _function_name, _since: True
    # The event sources, once they were read.
    listed: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    log_turn: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(_QUERIES_AT_ONCE))

    def plan(self, batch: str) -> Proposals:
        """Return proposals for all functions whose traffic was analysed; functions that failed before stay failed."""
        document = self.documents.read(f"runs/{self.run_id}/batches/{batch}.json")
        asked = asked_tuners(document).intersection(TUNERS)
        if not asked:
            return Proposals()
        targets = {target["function_name"]: target for target in document["functions"]}
        traffic = self.documents.read(f"runs/{self.run_id}/traffic/{batch}.json")
        result = Proposals(failed={targets[name]["function_arn"]: why for name, why in traffic["failed"].items()})
        arns = [targets[name]["function_arn"] for name in traffic["functions"]]
        observed, replaced = self.observed(arns), self.replaced(arns) if Tuner.MEMORY in asked else {}
        known = [(targets[name], document) for name, document in traffic["functions"].items()]
        memory = self._memory(batch, document, [target for target, _ in known], observed)
        histories = BatchHistories.read(self.documents, self.run_id, batch)
        around = _Batch(asked, observed, replaced, memory, histories)
        # Deciding takes time of the processor, which would only delay what is still being read.
        facts = at_once(lambda pair: self._facts(around, *pair), known)
        outcomes = at_once(lambda pair: self._one(around, *pair), list(zip(known, facts, strict=True)))
        looks, remembered = {}, {}
        for (target, _), outcome in zip(known, outcomes, strict=True):
            if isinstance(outcome, str):
                result.failed[target["function_arn"]] = outcome
                continue
            for proposal in outcome.proposals:
                result.add(proposal)
            looks[target["function_name"]] = outcome.look
            if outcome.remembered is not None:
                remembered[target["function_name"]] = outcome.remembered
            if outcome.advice:
                result.advice[target["function_arn"]] = outcome.advice
            if outcome.only_seen:
                result.evidence[target["function_arn"]] = outcome.only_seen
        # The planner of warm-ups needs the same functions next, and does not read them again.
        write_looks(self.documents, batch, self.run_id, looks, remembered)
        return result

    def _memory(
        self,
        batch: str,
        document: Mapping[str, Any],
        targets: Sequence[Mapping[str, Any]],
        observed: Collection[str],
    ) -> RememberedFunctions:
        """Return the functions that need not be read, as earlier runs read them."""
        memory = RememberedFunctions.of(read_remembered(self.documents, batch), document, self.now)
        kept = [target for target in targets if target["function_arn"] not in observed and memory.recall(target)]
        scaled = self.account.scaled((target["function_name"], target["alias"]) for target in kept) if kept else ()
        return memory.only({target["function_name"] for target in kept} - set(scaled))

    def _one(
        self,
        batch: _Batch,
        known: tuple[Mapping[str, Any], Mapping[str, Any]],
        facts: FunctionFacts | str,
    ) -> _Planned | str:
        (target, traffic), asked, memory = known, batch.asked, batch.memory
        if isinstance(facts, str):
            return facts
        proposals = self._decide(facts, target, asked)
        is_live = memory.recall(target) is None
        if any(isinstance(proposal, Change) for proposal in proposals):
            try:
                live = self._before_change(facts, target, is_live=is_live)
            except _UNREADABLE as error:
                return _failure(target["function_name"], error)
            if _deciding(live) != _deciding(facts.live):
                again = self._facts(batch, target, traffic, live)
                if isinstance(again, str):
                    return again
                facts, proposals = again, self._decide(again, target, asked)
            is_live = True
        if is_live:
            self._remember_hours(facts, proposals)
        # A change of provisioned concurrency leaves no trace in the lists.
        moves = any(isinstance(one, Change) and one.tuner is Tuner.PROVISIONED_CONCURRENCY for one in proposals)
        remembered = None if moves else memory.remember(target, facts.live, read=is_live)
        look, advice = look_of(facts, is_live=is_live), self._advice(facts, target)
        return _Planned(proposals, evidence_of(facts, asked), look, remembered, advice)

    def _decide(self, facts: FunctionFacts, target: Mapping[str, Any], asked: Collection[Tuner]) -> list[Proposal]:
        """Return the proposals for a function by its own settings, with the overrides that they are from."""
        name, tags = target["function_name"], target.get("tags") or {}
        own = settings_of_function(self.policy, name, tags)
        promises = own.memory.goal == "balanced" or own.memory.max_p95_ms is not None
        is_consumer = promises and self._nobody_waits(own, target, facts.live)
        proposals = plan_function(facts, without_promises(own) if is_consumer else own, asked)
        if is_consumer:
            proposals = [_for_nobody(one) for one in proposals]
        return [with_overrides_named(one, self.policy, name, tags) for one in proposals]

    def _advice(self, facts: FunctionFacts, target: Mapping[str, Any]) -> tuple[Advice, ...]:
        """Return the advice on a function, from what was read for its capacity."""
        if facts.signals is None:
            return ()
        name = target["function_name"]
        own = settings_of_function(self.policy, name, target.get("tags") or {})
        found = advise(name, facts.signals, self.policy.advice, lambda: self._nobody_waits(own, target, facts.live))
        goal = self.policy.advice.goal_of(name, target.get("tags") or {})
        if goal is None or facts.need is None or not self.policy.advice.has_advice(name):
            return found
        # Most policies have no goal of latency.
        from optimizer.capacity.latency_goal import advise_on_latency_goal
        from optimizer.prices import PingRates

        pings = PingRates.of(self.prices, target["function_arn"].split(":")[3], facts.live.version.architecture)
        missed = advise_on_latency_goal(facts, goal, own, facts.need, pings)
        return (*found, missed) if missed else found

    def _nobody_waits(self, policy: Policy, target: Mapping[str, Any], live: LiveFunction) -> bool:
        """Return True for a consumer of a queue or stream, as the last run of warm-ups listed them."""
        name, arn = target["function_name"], target["function_arn"]
        if any(fnmatchcase(name, one) for one in policy.warmups.include_consumers):
            return False
        sources = self._event_sources()
        return any(sources.get(f"{arn}:{qualifier}") for qualifier in (live.alias, live.alias_version))

    def _event_sources(self) -> Mapping[str, Any]:
        """Return the queues and streams by what they call, read once; empty before the first run of warm-ups."""
        if "sources" not in self.listed:
            self.listed["sources"] = listed_event_sources(self.documents) or {}
        return self.listed["sources"]

    def _before_change(self, facts: FunctionFacts, target: Mapping[str, Any], *, is_live: bool) -> LiveFunction:
        """Return the function as it is now, with who shifts traffic of its alias.

        Only who may be changed is worth these calls."""
        if not is_live:
            return self._live(target["function_name"], target["alias"], routing=True)
        return facts.live if facts.live.alias == LATEST else self.account.with_routing(facts.live)

    def _facts(
        self,
        batch: _Batch,
        target: Mapping[str, Any],
        traffic: Mapping[str, Any],
        live: LiveFunction | None = None,
    ) -> FunctionFacts | str:
        name, asked = target["function_name"], batch.asked
        policy = settings_of_function(self.policy, name, target.get("tags") or {})
        try:
            live = live or batch.memory.recall(target) or self._live(name, target["alias"], routing=False)
            stored = batch.histories.history(name)
            # What pings avoid is measured by the lines of each day; without pings, there is nothing to measure.
            is_warmed = bool(target.get("warmup_ready")) and self.pinged(name, self.now - KNOWN_FOR)
            is_measured = Tuner.MEMORY in asked or is_warmed
            rates = self.prices.of_function(target["function_arn"], live.version.architecture)
            lines = self._lines(policy).read(live, stored, traffic.get("invocations_day"), rates, is_sizing=is_measured)
        except _UNREADABLE as error:
            return _failure(name, error)
        holidays = policy.rest_days(name, target.get("tags") or {}).holidays
        is_providing = Tuner.PROVISIONED_CONCURRENCY in asked
        groups = forecast.group_sizes(stored) if is_providing else None
        days = LocalDays.of(stored.minutes, target["timezone"], holidays, groups)
        if is_providing:
            most = policy.provisioned_concurrency.max_per_function
            days = days.with_cold_starts(stored, target["timezone"], policy.warmups.keep_alive_minutes, most)
        has_goal = policy.advice.goal_of(name, target.get("tags") or {}) is not None
        cold_usd = cold_start_usd(lines.history, live, policy.warmups, rates)
        return FunctionFacts(
            run_id=self.run_id,
            target=target["function_arn"],
            live=live,
            history=lines.history,
            demand=Demand.of(stored.minutes, groups),
            calls_day=traffic.get("invocations_day"),
            need_most=(traffic.get("need") or {}).get("max"),
            scan=lines.scan,
            rates=rates,
            rolled_back=self.rolled_back(target["function_arn"]) if Tuner.MEMORY in asked else (),
            replaced=batch.replaced.get(target["function_arn"]),
            timezone=target["timezone"],
            days=days,
            cold_start_usd=cold_usd,
            level_ahead=provisioned.level_ahead(stored.hours, target["timezone"]) if is_providing else 1.0,
            holidays=holidays,
            in_place=self.change(change_id_of(live.plans[0])) if len(live.plans) == 1 else None,
            observed=batch.observed.get(target["function_arn"], ""),
            unread_hours=lines.unread_hours,
            log_scan_mb=lines.log_scan_mb,
            signals=signals_of(
                live, stored.hours, lines.whole, target["timezone"], self.prices, target["function_arn"], cold_usd
            ),
            need=environments_needed(stored.minutes) if has_goal else None,
        )

    def _lines(self, policy: Policy) -> LineReader:
        return LineReader(self.documents, self.logs, self.account, policy.memory, self.now, self.log_turn)

    def _remember_hours(self, facts: FunctionFacts, proposals: Sequence[Proposal]) -> None:
        """Store what is provisioned in each hour of the week, for runs that look at warm-ups alone.

        They also learn what is proposed now, because it may be in place when they come."""
        key, hours = f"history/capacity/{facts.live.function_name}.provisioned.json", hours_of(facts)
        for change in proposals:
            if isinstance(change, Change) and change.tuner is Tuner.PROVISIONED_CONCURRENCY:
                hours["proposed"] = _hours(Amount.of(change.after, mark_of(change.id)), facts.timezone)
        try:
            known = self.documents.read(key)
        except NoSuchDocument:
            known = None
        # Most functions have the same as yesterday, and a write costs twelve times as much as a read.
        if known != hours:
            self.documents.write(key, hours)

    def _live(self, name: str, alias: str, *, routing: bool) -> LiveFunction:
        try:
            return self.account.read(name, alias, owners=True, timetables=True, routing=routing)
        except NoSuchAlias:
            if self.account.has_aliases(name):
                raise
            return self.account.read(name, LATEST, owners=True)


def _for_nobody(proposal: Proposal) -> Proposal:
    if proposal.tuner is not Tuner.MEMORY:
        return proposal
    reason = (
        f"{proposal.reason} A queue or stream calls it, so nobody waits for it: memory.max_p95_ms and the goal "
        "balanced do not count."
    )
    return replace(proposal, reason=reason, evidence={**proposal.evidence, "nobody_waits": True})


def _deciding(live: LiveFunction) -> LiveFunction:
    """Return what decides of a function: revisions are for those who write, and differ by the way of reading."""
    return replace(live, alias_revision="", version=replace(live.version, revision=""))


def _failure(name: str, error: NoSuchAlias | NoSuchFunction | TagsUnreadable | ClientError) -> str:
    if isinstance(error, ClientError):
        failure = error.response["Error"]
        return f"{error.operation_name} of {name} failed: {failure['Code']}: {failure.get('Message', '')}"
    if isinstance(error, TagsUnreadable):
        return str(error)
    return f"{error}; memory and provisioned concurrency are only changed behind an alias"


def look_of(facts: FunctionFacts, *, is_live: bool = True) -> FunctionLook:
    """Return what the planner of warm-ups needs to know about a function."""
    version = facts.live.version
    return FunctionLook(
        facts.live.alias,
        version.memory_mb,
        version.architecture,
        version.refuses_pings,
        hours_of(facts),
        is_live,
        version.ping_advice,
        version.name,
        facts.live.reserved,
    )


def hours_of(facts: FunctionFacts) -> dict[str, Any]:
    """Return what is provisioned in each hour of the week: pings in these hours would find warm environments."""
    return _hours(facts.amount, facts.timezone)


def _hours(amount: Amount, timezone: str) -> dict[str, Any]:
    """Return the amount as warmups/already_provisioned.py reads it."""
    if amount.timetable is None:
        found: dict[str, Any] = {"timezone": timezone, "hours": [amount.always] * WEEK_HOURS}
    else:
        found = {"timezone": amount.timetable.timezone, "hours": list(amount.timetable.hours()), "plan": amount.plan}
    return found if amount.bounds is None else {**found, "scaled": True}
