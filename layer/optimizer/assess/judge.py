"""Judges one function with the decisions that runs use, as if nothing stopped them, and names what does. Pure.

The plan is made for a function behind an alias, of an ordinary kind and without an owner. The real function's obstacles
come beside the findings: so a team sees what a change would be worth before it removes them.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeGuard
from zoneinfo import ZoneInfo

from optimizer.advice import Advice, advise
from optimizer.assess.facts import FunctionDetails, ListedFunction
from optimizer.assess.model import Finding, FunctionRow, Hindrance
from optimizer.assess.owners import owner_of
from optimizer.capacity import (
    LATEST,
    Demand,
    FunctionFacts,
    LiveFunction,
    LocalDays,
    cold_start_usd,
    level_ahead,
    obstacle,
    plan_function,
    provisioned_usd_month,
    signals_of,
)
from optimizer.core import Change, Effect, NoChange, Tuner, minute_of
from optimizer.function_logs import FunctionHistory, history_of_code
from optimizer.policy import Mode, Policy, settings_of_function
from optimizer.prices import LambdaPrices
from optimizer.report import change_phrase
from optimizer.traffic import FunctionTraffic, History, summarise
from optimizer.traffic.forecast import group_sizes
from optimizer.warmups import PingRates, WarmupFacts, learn_from_reports, propose_warmups

RUN = "assess"
# Rules of hindrances that say why a log was not read.
_UNREAD_LOG = frozenset({"data.not_scanned", "data.no_log", "data.small_bill", "data.shared_log"})


def policy_of(policy: Policy) -> Policy:
    """Return the policy of an assessment: the limits of the team's own, and every tuner only recommends."""
    return replace(
        policy,
        mode=Mode.RECOMMEND,
        warmups=replace(policy.warmups, mode=None),
        memory=replace(policy.memory, mode=None),
        provisioned_concurrency=replace(policy.provisioned_concurrency, mode=None),
    )


def listed_row(listed: ListedFunction, policy: Policy, prices: LambdaPrices) -> FunctionRow:
    """Return the row of a function that was only listed."""
    tags = policy.functions.tags
    return FunctionRow(
        name=listed.name,
        arn=listed.arn,
        memory_mb=listed.latest.memory_mb,
        architecture=listed.latest.architecture,
        runtime=listed.runtime or listed.latest.package_type.lower(),
        calls_day=listed.calls_day,
        mean_ms=listed.mean_ms,
        bill_usd_month=listed.bill_usd_month(prices),
        owner=owner_of(listed.tags),
        opted_in=all(listed.tags.get(key) == value for key, value in tags.items()),
        hindrances=tuple(_kinds(listed)),
    )


def _kinds(listed: ListedFunction) -> Iterator[Hindrance]:
    """Yield the hindrances that the bulk list shows."""
    if listed.latest.package_type == "Image":
        yield Hindrance("kind.image", "It is a container image; change its MemorySize where the image is deployed.")
    if listed.latest.snap_start:
        yield Hindrance("kind.snap_start", "SnapStart is on; it excludes provisioned concurrency.")
    if listed.latest.managed_instances:
        yield Hindrance("kind.managed_instances", "It runs on managed instances, which are priced differently.")


def judge(
    listed: ListedFunction, details: FunctionDetails, policy: Policy, prices: LambdaPrices, now: datetime
) -> FunctionRow:
    """Return the row of a function that was looked at in detail."""
    row, live = listed_row(listed, policy, prices), details.live
    rates = prices.of_function(listed.arn, live.version.architecture)
    policy = settings_of_function(policy, listed.name, listed.tags)
    proposals = _proposals(listed, details, policy, prices, now)
    findings = tuple(_finding(one, policy) for one in proposals if isinstance(one, Change))
    notes = {one.tuner.value: one.reason for one in proposals if isinstance(one, NoChange)}
    memory_mb = next((one.after["memory_mb"] for one in proposals if _sets_memory(one)), None)
    obstacles = _obstacles(listed, details, policy, memory_mb)
    hindrances = dict.fromkeys([*row.hindrances, *obstacles, *_too_little(details, policy)])
    held = live.provisioned.requested if live.provisioned else 0
    bill = row.bill_usd_month
    if bill is not None and held:
        # Environments without a known price leave the whole bill unknown.
        known = rates is not None and rates.has_provisioned
        bill = bill + provisioned_usd_month(rates, live.version.memory_mb, held) if rates and known else None
    return replace(
        row,
        memory_mb=live.version.memory_mb,
        bill_usd_month=bill,
        alias="" if live.alias == LATEST else live.alias,
        is_assessed=True,
        findings=findings,
        hindrances=_without_repeats(hindrances),
        notes=notes,
        advice=tuple((one.subject.value, one.words) for one in _advice(listed, details, policy, prices)),
    )


def _advice(
    listed: ListedFunction, details: FunctionDetails, policy: Policy, prices: LambdaPrices
) -> tuple[Advice, ...]:
    """Return the advice that a run would give."""
    live, history = details.live, details.history
    if history is None or not len(history.hours):
        return ()
    zone = ZoneInfo(policy.functions.time_zone or policy.time_zone).key
    rates = prices.of_function(listed.arn, live.version.architecture)
    worth = cold_start_usd(history_of_code(details.lines, live.version.name), live, policy.warmups, rates)
    signals = signals_of(live, history.hours, details.lines, zone, prices, listed.arn, worth)
    return advise(listed.name, signals, policy.advice)


def _proposals(
    listed: ListedFunction, details: FunctionDetails, policy: Policy, prices: LambdaPrices, now: datetime
) -> list[Change | NoChange]:
    live, history = details.live, details.history
    if history is None or live.version.managed_instances or live.version.durable:
        return []
    zone = policy.functions.time_zone or policy.time_zone
    traffic = summarise(
        history,
        function_name=listed.name,
        function_arn=listed.arn,
        alias=live.alias,
        timezone=ZoneInfo(zone).key,
        history_key="",
    )
    if live.version.snap_start or live.version.tenant_isolation:
        # Both exclude provisioned concurrency.
        policy = replace(policy, provisioned_concurrency=replace(policy.provisioned_concurrency, max_per_function=0))
    holidays = policy.rest_days(listed.name, listed.tags).holidays
    groups = group_sizes(history)
    facts = FunctionFacts(
        run_id=RUN,
        target=listed.arn,
        live=_unhindered(live, policy),
        history=history_of_code(details.lines, live.alias_version),
        demand=Demand.of(history.minutes, groups),
        calls_day=traffic.invocations_day,
        need_most=(traffic.need or {}).get("max"),
        scan={},
        rates=prices.of_function(listed.arn, live.version.architecture),
        timezone=zone,
        days=LocalDays.of(history.minutes, zone, holidays, groups),
        level_ahead=level_ahead(history.hours, zone),
        holidays=holidays,
    )
    warmups = _warmups(traffic, history, live, details.lines, policy, prices, now)
    return [*plan_function(facts, policy), *([warmups] if warmups else [])]


def _warmups(
    traffic: FunctionTraffic,
    history: History,
    live: LiveFunction,
    lines: FunctionHistory,
    policy: Policy,
    prices: LambdaPrices,
    now: datetime,
) -> Change | NoChange | None:
    if live.provisioned is not None or live.scaling is not None or live.version.tenant_isolation:
        # Pings beside provisioned concurrency are planned by a run, which knows the hours; without a tenant they fail.
        return None
    limits, memory_mb = policy.warmups, live.version.memory_mb
    # As if its handler were ready for pings; the tag is among the hindrances.
    architecture = live.version.architecture
    rates = PingRates.of(prices, traffic.function_arn.split(":")[3], architecture)
    facts = WarmupFacts(memory_mb, architecture, rates, warmup_ready=True, schedules=0, plans=())
    learnt = learn_from_reports(lines, memory_mb, limits.keep_alive_minutes)
    return propose_warmups(RUN, traffic, history, facts, limits, minute_of(now), learnt)


def _unhindered(live: LiveFunction, policy: Policy) -> LiveFunction:
    """Return the function as it would be without anything in the way."""
    version = replace(
        live.version, package_type="Zip", snap_start=False, tenant_isolation=False, settled=True, failed=False
    )
    return replace(
        live,
        held_elsewhere=(),
        alias=live.alias if live.alias != LATEST else policy.functions.alias,
        alias_version=live.alias_version if live.alias_version != LATEST else "1",
        weights={},
        latest=version,
        version=version,
        tags={},
    )


def _finding(change: Change, policy: Policy) -> Finding:
    effect: Effect = change.effect
    used_mb = float(change.evidence.get("max_memory_used_mb") or 0.0)
    safety = change.tuner is Tuner.MEMORY and change.before["memory_mb"] < used_mb * policy.memory.headroom
    return Finding(
        tuner=change.tuner.value,
        what=change_phrase(change),
        reason=change.reason,
        usd_month=effect.usd_month,
        latency_ms=effect.latency_ms,
        cold_starts_month=effect.cold_starts_month,
        safety=safety,
    )


def _sets_memory(proposal: Change | NoChange) -> TypeGuard[Change]:
    return isinstance(proposal, Change) and proposal.tuner is Tuner.MEMORY


def _obstacles(
    listed: ListedFunction, details: FunctionDetails, policy: Policy, memory_mb: int | None
) -> Iterator[Hindrance]:
    live = details.live
    found = obstacle(Tuner.MEMORY, live, memory_mb)
    if found is not None:
        yield Hindrance(found.rule, found.message)
    # An owner stands behind all other obstacles, and a team wants to know both.
    owner = obstacle(Tuner.MEMORY, replace(_unhindered(live, policy), tags=live.tags), memory_mb)
    if owner is not None:
        yield Hindrance(owner.rule, owner.message)
    if live.alias == LATEST:
        yield Hindrance(
            "alias.none",
            f"It has no alias; publish a version, name it with an alias {policy.functions.alias}, and call that.",
        )
    elif live.alias != policy.functions.alias and listed.tags.get("optimizer:alias") != live.alias:
        yield Hindrance(
            "alias.name",
            f"Its alias is {live.alias}; tag the function optimizer:alias={live.alias}.",
        )


def _too_little(details: FunctionDetails, policy: Policy) -> Iterator[Hindrance]:
    for rule, message in details.problems.items():
        yield Hindrance(rule, f"{message[:1].upper()}{message[1:]}.")
    size = details.lines.sizes.get(details.live.version.memory_mb)
    calls, needed = size.calls if size else 0, policy.memory.min_invocations
    if calls < needed and not _UNREAD_LOG & details.problems.keys():
        yield Hindrance(
            "data.few_calls",
            f"{calls} calls were seen with {details.live.version.memory_mb} MB; {needed} are needed to judge it.",
        )


def _without_repeats(hindrances: Mapping[Hindrance, None]) -> tuple[Hindrance, ...]:
    """Return one hindrance for each rule, the first of each."""
    return tuple({one.rule: one for one in reversed(list(hindrances))}.values())[::-1]
