"""What the policy refuses of a change of TTLs, and that nothing gets past all the rules together."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer import guardrails
from optimizer.core.change import Change, Risk, Tuner
from optimizer.guardrails.cache_ttls import CacheTtlState
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Decision
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls, Freeze, Mode, Policy, RunLimits

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
MB = 1024 * 1024
SPACES = (
    CacheNamespace("price", 5, 300, max_age_s=200),
    CacheNamespace("stock", 5, 300),
    CacheNamespace("session", 60, 3600, sliding=True),
)
CACHE = Cache("shop", 64, ("/aws/lambda/shop",), SPACES, "/shop/cache-ttls")
BEFORE = {"price": 60.0, "stock": 60.0, "session": 600.0}


def policy(**limits: Any) -> Policy:
    return Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,), **limits))


def change(
    after: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    target: str = "cache/shop",
    **evidence: Any,
) -> Change:
    seen = {"hit_ratio_before": 0.7, "hit_ratio_after": 0.8, "reads": 5000}
    known = {
        "memory_bytes_before": 10 * MB,
        "memory_bytes_after": 20 * MB,
        "namespaces": dict.fromkeys(BEFORE, seen),
        **evidence,
    }
    return Change(
        run_id="run-1",
        tuner=Tuner.CACHE_TTLS,
        action="set_ttls",
        target=target,
        before={"version": 6, "ttl_s": BEFORE if before is None else before},
        after={"version": 7, "ttl_s": {**BEFORE, "price": 100.0} if after is None else after},
        reason="More hits.",
        undo={"ttl_s": BEFORE},
        risk=Risk.LOW,
        evidence={name: value for name, value in known.items() if value is not ...},
    )


def rule_of(proposal: Change, rules: Policy) -> str:
    (verdict,) = guardrails.check([proposal], rules, Account(targets=0), NOW)
    return verdict.rule


def test_a_ttl_change_needs_no_functions_to_pass() -> None:
    """The mode decides on it although the run has checked no function."""
    for mode, decision in ((Mode.AUTO, "automatic"), (Mode.APPROVE, "ask"), (Mode.RECOMMEND, "recommended")):
        (verdict,) = guardrails.check([change()], replace(policy(), mode=mode), Account(targets=0), NOW)
        assert (verdict.verdict, verdict.rule) == (decision, "mode")


@pytest.mark.parametrize(
    ("proposal", "limits", "rule"),
    [
        (change({**BEFORE, "price": 121.0}), {}, "cache_ttls.step"),
        (change({**BEFORE, "price": 29.0}), {}, "cache_ttls.step"),
        (change({**BEFORE, "price": 61.0}), {"max_step_ratio": 1.0}, "cache_ttls.step"),
        (change({**BEFORE, "price": 210.0}, {**BEFORE, "price": 150.0}), {}, "cache_ttls.freshness"),
        (change({**BEFORE, "stock": 310.0}, {**BEFORE, "stock": 250.0}), {}, "cache_ttls.ceiling"),
        (change({**BEFORE, "stock": 4.0}, {**BEFORE, "stock": 6.0}), {}, "cache_ttls.floor"),
        (change({**BEFORE, "stock": 2.0}, {**BEFORE, "stock": 3.0}), {}, "cache_ttls.floor"),
        (change({**BEFORE, "session": 900.0}), {}, "cache_ttls.sliding"),
        (change({**BEFORE, "other": 60.0}), {}, "cache_ttls.known"),
        (change(BEFORE), {}, "cache_ttls.known"),
        (change({"price": 100.0}), {}, "cache_ttls.known"),
        (change(target="cache/else"), {}, "cache_ttls.known"),
        (change(target="shop"), {}, "evidence"),
        (change(memory_bytes_after=65 * MB), {}, "cache_ttls.memory"),
        (change(memory_bytes_after=65 * MB, memory_bytes_before=70 * MB), {}, "cache_ttls.memory"),
        (change(memory_bytes_after=...), {}, "evidence"),
        (change(namespaces=...), {}, "evidence"),
        (change(namespaces={"price": {"reads": 3}}), {}, "evidence"),
        (
            change(namespaces={"price": {"hit_ratio_before": 0, "hit_ratio_after": 1, "reads": 0}}),
            {},
            "cache_ttls.reads",
        ),
        (change({**BEFORE, "price": "100"}), {}, "evidence"),
        (change({**BEFORE, "price": 0}), {}, "evidence"),
        (change(before={"stock": 60.0}), {}, "evidence"),
        (change(), {"caches": (replace(CACHE, memory_mb=0),)}, "cache_ttls.memory"),
    ],
)
def test_each_rule_refuses_what_it_is_for(proposal: Change, limits: dict[str, Any], rule: str) -> None:
    rules = replace(policy(), cache_ttls=replace(policy().cache_ttls, **limits))
    assert rule_of(proposal, rules) == rule


def test_a_ttl_outside_its_bounds_may_move_towards_them() -> None:
    for before, after in ((900.0, 450.0), (1.0, 2.0)):
        assert rule_of(change({**BEFORE, "stock": after}, {**BEFORE, "stock": before}), policy()) == "mode"


def test_a_cache_above_its_budget_may_move_towards_it() -> None:
    shrinks = change({**BEFORE, "stock": 30.0}, memory_bytes_before=90 * MB, memory_bytes_after=80 * MB)
    assert rule_of(shrinks, policy()) == "mode"


def test_the_acting_lambda_checks_a_change_on_the_live_ttls() -> None:
    live = CacheTtlState({**BEFORE, "price": 20.0})
    refusal = guardrails.recheck(change(), live, policy(), NOW)
    assert refusal is not None
    assert refusal.rule == "cache_ttls.step"
    assert guardrails.recheck(change(), CacheTtlState(BEFORE), policy(), NOW) is None
    frozen = replace(policy(), run=RunLimits(freezes=(Freeze(NOW.date(), NOW.date()),)))
    refusal = guardrails.recheck(change(), CacheTtlState(BEFORE), frozen, NOW)
    assert refusal is not None
    assert refusal.rule == "run.freeze"


TTLS = st.fixed_dictionaries(
    {}, optional={name: st.floats(0.5, 5000) for name in ("price", "stock", "session", "other")}
)


@given(
    TTLS,
    TTLS,
    st.floats(1, 5),
    st.one_of(st.none(), st.floats(0, 200)),
    st.floats(0, 200),
    st.floats(0, 128),
)
def test_what_acts_never_passes_a_guardrail(
    before: dict[str, float], after: dict[str, float], ratio: float, used_mb: float | None, now_mb: float, budget: float
) -> None:
    memory_after = None if used_mb is None else used_mb * MB
    proposal = change(after, before, memory_bytes_after=memory_after, memory_bytes_before=now_mb * MB)
    limits = CacheTtls(caches=(replace(CACHE, memory_mb=budget),), max_step_ratio=ratio)
    rules = Policy(mode=Mode.AUTO, cache_ttls=limits)
    (verdict,) = guardrails.check([proposal], rules, Account(targets=0), NOW)
    if verdict.verdict is not Decision.AUTOMATIC:
        return
    changed = {name for name in {*before, *after} if before.get(name) != after.get(name) and name in after}
    assert changed
    assert changed <= {"price", "stock"}
    assert set(before) <= set(after)
    assert used_mb is not None
    assert used_mb <= budget or (used_mb < now_mb and all(after[n] <= before[n] for n in changed))
    for name in changed:
        assert 1 / ratio * 0.999999 <= after[name] / before[name] <= ratio * 1.000002
        high = 200 if name == "price" else 300
        assert 5 <= after[name] <= high or abs(after[name] - 100) < abs(before[name] - 100)
