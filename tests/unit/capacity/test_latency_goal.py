"""A goal of latency: of pings, provisioned concurrency and SnapStart the cheapest that keeps it, against trying all."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optimizer.advice import Advice, Setup, Subject
from optimizer.capacity import Demand
from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.latency_goal import (
    NOTHING,
    PINGS,
    PROVISIONED,
    SNAP_START,
    advise_on_latency_goal,
    ways_to_keep,
)
from optimizer.capacity.live_function import LiveFunction, ProvisionedConfig, Version
from optimizer.function_logs import CodeHistory
from optimizer.function_logs.sketch import Sketch
from optimizer.policy import AdviceLimits, LatencyGoal, Policy, ProvisionedConcurrency, Warmups
from optimizer.prices import aws_lambda
from optimizer.traffic import Floats

from tests.helpers.advised_functions import size, steady
from tests.helpers.rates import ARM, ARM_PINGS, PRICES, X86, X86_PINGS

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
GOAL = LatencyGoal(max_p99_init_ms=200.0)
MONTH_MINUTES = 730 * 60
KEEP_ALIVE = 10
# Environments by the minute: two every quarter of an hour, so that each quarter starts cold.
QUARTERS = np.where(np.arange(1440) % 15 == 0, 2.0, 0.0)


def policy(**more: Any) -> Policy:
    limits = {"max_per_function": 10, **more}
    return Policy(
        warmups=Warmups(max_environments_per_function=10, keep_alive_minutes=KEEP_ALIVE),
        provisioned_concurrency=ProvisionedConcurrency(**limits),
        advice=AdviceLimits(latency_goals=(GOAL,)),
    )


def facts(
    cold: int = 40, init_ms: float = 900.0, busy: Floats | None = None, calls_hour: float = 500, **of: Any
) -> FunctionFacts:
    """Return a function with calls of 120 ms, of which `cold` of 1,000 are cold."""
    live_facts = {name: of.pop(name) for name in ("provisioned", "alias") if name in of}
    memory_mb = of.get("memory_mb", 512)
    usual = {"runtime": "nodejs22.x", "architecture": "x86_64", "memory_mb": memory_mb, **of}
    version = Version("12", code_sha256="c", content="c", revision="r", settled=True, failed=False, **usual)
    known = size(20, memory_mb=memory_mb, inits=Sketch().add([init_ms] * cold))
    rates = X86 if version.architecture == "x86_64" else ARM
    live = LiveFunction("orders", "live", "12", "a", {}, version, version)
    setup = Setup(version.architecture, version.runtime, rates=rates, arm_rates=ARM)
    return FunctionFacts(
        run_id="run",
        target=ARN,
        live=replace(live, **live_facts),
        history=CodeHistory({memory_mb: known}, ("12",)),
        demand=Demand(np.full(1440, 0.0167) if busy is None else busy),
        calls_day=12_000.0,
        need_most=2,
        scan={},
        rates=rates,
        signals=steady(calls_hour).signals(memory_mb=memory_mb, setup=setup),
    )


def advice_on(known: FunctionFacts, said: Policy | None = None, need: Floats = QUARTERS) -> Advice | None:
    pings = X86_PINGS if known.live.version.architecture == "x86_64" else ARM_PINGS
    return advise_on_latency_goal(known, GOAL, said or policy(), need, pings)


def test_missed_goal_names_the_cheapest_way_and_what_each_costs() -> None:
    advice = advice_on(facts())
    assert advice is not None
    assert advice.subject is Subject.LATENCY_GOAL
    assert advice.fact == (
        "4% of its calls wait more than 200 ms for INIT (40 cold starts of 1,000 calls, 900 ms on average); its goal "
        "allows 1%."
    )
    assert advice.cause.startswith("The cheapest way that keeps it: Pings of 2 environments: $0.")
    held = 2 * 0.5 * 730 * 3600 * 0.0000041667
    served = 365_000 * 0.12 * 0.5 * (0.0000166667 - 0.0000097222)
    assert advice.look_at == f"Provisioned concurrency of 2 environments: ${held - served:,.2f} a month."
    assert advice.evidence["chosen"] == PINGS


@pytest.mark.parametrize("known", [facts(cold=10), facts(init_ms=150.0), facts(cold=0)])
def test_kept_goal_is_no_advice(known: FunctionFacts) -> None:
    assert advice_on(known) is None


def test_few_cold_starts_or_an_unknown_month_are_no_advice() -> None:
    known = facts()
    assert known.signals is not None
    assert advice_on(replace(known, history=CodeHistory())) is None
    nothing = replace(known.signals, hours=known.signals.hours.window(0, 24))
    assert advice_on(replace(known, signals=nothing)) is None


def test_snap_start_of_java_is_free_and_keeps_goals_of_a_second() -> None:
    known = facts(runtime="java21", init_ms=4000.0)
    second = LatencyGoal(max_p99_init_ms=1000.0)
    advice = advise_on_latency_goal(known, second, policy(), QUARTERS, X86_PINGS)
    assert advice is not None
    assert advice.cause == "The cheapest way that keeps it: SnapStart: $0.00 a month."
    stricter = advice_on(known)
    assert stricter is not None
    assert "SnapStart: $0.00 a month, and restores may take longer than the goal." in stricter.look_at


def test_unknown_price_of_snap_start_is_said() -> None:
    known = facts(runtime="python3.13")
    assert known.signals is not None
    assert known.signals.setup is not None
    setup = replace(known.signals.setup, rates=PRICES.rates("eu-central-1", "x86_64"))
    advice = advice_on(replace(known, signals=replace(known.signals, setup=setup)))
    assert advice is not None
    assert "SnapStart: its price is not known." in advice.look_at


def test_limits_of_the_policy_bound_the_ways() -> None:
    said = replace(policy(max_per_function=1), warmups=Warmups(max_environments_per_function=1))
    advice = advice_on(facts(), said)
    assert advice is not None
    assert advice.cause.startswith("No way that the policy allows keeps it.")
    assert advice.evidence["chosen"] is None
    assert advice.look_at == (
        "Pings: no amount that the policy allows keeps it. "
        "Provisioned concurrency: no amount that the policy allows keeps it."
    )


def test_way_that_is_impossible_is_not_offered() -> None:
    found = ways_to_keep(facts(refuses_pings="no"), GOAL, policy(), QUARTERS, X86_PINGS)
    assert found is not None
    assert set(found) == {NOTHING, PROVISIONED}
    found = ways_to_keep(facts(alias="$LATEST"), GOAL, policy(), QUARTERS, X86_PINGS)
    assert found is not None
    assert set(found) == {NOTHING, PINGS}


def test_provisioned_concurrency_that_is_too_little_is_named() -> None:
    advice = advice_on(facts(provisioned=ProvisionedConfig(1, "READY")))
    assert advice is not None
    assert advice.cause.startswith("It holds provisioned concurrency, which is not enough")
    assert advice.evidence["chosen"] is None


def cold_starts(need: list[float], most: int) -> list[float]:
    """Return the environments started, minute by minute, with 0 to `most` that are always warm."""
    warm = [max(need[max(minute - KEEP_ALIVE, 0) : minute], default=0.0) for minute in range(len(need))]
    pairs = list(zip(need, warm, strict=True))
    return [sum(max(now - max(held, before), 0.0) for now, before in pairs) for held in range(most + 1)]


def test_choice_is_that_of_trying_all() -> None:
    """Every amount of every way is priced and played by itself, and the cheapest that keeps the goal is chosen."""
    chosen = Counter(choice_is_that_of_trying_all(seed) for seed in range(200))
    assert min(chosen[name] for name in (NOTHING, PINGS, PROVISIONED, SNAP_START, None)) >= 3, chosen


def choice_is_that_of_trying_all(seed: int) -> str | None:
    rng = np.random.default_rng(seed)
    arm = bool(rng.random() < 0.5)
    rates, ping_rates = (ARM, ARM_PINGS) if arm else (X86, X86_PINGS)
    memory_mb, init_ms = int(rng.choice([128, 512, 2048])), float(rng.choice([150, 600, 1500, 5000]))
    goal = LatencyGoal(max_p99_init_ms=float(rng.choice([200.0, 1000.0, 2000.0])))
    most = rng.choice([1.0, 4.0, 12.0])
    need = np.minimum(rng.poisson(rng.uniform(0.05, most), 300), 1.5 * most + 2).round()
    need *= rng.random(300) < rng.choice([0.1, 0.5, 1.0])
    if rng.random() < 0.3:
        # Busy all the time: provisioned concurrency costs less than on demand.
        need = rng.integers(1, 5) + (rng.random(300) < 0.2).astype(float)
    busy = need * rng.choice([0.05, 0.9])
    calls_month = float(busy.mean()) * 730 * 3600 / 0.12
    known = facts(
        cold=int(rng.integers(11, 200)),
        init_ms=init_ms,
        busy=busy,
        calls_hour=calls_month / 730,
        memory_mb=memory_mb,
        architecture="arm64" if arm else "x86_64",
        runtime=str(rng.choice(["nodejs22.x", "java21", "python3.13"])),
    )
    said = policy()
    ways = ways_to_keep(known, goal, said, need, ping_rates)
    advice = advise_on_latency_goal(known, goal, said, need, ping_rates)
    assert ways is not None

    share = known.history.sizes[memory_mb].cold_share
    slow = share if init_ms > goal.max_p99_init_ms else 0.0
    modelled, *left_with = cold_starts(need.tolist(), 10)
    options: list[tuple[float, str]] = [(0.0, NOTHING)] if slow <= 0.01 else []
    for held in range(1, 11):
        left = slow * left_with[held - 1] / modelled if modelled else slow
        if left > 0.01:
            continue
        options.append((pings_month(rates, memory_mb, held, init_ms), PINGS))
        options.append((provisioned_month(rates, memory_mb, held, busy, calls_month), PROVISIONED))
    runtime = known.live.version.runtime
    if runtime != "nodejs22.x" and (goal.max_p99_init_ms >= 1000 or share <= 0.01):
        cached = memory_mb / 1024 * (730 * 3600 * 0.0000015046 + calls_month * share * 0.0001397998)
        options.append((0.0 if runtime == "java21" else cached, SNAP_START))
    best = min(options, default=None)
    if slow <= 0.01:
        assert advice is None
        return NOTHING
    assert advice is not None
    chosen: str | None = advice.evidence["chosen"]
    assert chosen == (best[1] if best else None), seed
    if chosen is not None and best is not None:
        # Lambda bills whole milliseconds.
        assert advice.evidence["ways"][chosen]["usd_month"] == pytest.approx(best[0], rel=1e-3, abs=1e-4)
    return chosen


def pings_month(rates: aws_lambda.Rates, memory_mb: int, held: int, init_ms: float) -> float:
    gb = memory_mb / 1024
    second, request = float(rates.gb_second_usd), float(rates.request_usd)
    pings = MONTH_MINUTES / KEEP_ALIVE
    warmer = 0.25 * float(ARM.gb_second_usd)
    calls = pings * held * (gb * 0.2 * second + request)
    cold = held * 365
    init = cold * gb * init_ms / 1000 * second + min(cold, pings) * warmer * init_ms / 1000
    return pings * (1e-6 + warmer * 1.2 + request) + calls + init


def provisioned_month(rates: aws_lambda.Rates, memory_mb: int, held: int, busy: Floats, calls_month: float) -> float:
    assert rates.provisioned_usd is not None
    assert rates.provisioned_duration_usd is not None
    gb, cheaper = memory_mb / 1024, float(rates.gb_second_usd - rates.provisioned_duration_usd)
    share = np.minimum(busy, held).mean() / busy.mean() if busy.mean() else 0.0
    return float(gb * (held * 730 * 3600 * float(rates.provisioned_usd) - calls_month * 0.12 * share * cheaper))
