"""Prices of Lambda and CloudWatch Logs, compared with the published ones."""

from decimal import Decimal

import pytest
from optimizer.prices import aws_lambda


@pytest.mark.parametrize(
    ("architecture", "tier_usd", "edges_gb_s", "provisioned", "provisioned_duration"),
    [
        ("x86_64", ("0.0000166667", "0.000015", "0.0000133334"), (6e9, 15e9), "0.0000041667", "0.0000097222"),
        ("arm64", ("0.0000133334", "0.0000120001", "0.0000106667"), (7.5e9, 18.75e9), "0.0000033334", "0.0000077778"),
    ],
)
def test_every_rate_is_the_published_one_to_the_last_digit(
    architecture: str,
    tier_usd: tuple[str, ...],
    edges_gb_s: tuple[float, ...],
    provisioned: str,
    provisioned_duration: str,
) -> None:
    rates = aws_lambda.rates(architecture)
    assert tuple(t.gb_second_usd for t in rates.tiers) == tuple(Decimal(usd) for usd in tier_usd)
    assert tuple(t.up_to_gb_s for t in rates.tiers) == (*map(Decimal, edges_gb_s), None)
    assert rates.provisioned_usd == Decimal(provisioned)
    assert rates.provisioned_duration_usd == Decimal(provisioned_duration)


def test_a_million_requests_cost_twenty_cents() -> None:
    assert Decimal("0.20") / 1_000_000 == aws_lambda.REQUEST_USD


@pytest.mark.parametrize(
    ("duration_ms", "init_ms", "billed"),
    [(0.0, 0.0, 0), (0.01, 0.0, 1), (1.0, 0.0, 1), (1.01, 0.0, 2), (250.06, 182.21, 433), (0.1, 0.9, 1), (0.1, 0.2, 1)],
)
def test_duration_and_init_are_rounded_up_together(duration_ms: float, init_ms: float, billed: int) -> None:
    assert aws_lambda.billed_ms(duration_ms, init_ms) == billed


def test_a_call_costs_its_gb_seconds_and_the_request() -> None:
    assert aws_lambda.call_usd("x86_64", 1024, 1000) == Decimal("0.0000166667") + Decimal("0.0000002")
    assert aws_lambda.call_usd("arm64", 512, 1000) == Decimal("0.0000133334") / 2 + Decimal("0.0000002")


def test_init_is_on_the_bill_of_a_cold_call() -> None:
    cold = aws_lambda.call_usd("x86_64", 1024, 800, init_ms=200)
    assert cold == aws_lambda.call_usd("x86_64", 1024, 1000)


def test_a_call_past_a_tier_edge_costs_the_next_tier() -> None:
    per_call = aws_lambda.call_usd("x86_64", 1024, 1000, gb_s_before=Decimal(6_000_000_000))
    assert per_call == Decimal("0.000015") + Decimal("0.0000002")


@pytest.mark.parametrize(("seconds", "charged_s"), [(0, 0), (1, 300), (300, 300), (301, 600), (3600, 3600)])
def test_provisioned_concurrency_is_rounded_up_to_five_minutes(seconds: float, charged_s: int) -> None:
    assert aws_lambda.provisioned_usd("x86_64", 1024, 3, seconds) == Decimal("0.0000041667") * 3 * charged_s


def test_call_on_provisioned_concurrency_costs_less() -> None:
    assert aws_lambda.provisioned_call_usd("arm64", 1024, 1000) == Decimal("0.0000077778") + Decimal("0.0000002")


@pytest.mark.parametrize("architecture", ["x86_64", "arm64"])
def test_provisioned_concurrency_breaks_even_at_60_percent(architecture: str) -> None:
    assert round(aws_lambda.break_even_utilisation(architecture), 3) == Decimal("0.600")


def test_an_unknown_architecture_has_no_price() -> None:
    with pytest.raises(aws_lambda.UnknownArchitecture, match="riscv"):
        aws_lambda.call_usd("riscv", 128, 1)


def test_a_log_scan_costs_half_a_cent_a_gigabyte() -> None:
    assert aws_lambda.log_scan_usd(1_000_000_000) == Decimal("0.005")
