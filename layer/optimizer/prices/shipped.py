"""The table of Lambda's list prices that is shipped, for as long as AWS's own price list was not read.

A price is here only if a dated public source gives it. The source of the Regions is the list of metered units for
Lambda of AWS's pricing calculator (https://calculator.aws/pricing/2.0/meteredUnitMaps/lambda/USD/current/lambda.json),
as the release 4.0.527 of @remotion/lambda-client (22 September 2026) has it. It has the first tier of duration alone,
and nothing of provisioned concurrency on arm64. What us-east-1 has beyond it was read from the Price List API on 28
October 2025 and is also on https://aws.amazon.com/lambda/pricing/; there both sources agree to the last digit.
"""

from collections.abc import Iterator
from decimal import Decimal
from functools import cache

from optimizer.prices.lambda_prices import LambdaPrices, ListPrices, Tier

_CALCULATOR, _CALCULATOR_DATE = "AWS pricing calculator", "2026-09-22"
_PRICE_LIST, _PRICE_LIST_DATE = "AWS Price List", "2025-10-28"
_MILLION = 1_000_000
# Where the first tier ends: the same in all Regions.
_FIRST_TIER_GB_S = {"x86_64": Decimal(6_000_000_000), "arm64": Decimal(7_500_000_000)}
# US dollars for a million: requests, GB-seconds on x86_64 and on arm64, GB-seconds of ephemeral storage, and on x86_64
# GB-seconds of provisioned concurrency and of calls on it.
# fmt: off
_REGIONS = (
    ("af-south-1", "0.27", "22.1", "17.68", "0.0404", "5.53", "12.9"),
    ("ap-east-1", "0.28", "22.92", "18.3", "0.0407", "5.7153", "13.3358"),
    ("ap-northeast-1", "0.2", "16.6667", "13.3334", "0.037", "5.3835", "12.5615"),
    ("ap-northeast-2", "0.2", "16.6667", "13.3334", "0.0352", "5.1254", "11.9592"),
    ("ap-northeast-3", "0.2", "16.6667", "13.3334", "0.037", "5.3835", "12.5615"),
    ("ap-south-1", "0.2", "16.6667", "13.3334", "0.0352", "4.4985", "10.4966"),
    ("ap-southeast-1", "0.2", "16.6667", "13.3334", "0.037", "5.1991", "12.1313"),
    ("ap-southeast-2", "0.2", "16.6667", "13.3334", "0.037", "5.236", "12.2173"),
    ("ap-southeast-4", "0.2", "16.6667", "13.3334", "0.037", "5.236", "12.2173"),
    ("ap-southeast-5", "0.18", "15", "12", "0.0333", "4.6791", "10.9181"),
    ("ca-central-1", "0.2", "16.6667", "13.3334", "0.034", "4.646", "10.8407"),
    ("eu-central-1", "0.2", "16.6667", "13.3334", "0.0367", "5.0147", "11.7011"),
    ("eu-central-2", "0.22", "18.3334", "14.6667", "0.0441", "5.5162", "12.8712"),
    ("eu-north-1", "0.2", "16.6667", "13.3334", "0.0323", "4.4248", "10.3245"),
    ("eu-south-1", "0.23", "19.5172", "15.6138", "0.0357", "4.8783", "11.3827"),
    ("eu-west-1", "0.2", "16.6667", "13.3334", "0.034", "4.646", "10.8407"),
    ("eu-west-2", "0.2", "16.6667", "13.3334", "0.0358", "4.8304", "11.2709"),
    ("eu-west-3", "0.2", "16.6667", "13.3334", "0.0358", "4.8673", "11.3569"),
    ("sa-east-1", "0.2", "16.6667", "13.3334", "0.0586", "6.6372", "15.4867"),
    ("us-east-2", "0.2", "16.6667", "13.3334", "0.0309", "4.1667", "9.7222"),
    ("us-west-1", "0.2", "16.6667", "13.3334", "0.037", "4.9041", "11.443"),
    ("us-west-2", "0.2", "16.6667", "13.3334", "0.0309", "4.1667", "9.7222"),
)
# fmt: on
_US_EAST_1 = (
    (
        ("us-east-1", "x86_64"),
        ListPrices(
            source=_PRICE_LIST,
            date=_PRICE_LIST_DATE,
            request_usd=Decimal("0.0000002"),
            tiers=(
                Tier(Decimal(6_000_000_000), Decimal("0.0000166667")),
                Tier(Decimal(15_000_000_000), Decimal("0.000015")),
                Tier(None, Decimal("0.0000133334")),
            ),
            provisioned_usd=Decimal("0.0000041667"),
            provisioned_duration_usd=Decimal("0.0000097222"),
            storage_usd=Decimal("0.0000000309"),
            snapshot_cache_usd=Decimal("0.0000015046"),
            snapshot_restore_usd=Decimal("0.0001397998"),
        ),
    ),
    (
        ("us-east-1", "arm64"),
        ListPrices(
            source=_PRICE_LIST,
            date=_PRICE_LIST_DATE,
            request_usd=Decimal("0.0000002"),
            tiers=(
                Tier(Decimal(7_500_000_000), Decimal("0.0000133334")),
                Tier(Decimal(18_750_000_000), Decimal("0.0000120001")),
                Tier(None, Decimal("0.0000106667")),
            ),
            provisioned_usd=Decimal("0.0000033334"),
            provisioned_duration_usd=Decimal("0.0000077778"),
            storage_usd=Decimal("0.0000000309"),
            snapshot_cache_usd=Decimal("0.0000015046"),
            snapshot_restore_usd=Decimal("0.0001397998"),
        ),
    ),
)


def _rows() -> Iterator[tuple[tuple[str, str], ListPrices]]:
    for region, *texts in _REGIONS:
        request, x86, arm, storage, held, at_work = (Decimal(text) / _MILLION for text in texts)
        for architecture, duration in (("x86_64", x86), ("arm64", arm)):
            is_x86 = architecture == "x86_64"
            yield (
                (region, architecture),
                ListPrices(
                    source=_CALCULATOR,
                    date=_CALCULATOR_DATE,
                    request_usd=request,
                    tiers=(Tier(_FIRST_TIER_GB_S[architecture], duration),),
                    provisioned_usd=held if is_x86 else None,
                    provisioned_duration_usd=at_work if is_x86 else None,
                    storage_usd=storage,
                ),
            )
    yield from _US_EAST_1


@cache
def shipped_prices() -> LambdaPrices:
    """Return the shipped list prices."""
    return LambdaPrices(dict(_rows()))
