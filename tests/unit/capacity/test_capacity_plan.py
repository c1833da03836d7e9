from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer import guardrails
from optimizer.capacity.live_function import LATEST, LiveFunction, ProvisionedConfig, Scaling, Version
from optimizer.capacity.memory import model as memory_model
from optimizer.capacity.memory.belief import Belief
from optimizer.capacity.propose import FunctionFacts, memory_limits, plan_function
from optimizer.capacity.provisioned.load import Demand, worth_holding
from optimizer.core.change import Change, NoChange, Tuner
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.guardrails import memory as memory_guardrail
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
GENEROUS = ProvisionedConcurrency(max_usd_day=1e6, max_usd_month=1e6)


def version(name: str = "7", **values: Any) -> Version:
    return replace(Version(name, 1024, "code", "content", "r", settled=True, failed=False), **values)


def live(**values: Any) -> LiveFunction:
    return replace(LiveFunction("orders", "live", "7", "a", {}, version("$LATEST"), version()), **values)


def seen(
    *, calls: int = 1000, used_mb: int = 90, ms: float = 20.0, busy: float = 0.1, days: float = 7.0, **changes: Any
) -> FunctionFacts:
    lines = [
        LoggedReport(NOW - timedelta(minutes=n), "7", ReportLine("1", ms + n % 3, ms + 3, 1024, used_mb))
        for n in range(calls)
    ]
    values = FunctionFacts(
        run_id="run",
        target=ARN,
        live=live(),
        history=FunctionHistory().add(lines, NOW),
        demand=Demand(np.full(int(days * 1440), busy)),
        calls_day=busy * 86_400_000 / ms,
        need_most=max(1, round(busy * 2)),
        scan={},
    )
    return replace(values, **changes)


def memory_of(proposals: list[Change | NoChange]) -> Change | NoChange:
    return next(proposal for proposal in proposals if proposal.tuner is Tuner.MEMORY)


def provisioned_of(proposals: list[Change | NoChange]) -> Change | NoChange:
    return next(proposal for proposal in proposals if proposal.tuner is Tuner.PROVISIONED_CONCURRENCY)


def test_a_size_is_proposed_with_its_evidence_undo_and_interval() -> None:
    policy = Policy(memory=Memory(max_slowdown=3.0))
    change = memory_of(plan_function(seen(), policy))
    assert isinstance(change, Change)
    assert change.before == {"memory_mb": 1024, "version": "7"}
    assert change.undo["memory_mb"] == 1024
    assert 512 <= change.after["memory_mb"] < 1024
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.estimate < 0
    assert guardrails.recheck(change, memory_guardrail.MemoryState(1024), policy, NOW) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calls": 0}, "No REPORT line"),
        ({"calls": 10}, "200 are needed"),
        ({"live": live(weights={"8": 0.1})}, "shifting traffic"),
        ({"live": live(latest=version("$LATEST", code_sha256="new", content="new"))}, "holds code"),
        ({"live": live(latest=version("$LATEST", content="new"))}, "holds configuration"),
        ({"live": live(version=version(snap_start=True))}, "SnapStart"),
        ({"live": live(version=version(package_type="Image"))}, "container image"),
        ({"live": live(alias_version="$LATEST")}, "points at $LATEST"),
    ],
)
def test_nothing_is_proposed_without_data_or_against_an_obstacle(changes: dict[str, Any], words: str) -> None:
    proposal = memory_of(plan_function(seen(**changes), Policy(memory=Memory(max_slowdown=3.0))))
    assert isinstance(proposal, NoChange)
    assert words in proposal.reason


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        ({"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "Orders"}, "MemorySize: "),
        ({"managed-by": "terraform"}, "memory_size = "),
    ],
)
def test_what_a_template_owns_is_only_recommended_with_the_line_to_change(tags: dict[str, str], line: str) -> None:
    owned = seen(live=live(tags=tags))
    limits = Memory(max_slowdown=3.0)
    recommended = memory_of(plan_function(owned, Policy(memory=limits)))
    assert isinstance(recommended, Change)
    assert line in recommended.evidence["template_line"]
    refused = memory_of(plan_function(owned, Policy(mode=Mode.AUTO, memory=limits)))
    assert isinstance(refused, NoChange)
    assert line in refused.reason


WITHOUT_ALIAS = live(alias=LATEST, alias_version=LATEST, version=version(LATEST))


def test_a_function_without_alias_is_changed_at_once_and_only_within_what_is_expected() -> None:
    policy = Policy(memory=Memory(max_slowdown=3.0))
    change = memory_of(plan_function(seen(live=WITHOUT_ALIAS), policy))
    assert isinstance(change, Change)
    assert change.evidence["canary_weight"] == 0
    assert change.before["content"] == "content"
    assert change.evidence["duration_ratio"] <= change.evidence["max_duration_ratio"]


def test_a_function_without_alias_gets_no_provisioned_concurrency() -> None:
    proposal = provisioned_of(plan_function(seen(live=WITHOUT_ALIAS, busy=3.0), Policy()))
    assert isinstance(proposal, NoChange)
    assert "without an alias" in proposal.reason


def test_a_function_short_of_memory_gets_more() -> None:
    change = memory_of(plan_function(seen(used_mb=1000), Policy()))
    assert isinstance(change, Change)
    assert change.after["memory_mb"] >= 1000 * 1.3


def test_no_goal_of_the_policy_is_unknown() -> None:
    for goal in ("cost", "cost_guarded", "balanced"):
        assert plan_function(seen(), Policy(memory=Memory(goal=goal)))


def test_an_environment_is_held_only_if_it_is_busy_above_the_break_even() -> None:
    assert worth_holding(Demand(np.full(1440, 0.55)), "x86_64", 512, GENEROUS) == 0
    assert worth_holding(Demand(np.full(1440, 0.65)), "x86_64", 512, GENEROUS) == 1
    assert worth_holding(Demand(np.full(1440, 2.7)), "arm64", 512, GENEROUS) == 3


def test_latency_is_bought_where_the_policy_accepts_less_use() -> None:
    assert worth_holding(Demand(np.full(1440, 0.3)), "x86_64", 512, replace(GENEROUS, min_utilisation=0.2)) == 1


@pytest.mark.parametrize(
    "limits",
    [
        ProvisionedConcurrency(max_per_function=0),
        ProvisionedConcurrency(max_usd_day=0.0),
        ProvisionedConcurrency(max_usd_month=0.0),
    ],
)
def test_zero_means_none(limits: ProvisionedConcurrency) -> None:
    assert worth_holding(Demand(np.full(1440, 9.0)), "x86_64", 512, limits) == 0


def test_provisioned_concurrency_that_pays_is_proposed_with_what_it_saves() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    change = provisioned_of(plan_function(seen(busy=1.8), policy))
    assert isinstance(change, Change)
    assert change.after == {"environments": 2}
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.estimate < 0
    assert change.evidence["utilisation"] == 0.9


def test_a_scaling_target_keeps_its_say_over_the_most() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    owned = seen(busy=1.8, live=live(scaling=Scaling(1, 10)))
    change = provisioned_of(plan_function(owned, policy))
    assert isinstance(change, Change)
    assert change.before == {"environments": 10, "min": 1, "max": 10}
    assert change.after == {"environments": 10, "min": 2, "max": 10}


def test_what_was_bought_for_latency_stays_down_to_the_most_ever_needed() -> None:
    held = live(provisioned=ProvisionedConfig(9, "READY"))
    policy = Policy(memory=Memory(min_invocations=10**6))
    change = provisioned_of(plan_function(seen(busy=0.1, live=held, need_most=4), policy))
    assert isinstance(change, Change)
    assert change.after == {"environments": 4}


def test_reserved_concurrency_is_never_provisioned_to_the_last() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    proposal = provisioned_of(plan_function(seen(busy=1.8, live=live(reserved=2)), policy))
    assert isinstance(proposal, NoChange)
    assert "reserved" in proposal.reason


def test_a_function_gets_one_change_at_a_time() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(max_slowdown=3.0))
    proposals = plan_function(seen(busy=1.8), policy)
    assert sum(isinstance(proposal, Change) for proposal in proposals) == 1
    postponed = next(proposal for proposal in proposals if isinstance(proposal, NoChange))
    assert "One change of a function at a time" in postponed.reason


@given(
    used=st.integers(1, 3000),
    current=st.integers(128, 10240),
    limits=st.builds(
        Memory,
        floor_mb=st.integers(128, 4000),
        ceiling_mb=st.integers(128, 10240),
        sizes_mb=st.lists(st.integers(128, 10240), max_size=6).map(tuple),
        max_step_ratio=st.floats(1.0, 8.0),
        headroom=st.floats(1.0, 3.0),
    ),
)
def test_no_size_is_ever_considered_that_a_guardrail_forbids(used: int, current: int, limits: Memory) -> None:
    for size in memory_limits(used, current, limits):
        assert limits.floor_mb <= size <= limits.ceiling_mb
        assert size >= used * limits.headroom
        assert max(size / current, current / size) <= limits.max_step_ratio


@settings(max_examples=40, deadline=None)
@given(
    used=st.integers(20, 1024),
    ms=st.floats(1.0, 5000.0),
    goal=st.sampled_from(["cost", "cost_guarded", "balanced"]),
    slowdown=st.floats(1.0, 3.0),
    gain=st.floats(0.0, 0.5),
    step=st.floats(1.0, 4.0),
)
def test_what_is_proposed_passes_the_guardrails(
    used: int, ms: float, goal: str, slowdown: float, gain: float, step: float
) -> None:
    policy = Policy(memory=Memory(goal=goal, max_slowdown=slowdown, min_gain=gain, max_step_ratio=step))
    proposal = memory_of(plan_function(seen(used_mb=used, ms=ms, calls=300), policy))
    if isinstance(proposal, Change):
        assert guardrails.recheck(proposal, memory_guardrail.MemoryState(1024), policy, NOW) is None


def test_a_size_that_is_only_worth_a_try_says_how_likely_it_is_kept_and_to_what_it_is_held() -> None:
    change = memory_of(plan_function(seen(), Policy()))
    assert isinstance(change, Change)
    assert 0 < change.evidence["chance_kept"] < 1
    assert change.evidence["duration_ratio"] <= change.evidence["max_duration_ratio"] == Policy().memory.max_slowdown
    assert change.evidence["price_ratio"] <= 1 - Policy().memory.min_gain
    assert f"{change.evidence['chance_kept']:.0%} likely to be kept" in change.reason
    assert "kept if calls take at most" in change.reason
    usd = change.effect.usd_month
    assert usd is not None
    assert usd.low < usd.estimate < 0 == usd.high


def test_a_size_that_did_worse_is_not_proposed_again() -> None:
    first = memory_of(plan_function(seen(), Policy()))
    assert isinstance(first, Change)
    tried = first.after["memory_mb"]
    second = memory_of(plan_function(seen(taken_back={tried}), Policy()))
    assert isinstance(second, NoChange) or second.after["memory_mb"] != tried


def test_a_canary_that_would_get_too_few_calls_to_be_judged_is_not_begun() -> None:
    reason = memory_of(plan_function(seen(calls_day=10.0), Policy())).reason
    assert "are needed to judge it" in reason


def test_without_a_canary_nothing_is_tried_that_is_not_expected_to_be_within_the_limits() -> None:
    held = live(provisioned=ProvisionedConfig(1, "READY"))
    unchanged = memory_of(plan_function(seen(live=held), Policy()))
    assert isinstance(unchanged, NoChange)
    assert "is not tried" in unchanged.reason


def test_a_memory_candidate_takes_one_belief_and_one_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counter[str]()

    def count(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counted(*values: Any, **options: Any) -> Any:
            counts[name] += 1
            return original(*values, **options)

        monkeypatch.setattr(owner, name, counted)

    count(memory_model, "choose")
    count(memory_model, "believe")
    count(Belief, "sample")
    sure = replace(Policy().memory, min_chance_kept=1.0)
    assert isinstance(memory_of(plan_function(seen(), Policy(memory=sure))), NoChange)
    candidates = counts["choose"]
    assert candidates > 1
    assert counts == {"choose": candidates, "believe": candidates, "sample": candidates}
