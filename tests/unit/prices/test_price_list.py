"""AWS's price list, as its documentation shows it: read a page at a time, strictly, and kept with its date."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from local_account.price_list import StandInPricing
from local_account.simulated_services import MemoryDocuments
from optimizer.policy import Policy
from optimizer.prices import LambdaPrices, MalformedPriceList, Tier, shipped_prices
from optimizer.prices.price_list import PriceList
from optimizer.store import PRICES_KEY, prices_of_account, read_price_list

from tests.helpers.examples import examples

NOW = datetime(2026, 12, 1, 6, tzinfo=UTC)
REGION = "eu-central-1"


def with_arm() -> LambdaPrices:
    """Prices that differ from the shipped ones, with provisioned concurrency on arm64."""
    shipped = shipped_prices()
    dearer = {
        key: replace(
            one,
            provisioned_usd=(one.provisioned_usd or Decimal("0.000004")) * 2,
            provisioned_duration_usd=one.provisioned_duration_usd or Decimal("0.000009"),
        )
        for key, one in shipped.listed.items()
    }
    return replace(shipped, listed=dearer)


def kept(document: Any, now: datetime = NOW, policy: Policy | None = None) -> LambdaPrices:
    documents = MemoryDocuments()
    documents.write(PRICES_KEY, document)
    return prices_of_account(policy or Policy(), documents, now)


@given(st.sampled_from(sorted({region for region, _ in shipped_prices().listed})))
@settings(deadline=None, max_examples=examples(23))
def test_list_gives_the_prices_that_aws_lists(region: str) -> None:
    """Read, stored and read again, to the last digit; other products of Lambda are left out."""
    pricing = StandInPricing(with_arm())
    found = read_price_list(pricing, region, NOW)
    assert len(pricing.asked) > 1
    assert all(asked["ServiceCode"] == "AWSLambda" for asked in pricing.asked)
    again = PriceList.from_document(json.loads(json.dumps(found.document())))
    assert again == found
    for architecture in ("x86_64", "arm64"):
        listed, source = found.listed[architecture], pricing.prices.listed[region, architecture]
        assert listed.request_usd == source.request_usd
        assert [tier.gb_second_usd for tier in listed.tiers] == [tier.gb_second_usd for tier in source.tiers]
        assert listed.tiers[-1].up_to_gb_s is None
        assert listed.provisioned_usd == source.provisioned_usd
        assert listed.storage_usd == source.storage_usd
        assert (listed.source, listed.date) == ("AWS Price List", "2026-11-25")


def test_stored_list_replaces_the_shipped_table() -> None:
    prices = kept(read_price_list(StandInPricing(with_arm()), REGION, NOW - timedelta(days=7)).document())
    arm = prices.rates(REGION, "arm64")
    assert arm is not None
    assert arm.has_provisioned
    assert arm.words == "eu-central-1, 2026-11-25, AWS Price List"
    other = prices.rates("eu-west-1", "x86_64")
    assert other is not None
    assert other.source == "AWS pricing calculator"


def test_missing_list_leaves_the_shipped_table_and_says_so() -> None:
    rates = prices_of_account(Policy(), MemoryDocuments(), NOW).rates(REGION, "x86_64")
    assert rates is not None
    assert rates.words == "eu-central-1, 2026-09-22, AWS pricing calculator (AWS's price list was not read)"


def test_stale_list_leaves_the_shipped_table_and_says_so() -> None:
    document = read_price_list(StandInPricing(), REGION, NOW).document()
    rates = kept(document, NOW + timedelta(days=36)).rates(REGION, "x86_64")
    assert rates is not None
    assert rates.words.endswith("AWS pricing calculator (AWS's price list was last read on 2026-12-01)")


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: None,
        lambda _: [],
        lambda one: {**one, "version": 2},
        lambda one: {**one, "read_at": "yesterday"},
        lambda one: {**one, "read_at": "2026-12-01T06:00:00"},
        lambda one: {**one, "architectures": {"x86_64": {"tiers": []}}},
        lambda one: {**one, "architectures": {"x86_64": {**one["architectures"]["x86_64"], "request_usd": "free"}}},
        lambda one: {**one, "architectures": {"x86_64": {**one["architectures"]["x86_64"], "request_usd": 0.2}}},
        lambda one: {**one, "architectures": {"x86_64": {**one["architectures"]["x86_64"], "unknown_usd": "0.1"}}},
    ],
)
def test_damaged_list_leaves_the_shipped_table_and_says_so(damage: Any) -> None:
    document = read_price_list(StandInPricing(), REGION, NOW).document()
    rates = kept(damage(document)).rates(REGION, "x86_64")
    assert rates is not None
    assert rates.words.endswith("AWS pricing calculator (the stored price list of AWS is damaged)")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"USD"', '"CNY"', "not in USD"),
        ('"0.0000166667"', '"0.0000000000"', "cannot be the price"),
        ('"0.0000166667"', '"-0.0000166667"', "cannot be the price"),
        ('"0.0000166667"', '"NaN"', "is no number"),
        ('"0.0000166667"', "16.6", "is no text"),
        ('"endRange": "Inf"', '"endRange": "1000"', "no price for large amounts"),
        ('"beginRange": "0"', '"beginRange": "5"', "has no price from 0 on"),
        ('"beginRange"', '"start"', "cannot be read"),
        ('"unit": "Requests"', '"unit": "Hours"', "is priced by 'Hours'"),
        ('"regionCode": "eu-central-1"', '"regionCode": "eu-west-1"', "not of eu-central-1"),
        ('"group": "AWS-Lambda-Requests"', '"group": "AWS-Lambda-Other"', "no request_usd on x86_64"),
        ('"group": "AWS-Lambda-Storage-Duration"', '"group": "AWS-Lambda-Requests"', "is priced by"),
        ('"group": "AWS-Lambda-Provisioned-Concurrency"', '"group": "AWS-Lambda-Duration-Provisioned"', "listed twice"),
        ('"OnDemand"', '"Reserved"', "cannot be read"),
        ('"publicationDate"', '"date"', "cannot be read"),
        ('{"product"', '{{"product"', "cannot be read"),
    ],
)
def test_list_that_is_not_as_documented_is_not_taken(before: str, after: str, message: str) -> None:
    with pytest.raises(MalformedPriceList, match=message):
        read_price_list(StandInPricing(changed={before: after}), REGION, NOW)


def test_region_that_aws_does_not_list_has_no_list() -> None:
    with pytest.raises(MalformedPriceList, match="no price of a call on x86_64 in me-central-1"):
        read_price_list(StandInPricing(), "me-central-1", NOW)


def test_tier_that_costs_more_than_a_lower_one_is_not_taken() -> None:
    shipped = shipped_prices()
    key = ("us-east-1", "x86_64")
    rising = replace(shipped.listed[key], tiers=(Tier(Decimal(10), Decimal("0.00001")), Tier(None, Decimal("0.00002"))))
    with pytest.raises(MalformedPriceList, match="costs more than a lower one"):
        read_price_list(StandInPricing(replace(shipped, listed={**shipped.listed, key: rising})), "us-east-1", NOW)
