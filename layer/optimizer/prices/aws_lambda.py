"""Prices of Lambda: formulas over what one account pays in one Region on one architecture.

Sums are Decimal; a caller that only compares prices converts them to float. Since 2025-08-01 Lambda bills the INIT
phase of every package type together with the call. Not part of any sum: the free tier, which other functions of the
account have used up and provisioned functions do not have, and SnapStart's cache and restores, which only advice
counts.
"""

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from optimizer.core import OptimizerError
from optimizer.prices.words import price_words

LOG_SCAN_GB_USD = Decimal("0.005")
SECONDS_A_MONTH = 730 * 3600
# Ephemeral storage that is part of the price of duration.
FREE_STORAGE_MB = 512
_PROVISIONED_STEP_S = 300


class NoPrice(OptimizerError, ValueError):
    """No price is known, so no savings may be estimated."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of an account in a Region on an architecture, in US dollars, after tier and discount.

    gb_second_usd, provisioned_duration_usd: a GB-second of a call, on demand and on provisioned concurrency.
    provisioned_usd: a GB-second of provisioned concurrency. storage_usd: a GB-second of ephemeral storage above
    FREE_STORAGE_MB. snapshot_cache_usd, snapshot_restore_usd: a GB-second that SnapStart caches, a GB that it restores.
    None where no source gives the price. tier: of the account's duration, from 1. date: of the source, ISO.
    """

    region: str
    architecture: str
    source: str
    date: str
    request_usd: Decimal
    gb_second_usd: Decimal
    provisioned_usd: Decimal | None = None
    provisioned_duration_usd: Decimal | None = None
    storage_usd: Decimal | None = None
    snapshot_cache_usd: Decimal | None = None
    snapshot_restore_usd: Decimal | None = None
    tier: int = 1
    discount: Decimal = Decimal(0)
    # Why the shipped table is used; empty where nothing is to be said.
    note: str = ""

    @property
    def has_provisioned(self) -> bool:
        """True if both prices of provisioned concurrency are known."""
        return self.provisioned_usd is not None and self.provisioned_duration_usd is not None

    @property
    def words(self) -> str:
        """Return `eu-central-1, 2026-09-22, AWS pricing calculator`, with the tier and the discount if any."""
        return price_words(self.document())

    def document(self) -> dict[str, Any]:
        """Return what evidence keeps of the prices behind its amounts."""
        return {
            "region": self.region,
            "source": self.source,
            "date": self.date,
            "tier": self.tier,
            "discount": float(self.discount),
            "gb_second_usd": float(self.gb_second_usd),
            "request_usd": float(self.request_usd),
            **({"note": self.note} if self.note else {}),
        }


def billed_ms(duration_ms: float, init_ms: float = 0.0) -> int:
    """Return the billed milliseconds: INIT and duration together, rounded up to a whole millisecond."""
    # A sum of two measured decimals (0.1 + 0.2) must not round up because of its binary representation.
    return math.ceil(round(duration_ms + init_ms, 6))


def gb_seconds(memory_mb: int, milliseconds: float | Decimal) -> Decimal:
    """Return the GB-seconds of one environment of `memory_mb` for a duration in milliseconds."""
    return Decimal(memory_mb) * Decimal(milliseconds) / Decimal(1024 * 1000)


def storage_second_usd(rates: Rates, storage_mb: int) -> Decimal:
    """Return the price of a second of the ephemeral storage of an environment that is at work; raise NoPrice."""
    beyond = max(0, storage_mb - FREE_STORAGE_MB)
    return Decimal(beyond) / 1024 * _known(rates, rates.storage_usd, "ephemeral storage") if beyond else Decimal(0)


def call_usd(
    rates: Rates, memory_mb: int, duration_ms: float, init_ms: float = 0.0, storage_mb: int = FREE_STORAGE_MB
) -> Decimal:
    """Return the price of one on-demand call with its request."""
    billed = billed_ms(duration_ms, init_ms)
    storage = storage_second_usd(rates, storage_mb) * billed / 1000
    return gb_seconds(memory_mb, billed) * rates.gb_second_usd + storage + rates.request_usd


def init_usd(rates: Rates, memory_mb: int, init_ms: float, storage_mb: int = FREE_STORAGE_MB) -> Decimal:
    """Return the price of INIT alone."""
    storage = storage_second_usd(rates, storage_mb) * Decimal(init_ms) / 1000
    return gb_seconds(memory_mb, init_ms) * rates.gb_second_usd + storage


def provisioned_call_usd(
    rates: Rates, memory_mb: int, duration_ms: float, storage_mb: int = FREE_STORAGE_MB
) -> Decimal:
    """Return the price of one call on provisioned concurrency with its request, without the concurrency itself."""
    billed = billed_ms(duration_ms)
    at_work = _known(rates, rates.provisioned_duration_usd, "provisioned concurrency")
    storage = storage_second_usd(rates, storage_mb) * billed / 1000
    return gb_seconds(memory_mb, billed) * at_work + storage + rates.request_usd


def provisioned_usd(rates: Rates, memory_mb: int, environments: int, seconds: float) -> Decimal:
    """Return the price of provisioned concurrency held for `seconds`, rounded up to five minutes; raise NoPrice."""
    steps = math.ceil(seconds / _PROVISIONED_STEP_S)
    held_ms = Decimal(steps * _PROVISIONED_STEP_S * 1000)
    held = _known(rates, rates.provisioned_usd, "provisioned concurrency")
    return gb_seconds(memory_mb, held_ms) * environments * held


def cheaper_usd(rates: Rates) -> Decimal:
    """Return what a GB-second of calls costs less on provisioned concurrency; below zero where it costs more."""
    return rates.gb_second_usd - _known(rates, rates.provisioned_duration_usd, "provisioned concurrency")


def break_even_utilisation(rates: Rates) -> Decimal:
    """Return the share of time that a provisioned environment must be busy to cost no more than on demand.

    Above 1 it never does; infinite where even its calls cost as much as on demand.
    """
    cheaper = cheaper_usd(rates)
    held = _known(rates, rates.provisioned_usd, "provisioned concurrency")
    return held / cheaper if cheaper > 0 else Decimal("Infinity")


def log_scan_usd(scanned_bytes: float) -> Decimal:
    """Return the price of a CloudWatch Logs Insights query over `scanned_bytes`, in us-east-1.

    A GB is taken as 10^9 bytes, the more expensive reading.
    """
    return Decimal(scanned_bytes) / Decimal(1_000_000_000) * LOG_SCAN_GB_USD


def _known(rates: Rates, usd: Decimal | None, what: str) -> Decimal:
    if usd is None:
        raise NoPrice(no_price(rates.region, rates.architecture, what))
    return usd


def no_price(region: str, architecture: str, what: str = "Lambda", so: str = "no savings are estimated") -> str:
    """Return the sentence that a price is missing, and what follows from that."""
    return f"The price of {what} on {architecture} in {region} is not known, so {so}."
