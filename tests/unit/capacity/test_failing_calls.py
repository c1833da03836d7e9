"""Calls that time out or run out of memory, and the size that follows from them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer import guardrails
from optimizer.capacity.live_function import LiveFunction, ProvisionedConfig, Version
from optimizer.capacity.memory.bounds import bill
from optimizer.capacity.propose import FunctionFacts, plan_function
from optimizer.capacity.provisioned.load import Demand
from optimizer.core import Change, NoChange, Tuner
from optimizer.function_logs.code_history import CodeHistory
from optimizer.function_logs.history import SizeHistory
from optimizer.function_logs.sketch import Sketch
from optimizer.guardrails import memory as memory_guardrail
from optimizer.policy.model import Memory, Mode, Policy, RunLimits
from optimizer.prices import aws_lambda, shipped_prices

from tests.helpers.examples import examples
from tests.helpers.rates import X86

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
POLICY = Policy(
    mode=Mode.AUTO,
    memory=Memory(max_slowdown=3.0, sizes_mb=(128, 256, 512, 1024, 2048)),
    run=RunLimits(max_changes_share=1.0),
)


def size(
    mb: int, ms: float, *, calls: int = 20_000, used_mb: int = 90, spread: float = 0.1, **failed: int
) -> SizeHistory:
    """Return a size whose calls take `ms` on average; the slowest one in a hundred about 1 + 2.3 spreads of it."""
    durations = Sketch().add(ms * np.exp(np.random.default_rng(1).normal(0, spread, 4000) - spread**2 / 2))
    return SizeHistory(
        mb,
        NOW - timedelta(days=20),
        NOW,
        durations,
        calls=calls,
        max_memory_used_mb=used_mb,
        versions={"7": calls},
        **failed,
    )


def facts(*sizes: SizeHistory, timeout_s: float | None = 3.0, now_mb: int = 1024, busy: float = 2.0) -> FunctionFacts:
    version = Version("7", now_mb, "code", "content", "r", settled=True, failed=False, timeout_s=timeout_s)
    latest = replace(version, name="$LATEST")
    ms = next(one.durations.mean for one in sizes if one.memory_mb == now_mb)
    return FunctionFacts(
        run_id="run",
        target=ARN,
        live=LiveFunction("orders", "live", "7", "a", {}, latest, version),
        history=CodeHistory({one.memory_mb: one for one in sizes}, ("7",)),
        demand=Demand(np.full(7 * 1440, busy)),
        rates=X86,
        calls_day=busy * 86_400_000 / ms,
        need_most=10,
        scan={},
    )


def decide(known: FunctionFacts, policy: Policy = POLICY) -> Change | NoChange:
    (proposal,) = plan_function(known, policy, [Tuner.MEMORY])
    return proposal


def after_mb(proposal: Change | NoChange) -> int | None:
    return int(proposal.after["memory_mb"]) if isinstance(proposal, Change) else None


def test_function_without_failures_gets_a_smaller_size() -> None:
    """The other tests would say nothing if no size were tried anyway."""
    assert after_mb(decide(facts(size(1024, 100.0)))) == 512


def test_no_smaller_size_while_calls_time_out() -> None:
    found = after_mb(decide(facts(size(1024, 100.0, timeouts=40))))
    assert found is None or found > 1024


def test_single_lost_call_of_many_blocks_nothing() -> None:
    assert after_mb(decide(facts(size(1024, 100.0, calls=1_000_000, timeouts=1)))) == 512


def test_slow_calls_that_time_out_get_more_memory() -> None:
    """Half the memory took twice as long, and the slowest calls come near the Timeout: more memory helps."""
    change = decide(facts(size(512, 3600.0, timeouts=9000), size(1024, 1800.0, timeouts=600, spread=0.2)))
    assert isinstance(change, Change)
    assert change.after == {"memory_mb": 2048}
    assert change.reason.startswith("600 of 20,000 calls with 1024 MB time out after 3 s. Try 2048 MB")
    assert change.evidence["break_even_ratio"] == 0.95
    assert change.evidence["against_timeouts"]
    assert guardrails.recheck(change, memory_guardrail.MemoryState(1024), POLICY, NOW) is None


def test_calls_that_hang_get_advice_and_no_memory() -> None:
    """Calls that succeed take a thirtieth of the Timeout: the others wait for something."""
    found = decide(facts(size(1024, 100.0, timeouts=600)))
    assert isinstance(found, NoChange)
    assert found.reason.startswith("600 of 20,000 calls with 1024 MB time out after 3 s. 99% of the calls that succeed")
    assert "more memory would not help" in found.reason


def test_slow_calls_that_memory_does_not_speed_up_get_advice() -> None:
    """They took as long at half the memory: they wait, and do not compute."""
    found = decide(facts(size(512, 1805.0, timeouts=600), size(1024, 1800.0, timeouts=600, spread=0.2)))
    assert isinstance(found, NoChange)
    assert "No larger size that the policy allows is expected to make calls faster" in found.reason
    assert "raise the Timeout" in found.reason


def test_calls_that_run_out_of_memory_get_more_with_the_reason() -> None:
    change = decide(facts(size(1024, 100.0, used_mb=1024, errors=50, out_of_memory=50)))
    assert isinstance(change, Change)
    assert change.after["memory_mb"] == 2048
    assert change.reason.startswith("50 of 20,000 calls ran out of memory: 1024 MB is below the required")


def test_code_that_fills_every_size_gets_advice() -> None:
    sizes = [size(mb, 100.0, used_mb=mb, errors=9, out_of_memory=9) for mb in (256, 512, 1024)]
    found = decide(facts(*sizes))
    assert isinstance(found, NoChange)
    assert found.reason.startswith("Calls run out of memory at every size that was tried (256, 512, 1024 MB)")
    assert "leak" in found.reason


NEEDED = {
    "timeouts": (size(512, 3600.0, timeouts=9000), size(1024, 1800.0, timeouts=600, spread=0.2)),
    "out of memory": (size(1024, 100.0, used_mb=1024, errors=50, out_of_memory=50),),
    "near the limit": (size(1024, 100.0, used_mb=1000),),
}
UNPRICED = "The price of Lambda on x86_64 in me-central-1 is not known, so the effect on the bill is not known."


def without_price(known: FunctionFacts) -> FunctionFacts:
    return replace(known, target=ARN.replace("eu-west-1", "me-central-1"), rates=None)


@pytest.mark.parametrize("cause", NEEDED)
def test_needed_memory_is_proposed_without_a_price(cause: str) -> None:
    """The same size as with a price; the money is not known, and the reason says why."""
    with_price, change = decide(facts(*NEEDED[cause])), decide(without_price(facts(*NEEDED[cause])))
    assert isinstance(change, Change)
    assert after_mb(change) == after_mb(with_price) == 2048
    assert change.effect.usd_month is None
    assert change.evidence["price_ratio"] is None
    assert change.evidence["gain_usd_month"] is None
    assert change.reason.endswith(UNPRICED)
    assert "prices" not in change.evidence


@pytest.mark.parametrize("cause", NEEDED)
@pytest.mark.parametrize(
    ("mode", "unpriced_mode", "max_usd_month", "decision"),
    [
        (Mode.AUTO, Mode.AUTO, 20.0, guardrails.Decision.AUTOMATIC),
        (Mode.AUTO, Mode.APPROVE, 20.0, guardrails.Decision.ASK),
        (Mode.AUTO, Mode.RECOMMEND, 20.0, guardrails.Decision.RECOMMENDED),
        (Mode.RECOMMEND, Mode.AUTO, 20.0, guardrails.Decision.RECOMMENDED),
        (Mode.AUTO, Mode.AUTO, 0.0, guardrails.Decision.RECOMMENDED),
    ],
)
def test_policy_limits_the_mode_of_needed_memory_without_a_price(
    cause: str, mode: Mode, unpriced_mode: Mode, max_usd_month: float, decision: guardrails.Decision
) -> None:
    """The budget of larger sizes cannot be checked: unpriced_mode decides, and a budget of zero only recommends."""
    memory = replace(POLICY.memory, unpriced_mode=unpriced_mode, max_usd_month=max_usd_month)
    policy = replace(POLICY, mode=mode, memory=memory)
    change = decide(without_price(facts(*NEEDED[cause])), policy)
    assert isinstance(change, Change)
    (verdict,) = guardrails.check([change], policy, guardrails.Account(1, 1000), NOW)
    assert verdict.verdict is decision
    refusal = guardrails.recheck(change, memory_guardrail.MemoryState(1024), policy, NOW)
    assert (refusal is None) == (max_usd_month > 0)


@pytest.mark.parametrize("environments", [0, 2])
def test_price_of_held_environments_alone_may_be_missing(environments: int) -> None:
    """On arm64 outside us-east-1, provisioned concurrency has no price: only what it changes is not known."""
    known = facts(*NEEDED["out of memory"])
    live = replace(known.live, provisioned=ProvisionedConfig(environments, "READY") if environments else None)
    change = decide(replace(known, live=live, rates=shipped_prices().rates("eu-west-1", "arm64")))
    assert isinstance(change, Change)
    assert after_mb(change) == 2048
    assert (change.effect.usd_month is None) == bool(environments)
    assert ("provisioned concurrency on" in change.reason) == bool(environments)


def test_memory_that_nothing_demands_is_not_proposed_without_a_price() -> None:
    found = decide(without_price(facts(size(1024, 100.0))))
    assert isinstance(found, NoChange)
    assert found.reason.endswith("is not known, so no savings are estimated.")


def test_advice_needs_no_price() -> None:
    """More memory would not help calls that hang, nor code that fills every size."""
    hang = decide(without_price(facts(size(1024, 100.0, timeouts=600))))
    leak = [size(mb, 100.0, used_mb=mb, errors=9, out_of_memory=9) for mb in (256, 512, 1024)]
    assert "more memory would not help" in hang.reason
    assert "leak" in decide(without_price(facts(*leak))).reason


@pytest.mark.parametrize(("timeout_s", "is_tried"), [(60.0, True), (None, True), (0.15, False)])
def test_timeout_bounds_the_sizes_that_are_tried(timeout_s: float | None, *, is_tried: bool) -> None:
    found = decide(facts(size(1024, 100.0), timeout_s=timeout_s))
    assert (after_mb(found) == 512) == is_tried
    if not is_tried:
        assert "near the function's Timeout of 150 ms" in found.reason


def test_guardrail_blocks_a_size_near_the_timeout() -> None:
    change = decide(facts(size(1024, 100.0), timeout_s=60.0))
    assert isinstance(change, Change)
    near = replace(change, evidence={**change.evidence, "timeout_ms": 200.0, "slowest_ms": 170.0})
    refusal = guardrails.recheck(near, memory_guardrail.MemoryState(1024), POLICY, NOW)
    assert refusal is not None
    assert refusal.rule == "memory.timeout"
    # Records of earlier versions have neither.
    old = replace(change, evidence={k: v for k, v in change.evidence.items() if k not in ("timeout_ms", "slowest_ms")})
    assert guardrails.recheck(old, memory_guardrail.MemoryState(1024), POLICY, NOW) is None


def test_bill_counts_calls_that_time_out() -> None:
    """One call in a hundred runs for thirty seconds; it costs three times as much as the 99 others."""
    fine, failing = size(1024, 100.0), size(1024, 100.0, timeouts=200)
    calls = {"calls_day": 1_000_000.0}
    without = bill(replace(facts(fine, timeout_s=30.0), **calls), 1024, 100.0, 1.0)
    with_them = bill(replace(facts(failing, timeout_s=30.0), **calls), 1024, 100.0, 1.0)
    calls_month = 1_000_000 * 365 / 12
    billed = float(aws_lambda.call_usd(X86, 1024, 100.0 * 0.99 + 300.0))
    assert with_them == pytest.approx(calls_month * billed)
    assert with_them > 3.5 * without


@settings(max_examples=examples(60), deadline=None)
@given(
    cpu_share=st.floats(0, 1),
    now_mb=st.sampled_from([256, 512, 1024]),
    lower=st.booleans(),
    slowest_share=st.floats(0.02, 1.2),
    share=st.sampled_from([0.0, 1e-7, 1e-4, 1e-2, 0.2]),
    out_of_memory=st.sampled_from([0, 0, 5]),
    used_share=st.floats(0.05, 1.0),
    goal=st.sampled_from(["cost", "cost_guarded", "balanced"]),
)
def test_failing_calls_never_get_less_memory(
    cpu_share: float,
    now_mb: int,
    slowest_share: float,
    share: float,
    out_of_memory: int,
    used_share: float,
    goal: str,
    *,
    lower: bool,
) -> None:
    """Timeouts x memory: of any curve, use and goal. slowest_share: the slowest calls as a share of the Timeout."""

    def ms(mb: int) -> float:
        return 1000.0 * (1 - cpu_share + cpu_share * 1024 / min(mb, 1769))

    calls = 1_000_000
    used_mb = now_mb if out_of_memory else int(used_share * now_mb)
    here = size(
        now_mb,
        ms(now_mb),
        calls=calls,
        used_mb=used_mb,
        timeouts=round(share * calls),
        errors=out_of_memory,
        out_of_memory=out_of_memory,
    )
    before = [size(now_mb // 2, ms(now_mb // 2), used_mb=min(used_mb, now_mb // 2))] if lower else []
    timeout_s = here.durations.quantile(0.99) / slowest_share / 1000
    policy = replace(POLICY, memory=replace(POLICY.memory, goal=goal))
    known = facts(*before, here, timeout_s=timeout_s, now_mb=now_mb)
    found = decide(known, policy)
    chosen = after_mb(found)
    if chosen is None:
        return
    if share > 1e-5 or out_of_memory:
        assert chosen > now_mb
    if chosen < now_mb:
        assert isinstance(found, Change)
        assert found.evidence["slowest_ms"] <= 0.8 * timeout_s * 1000
    if chosen > now_mb and share > 1e-5 and not out_of_memory and used_mb * 1.3 <= now_mb:
        assert slowest_share >= 0.5
        assert isinstance(found, Change)
        assert found.evidence["break_even_ratio"] == 0.95
    assert isinstance(found, Change)
    (verdict,) = guardrails.check([found], policy, guardrails.Account(1, 1000), NOW)
    assert verdict.verdict in (guardrails.Decision.AUTOMATIC, guardrails.Decision.RECOMMENDED), verdict


@given(st.dictionaries(st.sampled_from(["timeouts", "errors", "out_of_memory"]), st.integers(0, 100)))
def test_failures_of_two_histories_add_up(failed: dict[str, Any]) -> None:
    once = size(512, 10.0, **failed)
    twice = once + once
    assert (twice.timeouts, twice.errors, twice.out_of_memory) == (
        2 * once.timeouts,
        2 * once.errors,
        2 * once.out_of_memory,
    )
