"""Two simulated weeks of the shipped planner, guardrails and change code on forty functions that follow curves."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from local_account.closed_loop import ClosedLoop
from local_account.closed_loop_result import Result, judge_loop
from local_account.simulated_fleet import simulated_fleet
from optimizer.core.change import Status, Tuner
from optimizer.core.resources import function_name
from optimizer.lifecycle.hooks import rest_until
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency, RunLimits

pytestmark = pytest.mark.slow

BEGIN, DAYS, FUNCTIONS = datetime(2026, 11, 2, 9, tzinfo=UTC), 14, 40
# Two weeks are short: changes may follow each other sooner than the default policy lets them, and more at once.
POLICY = Policy(
    mode=Mode.AUTO,
    # Counted from when a size is applied: a day of observation is part of it.
    memory=Memory(cool_down_days=2),
    provisioned_concurrency=ProvisionedConcurrency(max_total=1000, max_usd_day=1000.0, max_usd_month=10_000.0),
    run=RunLimits(max_changes=1000, max_changes_share=1.0),
)


def played(seed: int) -> ClosedLoop:
    made = ClosedLoop(simulated_fleet(FUNCTIONS, BEGIN, DAYS, (), seed=seed), POLICY, BEGIN, most_lines=1000)
    made.run(DAYS)
    return made


@pytest.fixture(scope="module")
def loop() -> ClosedLoop:
    return played(seed=1)


@pytest.fixture(scope="module")
def result(loop: ClosedLoop) -> Result:
    return judge_loop(loop)


@pytest.mark.timeout(900)
def test_bill_falls_by_what_the_curves_allow(result: Result) -> None:
    """The bill falls by what the curves allow, less at most five points. In one fleet a single function may be a tenth
    of the bill, and whether its best size is found depends on the noise of one canary; so it is the mean of three."""
    fleets = [result, judge_loop(played(seed=2)), judge_loop(played(seed=3))]
    assert all(fleet.allowed > 0.1 and fleet.too_slow == {} for fleet in fleets)
    missed = [fleet.allowed - fleet.saved for fleet in fleets]
    assert sum(missed) / len(missed) <= 0.05
    assert max(missed) < 0.1


def test_no_function_ends_slower_than_allowed(result: Result) -> None:
    assert result.too_slow == {}


def test_every_harmful_change_is_rolled_back(result: Result) -> None:
    assert result.worse
    assert result.worse_kept == []


def test_good_changes_are_mostly_kept(result: Result) -> None:
    assert len(result.kept) > len(result.false_reverts)
    assert result.unfinished == []


def test_size_that_was_rolled_back_is_not_tried_again(loop: ClosedLoop) -> None:
    tried = Counter(
        (end.change.target, end.change.after["memory_mb"])
        for end in loop.ended
        if end.change.tuner is Tuner.MEMORY and end.status is Status.REVERTED
    )
    assert max(tried.values()) == 1


def test_functions_end_with_their_own_code_and_size(loop: ClosedLoop) -> None:
    """Each function ends at a version of its own code, with its size in $LATEST."""
    for twin in loop.twins.values():
        version = twin.versions[twin.alias["version"]]
        assert not twin.alias["weights"]
        assert version["CodeSha256"] == twin.latest["CodeSha256"] == "code-1"
        assert version["MemorySize"] == twin.latest["MemorySize"]


def test_cool_down_separates_changes_of_a_function(loop: ClosedLoop) -> None:
    """It counts from when the earlier one was applied or rolled back, less what it tolerates; observation is over."""
    earlier: dict[str, tuple[datetime, datetime]] = {}
    for end in loop.ended:
        if end.change.tuner is Tuner.MEMORY:
            name = function_name(end.change.target)
            began = datetime.strptime(end.change.run_id, "run-%Y%m%d").replace(hour=9, tzinfo=UTC)
            if name in earlier:
                applied, ended = earlier[name]
                assert began >= ended
                assert began >= rest_until(applied, POLICY.memory.cool_down_days)
            earlier[name] = began if end.status is Status.KEPT else end.at, end.at


@pytest.mark.parametrize("limit", [Memory(max_step_ratio=0.0), Memory(ceiling_mb=0), Memory(max_slowdown=0.01)])
def test_policy_without_steps_changes_no_size(limit: Memory) -> None:
    policy = replace(POLICY, memory=limit)
    loop = ClosedLoop(simulated_fleet(6, BEGIN, 1, (), seed=2), policy, BEGIN, most_lines=500)
    loop.run(1)
    assert [end for end in loop.ended if end.change.tuner is Tuner.MEMORY] == []
