"""The prices that the account pays, by AWS's price list as it was last read, or else by the shipped table."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from optimizer.policy import Policy
from optimizer.prices import LambdaPrices, shipped_prices
from optimizer.store.documents import Documents, MalformedDocument, NoSuchDocument

if TYPE_CHECKING:
    from optimizer.prices.price_list import PriceList

PRICES_KEY = "history/prices/lambda.json"


def prices_of_account(policy: Policy, documents: Documents | None = None, now: datetime | None = None) -> LambdaPrices:
    """Return the prices of the account, with the discount of the policy.

    documents: where the price list is kept; without them or `now`, the shipped table counts. A list that is missing,
    damaged or outdated is not used, and the prices say so."""
    prices = shipped_prices().discounted(policy.prices.lambda_discount)
    return prices if documents is None or now is None else _with_list(prices, documents, now)


def _with_list(prices: LambdaPrices, documents: Documents, now: datetime) -> LambdaPrices:
    try:
        document = documents.read(PRICES_KEY)
    except NoSuchDocument:
        return replace(prices, note="AWS's price list was not read")
    except MalformedDocument:
        return replace(prices, note="the stored price list of AWS is damaged")
    # Loaded only where a list was read.
    from optimizer.prices.price_list import MalformedPriceList, PriceList

    try:
        found = PriceList.from_document(document)
    except MalformedPriceList:
        return replace(prices, note="the stored price list of AWS is damaged")
    if found.is_stale(now):
        return replace(prices, note=f"AWS's price list was last read on {found.read_at:%Y-%m-%d}")
    listed = {(found.region, architecture): one for architecture, one in found.listed.items()}
    return replace(prices, listed={**prices.listed, **listed})


class PricingClient(Protocol):
    """The part of the Price List API that is used. It has endpoints in a few Regions, for the prices of all."""

    def get_products(self, **request: Any) -> Mapping[str, Any]:
        """Return a page of products."""


def read_price_list(pricing: PricingClient, region: str, now: datetime) -> "PriceList":
    """Read AWS's list prices of Lambda in a Region; raise MalformedPriceList where it is not as documented."""
    from optimizer.prices.price_list import price_list_of

    request: dict[str, Any] = {
        "ServiceCode": "AWSLambda",
        "FormatVersion": "aws_v1",
        "Filters": [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}],
    }
    products: list[str] = []
    while True:
        page = pricing.get_products(**request)
        products += page["PriceList"]
        if not page.get("NextToken"):
            return price_list_of(products, region, now)
        request["NextToken"] = page["NextToken"]
