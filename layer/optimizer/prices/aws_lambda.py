"""List prices of Lambda in us-east-1, in US dollars, exact to the last published digit.

Source: https://aws.amazon.com/lambda/pricing/. Sums are Decimal; a caller that only compares prices converts them to
float. Since 2025-08-01 Lambda bills the INIT phase of every package type together with the call.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType

from optimizer.core import OptimizerError

REQUEST_USD = Decimal("0.0000002")
LOG_SCAN_GB_USD = Decimal("0.005")
SECONDS_A_MONTH = 730 * 3600
_PROVISIONED_STEP_S = 300


class UnknownArchitecture(OptimizerError, ValueError):
    """The architecture has no price."""


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of duration up to `up_to_gb_s` GB-seconds a month; None means no upper end."""

    up_to_gb_s: Decimal | None
    gb_second_usd: Decimal


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of a GB-second on one architecture: on demand by tier, provisioned, and running on provisioned."""

    tiers: tuple[Tier, ...]
    provisioned_usd: Decimal
    provisioned_duration_usd: Decimal


RATES: Mapping[str, Rates] = MappingProxyType(
    {
        "x86_64": Rates(
            tiers=(
                Tier(Decimal(6_000_000_000), Decimal("0.0000166667")),
                Tier(Decimal(15_000_000_000), Decimal("0.000015")),
                Tier(None, Decimal("0.0000133334")),
            ),
            provisioned_usd=Decimal("0.0000041667"),
            provisioned_duration_usd=Decimal("0.0000097222"),
        ),
        "arm64": Rates(
            tiers=(
                Tier(Decimal(7_500_000_000), Decimal("0.0000133334")),
                Tier(Decimal(18_750_000_000), Decimal("0.0000120001")),
                Tier(None, Decimal("0.0000106667")),
            ),
            provisioned_usd=Decimal("0.0000033334"),
            provisioned_duration_usd=Decimal("0.0000077778"),
        ),
    }
)


def rates(architecture: str) -> Rates:
    """Return the rates of `x86_64` or `arm64`; raise UnknownArchitecture for anything else."""
    try:
        return RATES[architecture]
    except KeyError:
        raise UnknownArchitecture(f"no price for architecture {architecture!r}, only for {', '.join(RATES)}") from None


def billed_ms(duration_ms: float, init_ms: float = 0.0) -> int:
    """Return the billed milliseconds: INIT and duration together, rounded up to a whole millisecond."""
    # A sum of two measured decimals (0.1 + 0.2) must not round up because of its binary representation.
    return math.ceil(round(duration_ms + init_ms, 6))


def gb_seconds(memory_mb: int, milliseconds: float | Decimal) -> Decimal:
    """Return the GB-seconds of one environment of `memory_mb` for a duration in milliseconds."""
    return Decimal(memory_mb) * Decimal(milliseconds) / Decimal(1024 * 1000)


def call_usd(
    architecture: str, memory_mb: int, duration_ms: float, init_ms: float = 0.0, gb_s_before: Decimal = Decimal(0)
) -> Decimal:
    """Return the price of one on-demand call with its request.

    gb_s_before: GB-seconds that the account has used this month, which decide the tier.
    """
    tiers = rates(architecture).tiers
    rate = next(t.gb_second_usd for t in tiers if t.up_to_gb_s is None or gb_s_before < t.up_to_gb_s)
    return gb_seconds(memory_mb, billed_ms(duration_ms, init_ms)) * rate + REQUEST_USD


def init_usd(architecture: str, memory_mb: int, init_ms: float) -> Decimal:
    """Return the price of INIT alone, in the first tier."""
    return gb_seconds(memory_mb, init_ms) * rates(architecture).tiers[0].gb_second_usd


def provisioned_call_usd(architecture: str, memory_mb: int, duration_ms: float) -> Decimal:
    """Return the price of one call on provisioned concurrency with its request, without the concurrency itself."""
    used = gb_seconds(memory_mb, billed_ms(duration_ms))
    return used * rates(architecture).provisioned_duration_usd + REQUEST_USD


def provisioned_usd(architecture: str, memory_mb: int, environments: int, seconds: float) -> Decimal:
    """Return the price of provisioned concurrency held for `seconds`, rounded up to five minutes."""
    steps = math.ceil(seconds / _PROVISIONED_STEP_S)
    held_ms = Decimal(steps * _PROVISIONED_STEP_S * 1000)
    return gb_seconds(memory_mb, held_ms) * environments * rates(architecture).provisioned_usd


def break_even_utilisation(architecture: str) -> Decimal:
    """Return the share of time (0 to 1) that a provisioned environment must be busy to cost no more than on demand.

    The comparison is with the first tier.
    """
    rate = rates(architecture)
    return rate.provisioned_usd / (rate.tiers[0].gb_second_usd - rate.provisioned_duration_usd)


def log_scan_usd(scanned_bytes: float) -> Decimal:
    """Return the price of a CloudWatch Logs Insights query over `scanned_bytes`.

    A GB is taken as 10^9 bytes, the more expensive reading.
    """
    return Decimal(scanned_bytes) / Decimal(1_000_000_000) * LOG_SCAN_GB_USD
