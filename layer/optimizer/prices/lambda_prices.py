"""List prices of Lambda by Region and architecture, and what an account pays of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from optimizer.prices.aws_lambda import Rates


@dataclass(frozen=True, slots=True)
class Tier:
    """The price of duration up to `up_to_gb_s` GB-seconds a month; None means no upper end."""

    up_to_gb_s: Decimal | None
    gb_second_usd: Decimal


@dataclass(frozen=True, slots=True)
class ListPrices:
    """The list prices of one Region and architecture, with their source and its date; see Rates for the units.

    tiers: rising. Where the last has an upper end, no price is known beyond it.
    """

    source: str
    date: str
    request_usd: Decimal
    tiers: tuple[Tier, ...]
    provisioned_usd: Decimal | None = None
    provisioned_duration_usd: Decimal | None = None
    storage_usd: Decimal | None = None
    snapshot_cache_usd: Decimal | None = None
    snapshot_restore_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class LambdaPrices:
    """The prices that one account pays.

    listed: by Region and architecture. gb_s_month: by architecture, the duration that the account uses in a month; it
    decides the tier of the next call, and none means the first tier. discount: share off all list prices, of a private
    price or a Savings Plan.
    note: a sentence on why the shipped table is used instead of AWS's price list; empty where it is not.
    """

    listed: Mapping[tuple[str, str], ListPrices]
    gb_s_month: Mapping[str, Decimal] = field(default_factory=dict)
    discount: Decimal = Decimal(0)
    note: str = ""

    def discounted(self, discount: float) -> "LambdaPrices":
        """Return the prices with a share off all of them (0 to 1)."""
        return replace(self, discount=Decimal(str(discount)))

    def of_function(self, function_arn: str, architecture: str) -> Rates | None:
        """Return what the function's account pays; None if no price is known. The Region is in the ARN."""
        parts = function_arn.split(":")
        return self.rates(parts[3], architecture) if len(parts) > 3 else None

    def rates(self, region: str, architecture: str) -> Rates | None:
        """Return what the account pays in a Region on an architecture; None if no price is known."""
        listed = self.listed.get((region, architecture))
        if listed is None:
            return None
        used = self.gb_s_month.get(architecture, Decimal(0))
        number, tier = next(
            (
                found
                for found in enumerate(listed.tiers, 1)
                if found[1].up_to_gb_s is None or used < found[1].up_to_gb_s
            ),
            (0, None),
        )
        if tier is None:
            return None
        return Rates(
            region=region,
            architecture=architecture,
            source=listed.source,
            date=listed.date,
            request_usd=self._paid(listed.request_usd),
            gb_second_usd=self._paid(tier.gb_second_usd),
            provisioned_usd=self._optional(listed.provisioned_usd),
            provisioned_duration_usd=self._optional(listed.provisioned_duration_usd),
            storage_usd=self._optional(listed.storage_usd),
            snapshot_cache_usd=self._optional(listed.snapshot_cache_usd),
            snapshot_restore_usd=self._optional(listed.snapshot_restore_usd),
            tier=number,
            discount=self.discount,
            note=self.note,
        )

    def _paid(self, usd: Decimal) -> Decimal:
        return usd * (1 - self.discount)

    def _optional(self, usd: Decimal | None) -> Decimal | None:
        return None if usd is None else self._paid(usd)
