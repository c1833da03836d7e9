"""Two simulated weeks of the shipped planner, guardrails and change code on forty functions that follow curves."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from local_account.closed_loop import ClosedLoop
from local_account.closed_loop_result import Result, judge_loop
from local_account.simulated_fleet import simulated_fleet
from optimizer.core.change import Status, Tuner, function_name
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency, RunLimits

BEGIN, DAYS, FUNCTIONS = datetime(2026, 11, 2, 9, tzinfo=UTC), 14, 40
# Two weeks are short: changes may follow each other sooner than the default policy lets them, and more at once.
POLICY = Policy(
    mode=Mode.AUTO,
    memory=Memory(cool_down_days=1),
    provisioned_concurrency=ProvisionedConcurrency(max_total=1000, max_usd_day=1000.0, max_usd_month=10_000.0),
    run=RunLimits(max_changes=1000, max_changes_share=1.0),
)


@pytest.fixture(scope="module")
def loop() -> ClosedLoop:
    made = ClosedLoop(simulated_fleet(FUNCTIONS, BEGIN, DAYS, (), seed=1), POLICY, BEGIN, most_lines=1000)
    made.run(DAYS)
    return made


@pytest.fixture(scope="module")
def result(loop: ClosedLoop) -> Result:
    return judge_loop(loop)


def test_the_bill_falls_by_what_the_curves_allow_less_at_most_five_points(result: Result) -> None:
    assert result.allowed > 0.1
    assert result.saved >= result.allowed - 0.05


def test_no_function_is_left_slower_than_the_policy_allows(result: Result) -> None:
    assert result.too_slow == {}


def test_every_change_that_made_things_worse_is_taken_back(result: Result) -> None:
    assert result.worse
    assert result.worse_kept == []


def test_good_changes_are_mostly_kept(result: Result) -> None:
    assert len(result.kept) > len(result.false_reverts)
    assert result.unfinished == []


def test_a_size_that_did_worse_is_not_tried_again(loop: ClosedLoop) -> None:
    tried = Counter(
        (end.change.target, end.change.after["memory_mb"])
        for end in loop.ended
        if end.change.tuner is Tuner.MEMORY and end.status is Status.REVERTED
    )
    assert max(tried.values()) == 1


def test_each_function_ends_at_a_version_of_its_own_code_with_its_size_in_latest(loop: ClosedLoop) -> None:
    for twin in loop.twins.values():
        version = twin.versions[twin.alias["version"]]
        assert not twin.alias["weights"]
        assert version["CodeSha256"] == twin.latest["CodeSha256"] == "code-1"
        assert version["MemorySize"] == twin.latest["MemorySize"]


def test_a_function_is_changed_again_only_after_its_cool_down(loop: ClosedLoop) -> None:
    ended: dict[str, datetime] = {}
    for end in loop.ended:
        if end.change.tuner is Tuner.MEMORY:
            name = function_name(end.change.target)
            began = datetime.strptime(end.change.run_id, "run-%Y%m%d").replace(hour=9, tzinfo=UTC)
            assert name not in ended or (began - ended[name]).total_seconds() >= 86_400
            ended[name] = end.at


@pytest.mark.parametrize("limit", [Memory(max_step_ratio=0.0), Memory(ceiling_mb=0), Memory(max_slowdown=0.01)])
def test_a_policy_that_allows_no_step_changes_no_size(limit: Memory) -> None:
    policy = replace(POLICY, memory=limit)
    loop = ClosedLoop(simulated_fleet(6, BEGIN, 1, (), seed=2), policy, BEGIN, most_lines=500)
    loop.run(1)
    assert [end for end in loop.ended if end.change.tuner is Tuner.MEMORY] == []
