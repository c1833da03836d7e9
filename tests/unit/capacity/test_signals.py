"""What advice is given from, by the live function."""

from typing import Any

import pytest
from optimizer.capacity import Version, signals_of, version_of
from optimizer.capacity.live_function import LiveFunction, ProvisionedConfig
from optimizer.function_logs import FunctionHistory
from optimizer.traffic import HOUR_METRICS, empty_series

from tests.helpers.rates import ARM, PRICES, X86

ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"


def version(**more: Any) -> Version:
    answer = {"Version": "12", "MemorySize": 512, "CodeSha256": "c", "Runtime": "java21", "Timeout": 20, **more}
    return version_of(answer)


def of(found: Version, **more: Any) -> Any:
    live = LiveFunction("orders", "live", "12", "", {}, found, found, reserved=7, **more)
    return signals_of(live, empty_series(HOUR_METRICS), FunctionHistory(), "UTC", PRICES, ARN, 0.5)


def test_signals_have_limits_setup_and_prices() -> None:
    signals = of(version(FileSystemConfigs=[{"Arn": "x"}]))
    assert (signals.version, signals.timeout_s, signals.reserved) == ("12", 20, 7)
    setup = signals.setup
    assert (setup.runtime, setup.has_file_system, setup.holds_provisioned) == ("java21", True, False)
    assert (setup.rates, setup.arm_rates, setup.cold_start_usd) == (X86, ARM, 0.5)
    assert not of(version()).setup.has_file_system
    assert of(version(), provisioned=ProvisionedConfig(1, "READY")).setup.holds_provisioned


def test_image_has_no_runtime() -> None:
    assert of(version(Runtime=None, PackageType="Image")).setup.runtime == ""


@pytest.mark.parametrize("kind", ["CapacityProviderConfig", "DurableConfig"])
def test_another_setup_is_not_asked_for_special_kinds(kind: str) -> None:
    assert of(version(**{kind: {"x": 1}})).setup is None
