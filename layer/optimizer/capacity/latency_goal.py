"""Advice on functions that miss a goal of latency: the cheapest way that keeps it, and what each way costs. Pure.

A goal is about all calls: at most one in a hundred may wait longer for INIT. Which calls would wait with so many warm
environments is modelled by the minute. An environment is warm if it was needed within the keep-alive time, or is held
by pings or provisioned concurrency. The model is scaled to the cold starts that REPORT lines show.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from optimizer.advice import Advice, Month, Subject, can_have_snap_start, month_of, snap_start_usd_month
from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.live_function import LATEST
from optimizer.capacity.provisioned import usd_month
from optimizer.core import Option, cheapest_amount, cheapest_that_keeps, figure
from optimizer.policy import LatencyGoal, Policy
from optimizer.prices import HOLD_MS, NoPrice, PingRates, aws_lambda, pings_usd
from optimizer.traffic import Floats

_ALLOWED = 0.01
# Fewer cold starts do not show how long they take.
_LEAST_INITS = 10
# AWS ends environments every few hours ("Understanding the Lambda execution environment lifecycle"); a ping then waits.
_LIFE_HOURS = 2.0
_HOURS_A_MONTH = aws_lambda.SECONDS_A_MONTH / 3600
NOTHING, PINGS, PROVISIONED, SNAP_START = "nothing", "pings", "provisioned concurrency", "SnapStart"


@dataclass(frozen=True, slots=True)
class WarmedCalls:
    """The minutes of a function's calls. need: environments that each one needs at once, NaN not known."""

    need: Floats
    keep_alive_minutes: int

    def cold_starts(self, held: int) -> float:
        """Return the environments that are started, beside so many that are always warm."""
        need = np.nan_to_num(self.need)
        padded = np.concatenate((np.full(self.keep_alive_minutes, float(held)), need[:-1]))
        before = np.lib.stride_tricks.sliding_window_view(padded, self.keep_alive_minutes).max(1)
        return float(np.maximum(need - np.maximum(before, held), 0.0).sum())


def ways_to_keep(
    facts: FunctionFacts, goal: LatencyGoal, policy: Policy, need: Floats, pings: PingRates | None
) -> dict[str, Option | None] | None:
    """Return each way at its cheapest that keeps the goal; one that cannot is as good as it gets, or None.

    None for all where too little is known. need: environments by the minute. pings: the rates of pings, None where
    their price is not known.
    """
    signals, version = facts.signals, facts.live.version
    size = facts.history.sizes.get(version.memory_mb)
    month = month_of(signals) if signals is not None else None
    if signals is None or signals.setup is None or month is None or size is None or size.inits.count < _LEAST_INITS:
        return None
    slow_now = size.cold_share * size.inits.share_above(goal.max_p99_init_ms)
    calls = WarmedCalls(need, policy.warmups.keep_alive_minutes)
    modelled = calls.cold_starts(0)

    @cache
    def slow(held: int) -> float:
        return slow_now * calls.cold_starts(held) / modelled if modelled else slow_now

    found: dict[str, Option | None] = {NOTHING: Option(0, 0.0, slow_now)}
    limits = policy.provisioned_concurrency
    if pings is not None and not version.refuses_pings and not version.snap_start:
        rates, init_ms = pings, size.inits.mean
        found[PINGS] = cheapest_amount(
            lambda held: _pings_usd(rates, version.memory_mb, held, calls.keep_alive_minutes, init_ms),
            slow,
            policy.warmups.max_environments_per_function,
            _ALLOWED,
        )
    if facts.live.alias != LATEST and not version.snap_start and not facts.unpriced(provisioned=True):
        found[PROVISIONED] = cheapest_amount(
            lambda held: _provisioned_usd(facts, month, held), slow, limits.max_per_function, _ALLOWED
        )
    if can_have_snap_start(signals.setup, version.name):
        usd = snap_start_usd_month(signals.setup, version.memory_mb, size.cold_share * month.calls)
        # The time of a restore is not known: it is taken to be what AWS documents.
        is_fast = policy.advice.snap_start_init_ms <= goal.max_p99_init_ms
        found[SNAP_START] = None if usd is None else Option(0, usd, 0.0 if is_fast else size.cold_share)
    return found


def advise_on_latency_goal(
    facts: FunctionFacts, goal: LatencyGoal, policy: Policy, need: Floats, pings: PingRates | None
) -> Advice | None:
    """Return advice where a function misses its goal; None where it keeps it or too little is known."""
    try:
        ways = ways_to_keep(facts, goal, policy, need, pings)
    except NoPrice:
        return None
    now = ways[NOTHING] if ways else None
    if ways is None or now is None or now.slow_share <= _ALLOWED:
        return None
    size = facts.history.sizes[facts.live.version.memory_mb]
    held = facts.live.provisioned is not None or bool(facts.live.plans)
    chosen = None if held else cheapest_that_keeps(ways, _ALLOWED)
    others = [_words(name, option) for name, option in ways.items() if name not in (chosen, NOTHING)]
    return Advice(
        Subject.LATENCY_GOAL,
        f"{figure(100 * now.slow_share)}% of its calls wait more than {figure(goal.max_p99_init_ms)} ms for INIT "
        f"({size.inits.count:,} cold starts of {size.calls:,} calls, {figure(size.inits.mean)} ms on average); its "
        "goal allows 1%.",
        _choice(chosen, ways, held=held),
        f"{' '.join(others)}" if others else "",
        evidence={
            "slow_share": round(now.slow_share, 6),
            "max_p99_init_ms": goal.max_p99_init_ms,
            "chosen": chosen,
            "ways": {name: _document(option) for name, option in ways.items()},
            "prices": facts.rates.words if facts.rates else "",
        },
    )


def _choice(chosen: str | None, ways: Mapping[str, Option | None], *, held: bool) -> str:
    if held:
        return (
            "It holds provisioned concurrency, which is not enough; without it, its cold starts are not known, so no "
            "way is chosen."
        )
    if chosen is None:
        return "No way that the policy allows keeps it. Raise the limits of the policy, or shorten INIT."
    return f"The cheapest way that keeps it: {_words(chosen, ways[chosen])}"


def _words(name: str, option: Option | None) -> str:
    if option is None:
        if name == SNAP_START:
            return "SnapStart: its price is not known."
        return f"{name[0].upper()}{name[1:]}: no amount that the policy allows keeps it."
    if name == SNAP_START:
        keeps = "" if option.slow_share <= _ALLOWED else ", and restores may take longer than the goal"
        return f"SnapStart: ${option.usd_month:,.2f} a month{keeps}."
    environments = f"{option.environments} environment{'' if option.environments == 1 else 's'}"
    return f"{name[0].upper()}{name[1:]} of {environments}: ${option.usd_month:,.2f} a month."


def _document(option: Option | None) -> dict[str, float] | None:
    if option is None:
        return None
    return {
        "environments": option.environments,
        "usd_month": round(option.usd_month, 6),
        "slow_share": round(option.slow_share, 6),
    }


def _pings_usd(rates: PingRates, memory_mb: int, held: int, keep_alive_minutes: int, init_ms: float) -> float:
    """Return the price of pings that hold environments at all times."""
    schedules = round(_HOURS_A_MONTH * 60 / keep_alive_minutes)
    return pings_usd(
        rates=rates,
        memory_mb=memory_mb,
        schedules=schedules,
        calls=schedules * held,
        cold_calls=held * _HOURS_A_MONTH / _LIFE_HOURS,
        hold_ms=HOLD_MS,
        init_ms=init_ms,
    )


def _provisioned_usd(facts: FunctionFacts, month: Month, held: int) -> float:
    """Return what the bill grows by if environments are provisioned at all times; below zero it falls."""
    version, rates = facts.live.version, facts.known_rates
    with_held, without = (
        usd_month(facts.demand, rates, version.memory_mb, month.mean_ms, month.calls, number, version.storage_mb)
        for number in (held, 0)
    )
    return with_held - without
