"""Prices of Lambda and CloudWatch Logs, compared with the published ones and with sums of their own."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.prices import LambdaPrices, NoPrice, Rates, aws_lambda, shipped_prices

from tests.helpers.examples import examples
from tests.helpers.rates import ARM, X86, rates_of

# AWS's pricing calculator, metered units of Lambda, release 4.0.527 of @remotion/lambda-client (22 September 2026), in
# units of 10^-10 USD: requests, GB-seconds on x86_64 and arm64, of ephemeral storage, of provisioned concurrency, of
# calls on it.
CALCULATOR = """
af-south-1 2700 221000 176800 404 55300 129000
ap-east-1 2800 229200 183000 407 57153 133358
ap-northeast-1 2000 166667 133334 370 53835 125615
ap-northeast-2 2000 166667 133334 352 51254 119592
ap-northeast-3 2000 166667 133334 370 53835 125615
ap-south-1 2000 166667 133334 352 44985 104966
ap-southeast-1 2000 166667 133334 370 51991 121313
ap-southeast-2 2000 166667 133334 370 52360 122173
ap-southeast-4 2000 166667 133334 370 52360 122173
ap-southeast-5 1800 150000 120000 333 46791 109181
ca-central-1 2000 166667 133334 340 46460 108407
eu-central-1 2000 166667 133334 367 50147 117011
eu-central-2 2200 183334 146667 441 55162 128712
eu-north-1 2000 166667 133334 323 44248 103245
eu-south-1 2300 195172 156138 357 48783 113827
eu-west-1 2000 166667 133334 340 46460 108407
eu-west-2 2000 166667 133334 358 48304 112709
eu-west-3 2000 166667 133334 358 48673 113569
sa-east-1 2000 166667 133334 586 66372 154867
us-east-1 2000 166667 133334 309 41667 97222
us-east-2 2000 166667 133334 309 41667 97222
us-west-1 2000 166667 133334 370 49041 114430
us-west-2 2000 166667 133334 309 41667 97222
"""
PUBLISHED = {line.split()[0]: [int(text) for text in line.split()[1:]] for line in CALCULATOR.strip().splitlines()}
TIERS = {
    # GB-seconds a month up to which the price holds, and the price in units of 10^-10 USD; https://aws.amazon.com/lambda/pricing/
    "x86_64": [(6_000_000_000, 166667), (15_000_000_000, 150000), (None, 133334)],
    "arm64": [(7_500_000_000, 133334), (18_750_000_000, 120001), (None, 106667)],
}
UNIT = Fraction(1, 10**10)
# issue: break-even of provisioned concurrency on x86_64 by Region.
BREAK_EVEN = {
    "us-east-1": 0.60,
    "eu-north-1": 0.70,
    "ap-south-1": 0.73,
    "eu-west-1": 0.80,
    "eu-west-2": 0.90,
    "us-west-1": 0.94,
}
NEVER = ("eu-central-1", "ap-southeast-1", "ap-southeast-2", "ap-northeast-1", "ap-northeast-2", "sa-east-1")


@pytest.mark.parametrize(("architecture", "at_work", "held"), [("x86_64", 97222, 41667), ("arm64", 77778, 33334)])
def test_rates_of_us_east_1_are_the_published_ones(architecture: str, at_work: int, held: int) -> None:
    listed = shipped_prices().listed["us-east-1", architecture]
    tiers = [
        (None if tier.up_to_gb_s is None else int(tier.up_to_gb_s), Fraction(tier.gb_second_usd) / UNIT)
        for tier in listed.tiers
    ]
    assert tiers == TIERS[architecture]
    assert Fraction(rates_of(architecture).provisioned_usd or 0) == held * UNIT
    assert Fraction(rates_of(architecture).provisioned_duration_usd or 0) == at_work * UNIT
    assert rates_of(architecture).date == "2025-10-28"


@given(
    st.sampled_from(sorted(PUBLISHED)),
    st.sampled_from(("x86_64", "arm64")),
    st.integers(0, 30_000_000_000),
    st.decimals(0, Decimal("0.9"), places=3),
    st.integers(128, 10_240),
    st.integers(512, 10_240),
    st.floats(0.001, 900_000),
    st.floats(0, 10_000),
    st.integers(0, 50),
    st.integers(1, 3_000_000),
)
@settings(deadline=None, max_examples=examples(400))
def test_every_amount_is_the_sum_of_its_published_parts(
    region: str,
    architecture: str,
    used_gb_s: int,
    discount: Decimal,
    memory_mb: int,
    storage_mb: int,
    duration_ms: float,
    init_ms: float,
    environments: int,
    seconds: int,
) -> None:
    """Region x tier x architecture x discount. A Region, tier or architecture without a figure has no price."""
    request, x86, arm, storage, held, at_work = PUBLISHED[region]
    if region == "us-east-1" and architecture == "arm64":
        held, at_work = 33334, 77778
    tier = next(n for n, (end, _) in enumerate(TIERS[architecture]) if end is None or used_gb_s < end)
    prices = replace(shipped_prices().discounted(float(discount)), gb_s_month={architecture: Decimal(used_gb_s)})
    rates = prices.of_function(f"arn:aws:lambda:{region}:123456789012:function:orders", architecture)
    if tier and region != "us-east-1":
        assert rates is None
        return
    assert rates is not None
    per_gb_s = TIERS[architecture][tier][1] if tier else (x86 if architecture == "x86_64" else arm)
    paid = UNIT * (1 - Fraction(discount))
    billed = aws_lambda.billed_ms(duration_ms, init_ms)
    each_s = Fraction(memory_mb, 1024) * per_gb_s + Fraction(storage_mb - 512, 1024) * storage
    call = (Fraction(billed, 1000) * each_s + request) * paid
    assert float(aws_lambda.call_usd(rates, memory_mb, duration_ms, init_ms, storage_mb)) == pytest.approx(float(call))
    init = Fraction(init_ms) / 1000 * each_s * paid
    assert float(aws_lambda.init_usd(rates, memory_mb, init_ms, storage_mb)) == pytest.approx(float(init), abs=1e-18)
    if architecture == "arm64" and region != "us-east-1":
        with pytest.raises(NoPrice, match=f"provisioned concurrency on arm64 in {region} is not known"):
            aws_lambda.provisioned_usd(rates, memory_mb, environments, seconds)
        return
    month = Fraction(memory_mb, 1024) * environments * -(-seconds // 300) * 300 * held * paid
    assert float(aws_lambda.provisioned_usd(rates, memory_mb, environments, seconds)) == pytest.approx(float(month))
    on_it = Fraction(memory_mb, 1024) * at_work + Fraction(storage_mb - 512, 1024) * storage
    warm = (Fraction(aws_lambda.billed_ms(duration_ms), 1000) * on_it + request) * paid
    assert float(aws_lambda.provisioned_call_usd(rates, memory_mb, duration_ms, storage_mb)) == pytest.approx(
        float(warm)
    )
    pays = Fraction(held, per_gb_s - at_work) if per_gb_s > at_work else None
    assert float(aws_lambda.break_even_utilisation(rates)) == (pytest.approx(float(pays)) if pays else float("inf"))


@pytest.mark.parametrize(("region", "share"), BREAK_EVEN.items())
def test_provisioned_concurrency_breaks_even_by_region(region: str, share: float) -> None:
    assert float(aws_lambda.break_even_utilisation(rates_of(region=region))) == pytest.approx(share, abs=0.005)


@pytest.mark.parametrize("region", NEVER)
def test_provisioned_concurrency_never_pays_in_some_regions(region: str) -> None:
    assert aws_lambda.break_even_utilisation(rates_of(region=region)) > 1


@pytest.mark.parametrize("discount", [0.0, 0.12, 0.9])
def test_break_even_is_the_same_with_a_discount_on_everything(discount: float) -> None:
    rates = rates_of(prices=shipped_prices().discounted(discount))
    assert round(aws_lambda.break_even_utilisation(rates), 3) == Decimal("0.600")


@pytest.mark.parametrize("region", ["me-central-1", "us-gov-west-1", "cn-north-1", "", "nowhere"])
def test_region_without_a_figure_has_no_price(region: str) -> None:
    assert shipped_prices().rates(region, "x86_64") is None


def test_unknown_architecture_has_no_price() -> None:
    assert shipped_prices().rates("us-east-1", "riscv") is None


def test_text_that_is_no_arn_has_no_price() -> None:
    assert shipped_prices().of_function("orders", "x86_64") is None


def test_higher_tiers_raise_the_break_even() -> None:
    """Provisioned concurrency has no tiers: 0.79 in the second tier, never in the third."""
    shares = [float(aws_lambda.break_even_utilisation(in_tier(used))) for used in (0, 6_000_000_000, 15_000_000_000)]
    assert shares == pytest.approx([0.60, 0.79, 1.15], abs=0.005)


def in_tier(used_gb_s: int) -> Rates:
    return rates_of(prices=replace(shipped_prices(), gb_s_month={"x86_64": Decimal(used_gb_s)}))


def test_prices_name_region_date_source_tier_and_discount() -> None:
    assert rates_of(region="eu-central-1").words == "eu-central-1, 2026-09-22, AWS pricing calculator"
    prices = LambdaPrices(shipped_prices().listed, {"x86_64": Decimal(7_000_000_000)}, Decimal("0.12"))
    assert rates_of(prices=prices).words == "us-east-1, 2025-10-28, AWS Price List, tier 2, less 12%"


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed"),
    [(0.0, 0.0, 0), (0.01, 0.0, 1), (1.0, 0.0, 1), (1.01, 0.0, 2), (250.06, 182.21, 433), (0.1, 0.9, 1), (0.1, 0.2, 1)],
)
def test_duration_and_init_are_rounded_up_together(duration_ms: float, init_ms: float, billed: int) -> None:
    assert aws_lambda.billed_ms(duration_ms, init_ms) == billed


def test_a_call_costs_its_gb_seconds_and_the_request() -> None:
    assert aws_lambda.call_usd(X86, 1024, 1000) == Decimal("0.0000166667") + Decimal("0.0000002")
    assert aws_lambda.call_usd(ARM, 512, 1000) == Decimal("0.0000133334") / 2 + Decimal("0.0000002")


def test_init_is_on_the_bill_of_a_cold_call() -> None:
    assert aws_lambda.call_usd(X86, 1024, 800, init_ms=200) == aws_lambda.call_usd(X86, 1024, 1000)


@pytest.mark.parametrize(("seconds", "charged_s"), [(0, 0), (1, 300), (300, 300), (301, 600), (3600, 3600)])
def test_provisioned_concurrency_is_rounded_up_to_five_minutes(seconds: float, charged_s: int) -> None:
    assert aws_lambda.provisioned_usd(X86, 1024, 3, seconds) == Decimal("0.0000041667") * 3 * charged_s


def test_storage_without_a_price_is_not_taken_for_free() -> None:
    with pytest.raises(NoPrice, match="ephemeral storage"):
        aws_lambda.call_usd(replace(X86, storage_usd=None), 1024, 100, storage_mb=1024)


def test_snapstart_is_priced_where_a_source_gives_it() -> None:
    assert X86.snapshot_cache_usd == Decimal("0.0000015046")
    assert X86.snapshot_restore_usd == Decimal("0.0001397998")
    assert rates_of(region="eu-west-1").snapshot_cache_usd is None


def test_a_log_scan_costs_half_a_cent_a_gigabyte() -> None:
    assert aws_lambda.log_scan_usd(1_000_000_000) == Decimal("0.005")
