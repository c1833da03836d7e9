"""Advice on arm64 and SnapStart: the gain by an independent sum, and none where it is impossible or not worth it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from optimizer.advice import Advice, Setup, Subject, advise
from optimizer.advice.runtimes import supports_arm64, supports_snap_start
from optimizer.function_logs.sketch import Sketch
from optimizer.policy import AdviceLimits

from tests.helpers.advised_functions import AdvisedFunction, deployed, steady
from tests.helpers.rates import ARM, PRICES, X86

HOURS_A_MONTH = 730


def setup(**more: Any) -> Setup:
    usual = {"architecture": "x86_64", "runtime": "python3.13", "rates": X86, "arm_rates": ARM}
    return Setup(**{**usual, "cold_start_usd": 0.002, **more})  # type: ignore[arg-type]


def advice_on(function: AdvisedFunction, limits: AdviceLimits | None = None, **more: Any) -> list[Advice]:
    return list(advise("orders", function.signals(setup=setup(**more)), limits or AdviceLimits()))


def busy() -> AdvisedFunction:
    """Return a function that costs about 51 dollars a month: 36.5 million calls of 168 ms at 512 MB."""
    return steady(calls_hour=50_000, error_share=0.0, duration_ms=168.0)


def test_arm64_costs_less_by_the_price_table() -> None:
    (advice,) = advice_on(busy())
    gb_s = 50_000 * HOURS_A_MONTH * 0.168 * 0.5
    assert advice.subject is Subject.ARM64
    assert advice.evidence["usd_month_x86_64"] == pytest.approx(gb_s * 0.0000166667)
    assert advice.evidence["usd_month_arm64"] == pytest.approx(gb_s * 0.0000133334)
    assert advice.evidence["usd_month"] == pytest.approx(-gb_s * 0.0000033333)
    assert advice.evidence["break_even_ratio"] == pytest.approx(1.25, abs=1e-4)
    assert "saves about $10.22 a month" in advice.fact
    assert "Not known: its duration on arm64. It costs less up to 1.25 times" in advice.cause
    assert advice.evidence["prices"] == (
        "us-east-1, 2025-10-28, AWS Price List; arm64: us-east-1, 2025-10-28, AWS Price List"
    )


def test_arm64_of_an_image_needs_another_image() -> None:
    (advice,) = advice_on(busy(), package_type="Image", runtime="")
    assert "its image can be built for arm64" in advice.look_at


def test_provisioned_concurrency_is_not_counted_and_said() -> None:
    (advice,) = advice_on(busy(), holds_provisioned=True)
    assert "Its provisioned concurrency is not counted." in advice.fact


@pytest.mark.parametrize(
    "more",
    [
        {"architecture": "arm64", "rates": ARM},
        {"runtime": "python3.7"},
        {"runtime": ""},
        {"rates": None},
        {"arm_rates": None},
        {"arm_rates": replace(ARM, gb_second_usd=X86.gb_second_usd)},
    ],
)
def test_arm64_is_no_advice_where_it_gains_nothing(more: dict[str, Any]) -> None:
    assert advice_on(busy(), **more) == []


def test_small_savings_on_arm64_are_no_advice() -> None:
    assert advice_on(steady(error_share=0.0)) == []
    assert advice_on(busy(), AdviceLimits(arm64_savings_usd_month=11.0)) == []


def test_week_must_be_known_before_a_month_is_told() -> None:
    function = busy()
    function.calls[: -6 * 24] = np.nan
    assert advice_on(function) == []


def cold(init_ms: float = 3000.0, share: float = 0.01, **more: Any) -> AdvisedFunction:
    """Return a function with 365,000 calls a month, on arm64 by its setup. share: of cold starts."""
    function = steady(error_share=0.0)
    inits = Sketch().add([init_ms] * round(1000 * share))
    function.lines = deployed({"12": 35}, inits=inits, **more)
    return function


def of_snap_start(function: AdvisedFunction, **more: Any) -> list[Advice]:
    return advice_on(function, **{"architecture": "arm64", "rates": ARM, **more})


def test_snap_start_is_worth_its_price() -> None:
    (advice,) = of_snap_start(cold())
    cold_month = 365_000 * 0.01
    assert advice.subject is Subject.SNAP_START
    assert advice.evidence["init_ms"] == pytest.approx(3000)
    assert advice.evidence["cold_starts_month"] == pytest.approx(cold_month)
    assert advice.evidence["latency_ms"] == pytest.approx(-2000)
    cached, restored = 0.5 * 730 * 3600 * 0.0000015046, 0.5 * cold_month * 0.0001397998
    assert advice.evidence["usd_month_snap_start"] == pytest.approx(cached + restored)
    assert advice.evidence["usd_month_init"] == pytest.approx(cold_month * 3 * 0.5 * 0.0000133334, abs=1e-6)
    assert "It costs about $2.23 a month for one version. INIT alone costs $0.07 a month now." in advice.fact
    assert "Not known: how long its restores take" in advice.cause


def test_snap_start_of_java_costs_nothing() -> None:
    (advice,) = of_snap_start(cold(), runtime="java21", cold_start_usd=0.0)
    assert advice.evidence["usd_month_snap_start"] == 0
    assert "For Java it costs nothing." in advice.fact


def test_unknown_price_of_snap_start_is_said() -> None:
    (advice,) = of_snap_start(cold(), rates=PRICES.rates("eu-central-1", "arm64"))
    assert advice.evidence["usd_month_snap_start"] is None
    assert "What SnapStart costs in this Region is not known." in advice.fact


@pytest.mark.parametrize(
    "more",
    [
        {"cold_start_usd": 0.0005},
        {"runtime": "python3.11"},
        {"runtime": "nodejs22.x"},
        {"package_type": "Image", "runtime": ""},
        {"storage_mb": 1024},
        {"has_file_system": True},
        {"holds_provisioned": True},
        {"snap_start": True},
    ],
)
def test_snap_start_is_no_advice_where_it_cannot_be_or_costs_more(more: dict[str, Any]) -> None:
    assert of_snap_start(cold(), **more) == []


@pytest.mark.parametrize("function", [cold(900.0), cold(share=0.005)], ids=["short", "seldom measured"])
def test_short_or_rare_cold_starts_are_no_advice(function: AdvisedFunction) -> None:
    assert of_snap_start(function) == []


def test_latest_has_no_snap_start() -> None:
    function = cold()
    function.lines = replace(function.lines, by_version={"$LATEST": function.lines.by_version["12"]})
    signals = function.signals(setup=setup(architecture="arm64", rates=ARM), version="$LATEST")
    assert advise("orders", signals, AdviceLimits()) == ()


@pytest.mark.parametrize(
    ("runtime", "arm64", "snap_start"),
    [
        ("java8", False, False), ("java8.al2", True, False), ("java11", True, True), ("java25", True, True),
        ("python3.8", True, False), ("python3.9", True, False), ("python3.12", True, True), ("python3.14", True, True),
        ("nodejs10.x", False, False), ("nodejs24.x", True, False), ("dotnetcore2.1", False, False),
        ("dotnetcore3.1", True, False), ("dotnet6", True, False), ("dotnet8", True, True), ("ruby2.5", False, False),
        ("ruby3.4", True, False), ("go1.x", False, False), ("provided", False, False), ("provided.al2023", True, False),
        ("something2", False, False), ("", False, False),
    ],
)  # fmt: skip
def test_runtimes_can_what_aws_documents(runtime: str, arm64: bool, snap_start: bool) -> None:
    assert (supports_arm64(runtime), supports_snap_start(runtime)) == (arm64, snap_start)
