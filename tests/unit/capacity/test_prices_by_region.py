"""Decisions at the prices of the function's Region; without a price, nothing is claimed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from optimizer import guardrails
from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.live_function import LiveFunction, ProvisionedConfig, Version
from optimizer.capacity.propose import plan_function
from optimizer.capacity.provisioned.load import Demand
from optimizer.core.change import Change, NoChange, Tuner
from optimizer.function_logs.code_history import history_of_code
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Decision
from optimizer.policy.model import Mode, Policy, ProvisionedConcurrency
from optimizer.prices import Rates, prices_used, shipped_prices

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
AUTO = Policy(mode=Mode.AUTO, provisioned_concurrency=ProvisionedConcurrency(max_per_function=1))
BUSY = 0.75
SECONDS = 730 * 3600
# USD for a million GB-seconds on x86: on demand, provisioned and idle, provisioned and at work (case F08).
PUBLISHED = {
    "us-east-1": (16.6667, 4.1667, 9.7222),
    "eu-north-1": (16.6667, 4.4248, 10.3245),
    "ap-south-1": (16.6667, 4.4985, 10.4966),
    "eu-west-1": (16.6667, 4.6460, 10.8407),
    "eu-central-1": (16.6667, 5.0147, 11.7011),
    "ap-northeast-1": (16.6667, 5.3835, 12.5615),
    "sa-east-1": (16.6667, 6.6372, 15.4867),
}


def facts(region: str, rates: Rates | None, *, architecture: str = "x86_64", held: int = 0) -> FunctionFacts:
    """One environment of 1 GB, busy 75 % of the time, in calls of 100 ms."""
    version = Version("7", 1024, "code", "content", "r", settled=True, failed=False, architecture=architecture)
    lines = [
        LoggedReport(NOW - timedelta(minutes=n), "7", ReportLine("1", 100.0 + n % 3, 103, 1024, 90))
        for n in range(1000)
    ]
    return FunctionFacts(
        run_id="run",
        target=f"arn:aws:lambda:{region}:123456789012:function:orders",
        live=LiveFunction(
            "orders",
            "live",
            "7",
            "a",
            {},
            replace(version, name="$LATEST"),
            version,
            provisioned=ProvisionedConfig(held, "READY") if held else None,
        ),
        history=history_of_code(FunctionHistory().add(lines, NOW), "7"),
        demand=Demand(np.full(14 * 1440, BUSY)),
        calls_day=BUSY * 86_400_000 / 100,
        need_most=1,
        scan={},
        rates=rates,
    )


def provisioned(found: FunctionFacts, policy: Policy = AUTO) -> Change | NoChange:
    (proposal,) = plan_function(found, policy, [Tuner.PROVISIONED_CONCURRENCY])
    return proposal


def decision(change: Change, policy: Policy = AUTO) -> Decision:
    account = Account(targets=9, unreserved_concurrency=1000)
    (verdict,) = guardrails.check([change], policy, account, NOW)
    return verdict.verdict


@pytest.mark.parametrize("region", PUBLISHED)
def test_claimed_savings_are_true_at_the_prices_of_the_region(region: str) -> None:
    """F08: -2.74 USD a month were claimed in each of these Regions; that is true in us-east-1 alone."""
    demand, held, at_work = PUBLISHED[region]
    real = (held * SECONDS + BUSY * SECONDS * (at_work - demand)) * 1e-6
    proposal = provisioned(facts(region, shipped_prices().rates(region, "x86_64")))
    if real >= 0:
        assert isinstance(proposal, NoChange)
        return
    assert isinstance(proposal, Change)
    assert proposal.effect.usd_month is not None
    assert proposal.effect.usd_month.estimate == pytest.approx(real, abs=0.2)
    assert decision(proposal) is Decision.AUTOMATIC
    assert prices_used([proposal.evidence])[0].startswith(f"{region}, 202")


def test_reason_tells_where_environments_never_pay() -> None:
    proposal = provisioned(facts("eu-central-1", shipped_prices().rates("eu-central-1", "x86_64")))
    assert "in eu-central-1 they never cost less than on demand" in proposal.reason


def test_policy_may_buy_latency_where_nothing_is_saved() -> None:
    """The bill grows by what the proposal says, at the Region's prices."""
    limits = replace(AUTO.provisioned_concurrency, min_utilisation=0.6)
    policy = replace(AUTO, provisioned_concurrency=limits)
    proposal = provisioned(facts("eu-central-1", shipped_prices().rates("eu-central-1", "x86_64")), policy)
    assert isinstance(proposal, Change)
    assert proposal.effect.usd_month is not None
    assert proposal.effect.usd_month.estimate == pytest.approx(3.39, abs=0.2)
    assert decision(proposal, policy) is Decision.AUTOMATIC


@pytest.mark.parametrize("tuner", [Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY])
def test_no_price_no_claim(tuner: Tuner) -> None:
    (proposal,) = plan_function(facts("me-central-1", None), AUTO, [tuner])
    assert isinstance(proposal, NoChange)
    assert proposal.reason == (
        "The price of Lambda on x86_64 in me-central-1 is not known, so no savings are estimated."
    )


def test_provisioned_concurrency_on_arm_has_no_price_outside_us_east_1() -> None:
    found = facts("eu-west-1", shipped_prices().rates("eu-west-1", "arm64"), architecture="arm64")
    proposal = provisioned(found)
    assert isinstance(proposal, NoChange)
    assert "provisioned concurrency on arm64 in eu-west-1 is not known" in proposal.reason
    memory = plan_function(found, AUTO, [Tuner.MEMORY])[0]
    assert "is not known, so nothing" not in memory.reason


def test_held_environments_without_a_price_have_an_unknown_bill() -> None:
    """Their cost is not zero, and a memory size that changes it is not proposed."""
    found = facts("eu-west-1", shipped_prices().rates("eu-west-1", "arm64"), architecture="arm64", held=2)
    held, memory = provisioned(found), plan_function(found, AUTO, [Tuner.MEMORY])[0]
    assert held.evidence["usd_month"] is None
    assert isinstance(memory, NoChange)
    assert "provisioned concurrency on arm64" in memory.reason


@pytest.mark.parametrize("discount", [0.12, 0.5])
def test_discount_counts_in_claims(discount: float) -> None:
    """F50: a private price or a Savings Plan takes its share of every amount."""
    full, less = (
        plan_function(facts("us-east-1", prices.rates("us-east-1", "x86_64")), AUTO)
        for prices in (shipped_prices(), shipped_prices().discounted(discount))
    )
    for before, after in zip(full, less, strict=True):
        assert isinstance(before, Change)
        assert isinstance(after, Change)
        assert before.effect.usd_month is not None
        assert after.effect.usd_month is not None
        assert after.effect.usd_month.estimate == pytest.approx(
            before.effect.usd_month.estimate * (1 - discount), rel=0.05
        )
        assert prices_used([after.evidence])[0].endswith(f"less {discount:.0%}")


def test_higher_tier_needs_more_use() -> None:
    """In the second tier of x86_64 the break-even is 0.79, so 75 % of the time is not enough."""
    prices = replace(shipped_prices(), gb_s_month={"x86_64": 7_000_000_000})
    assert isinstance(provisioned(facts("us-east-1", prices.rates("us-east-1", "x86_64"))), NoChange)


def test_evidence_of_other_prices_is_planned_again() -> None:
    """A change that an older version proposed names no prices of its Region."""
    change = provisioned(facts("us-east-1", shipped_prices().rates("us-east-1", "x86_64")))
    assert isinstance(change, Change)
    old = replace(change, evidence={name: each for name, each in change.evidence.items() if name != "prices"})
    assert decision(old) is Decision.REFUSED
