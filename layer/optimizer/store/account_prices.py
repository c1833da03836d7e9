"""The prices that the account pays, by AWS's price list as it was last read, or else by the shipped table."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from optimizer.core import OptimizerError
from optimizer.policy import Policy
from optimizer.prices import LambdaPrices, shipped_prices
from optimizer.store.documents import Documents, MalformedDocument, NoSuchDocument

if TYPE_CHECKING:
    from optimizer.prices.price_list import PriceList

PRICES_KEY = "history/prices/lambda.json"
USAGE_KEY = "history/prices/usage.json"
# The Price List API has endpoints in a few Regions only, each with the prices of all.
PRICE_LIST_REGION = "us-east-1"


class PriceListNotRead(OptimizerError, RuntimeError):
    """AWS's price list could not be read; the message says why, and which prices count meanwhile."""


def prices_of_account(policy: Policy, documents: Documents | None = None, now: datetime | None = None) -> LambdaPrices:
    """Return the prices of the account, with the discount of the policy and the tier of its own usage.

    documents: where both are kept; without them or `now`, the shipped table counts, with its first tier. A list that is
    missing, damaged or outdated is not used, and the prices say so; the same holds for the usage, but for a missing
    one."""
    prices = shipped_prices().discounted(policy.prices.lambda_discount)
    if documents is None or now is None:
        return prices
    return _with_usage(_with_list(prices, documents, now), documents, now)


def _with_usage(prices: LambdaPrices, documents: Documents, now: datetime) -> LambdaPrices:
    try:
        document = documents.read(USAGE_KEY)
    except NoSuchDocument:
        return prices
    except MalformedDocument:
        return _noted(prices, "the stored usage of the account is damaged")
    # Loaded only where it was read.
    from optimizer.prices import AccountUsage, MalformedUsage

    try:
        usage = AccountUsage.from_document(document)
    except MalformedUsage:
        return _noted(prices, "the stored usage of the account is damaged")
    if usage.is_stale(now):
        return _noted(prices, f"the account's usage was last read on {usage.read_at:%Y-%m-%d}")
    return replace(prices, gb_s_month=usage.gb_s_month)


def _noted(prices: LambdaPrices, note: str) -> LambdaPrices:
    return replace(prices, note="; ".join(filter(None, (prices.note, f"{note}, so the first tier counts"))))


def _with_list(prices: LambdaPrices, documents: Documents, now: datetime) -> LambdaPrices:
    found = _stored_list(documents)
    if isinstance(found, str):
        return replace(prices, note=found)
    if found.is_stale(now):
        return replace(prices, note=f"AWS's price list was last read on {found.read_at:%Y-%m-%d}")
    listed = {(found.region, architecture): one for architecture, one in found.listed.items()}
    return replace(prices, listed={**prices.listed, **listed})


def _stored_list(documents: Documents) -> "PriceList | str":
    """Return the stored price list, or why there is none to count with."""
    try:
        document = documents.read(PRICES_KEY)
    except NoSuchDocument:
        return "AWS's price list was not read"
    except MalformedDocument:
        return "the stored price list of AWS is damaged"
    # Loaded only where a list was read.
    from optimizer.prices.price_list import MalformedPriceList, PriceList

    try:
        return PriceList.from_document(document)
    except MalformedPriceList:
        return "the stored price list of AWS is damaged"


def age_of_prices(documents: Documents, now: datetime) -> str:
    """Return how old the stored price list is, as a sentence, and if it still counts."""
    found = _stored_list(documents)
    if isinstance(found, str):
        return f"The shipped prices count: {found}."
    days = (now - found.read_at).days
    ago = "today" if days == 0 else f"{days} day{'' if days == 1 else 's'} ago"
    read = f"AWS's price list of {found.published} was read {ago}"
    return f"{read}; it is too old, so the shipped prices count." if found.is_stale(now) else f"{read} and counts."


class PricingClient(Protocol):
    """The part of the Price List API that is used. It has endpoints in a few Regions, for the prices of all."""

    def get_products(self, **request: Any) -> Mapping[str, Any]:
        """Return a page of products."""


def update_price_list(pricing: PricingClient, documents: Documents, region: str, now: datetime) -> "PriceList":
    """Read AWS's list prices of Lambda in a Region and store them; raise PriceListNotRead, and leave those that are
    stored, where that fails."""
    from optimizer.prices.price_list import MalformedPriceList

    try:
        found = read_price_list(pricing, region, now)
    except (MalformedPriceList, BotoCoreError, ClientError) as error:
        raise PriceListNotRead(f"AWS's price list is not stored: {error}. {age_of_prices(documents, now)}") from error
    documents.write(PRICES_KEY, found.document())
    return found


def read_price_list(pricing: PricingClient, region: str, now: datetime) -> "PriceList":
    """Read AWS's list prices of Lambda in a Region; raise MalformedPriceList where it is not as documented."""
    from optimizer.prices.price_list import MalformedPriceList, price_list_of

    request: dict[str, Any] = {
        "ServiceCode": "AWSLambda",
        "FormatVersion": "aws_v1",
        "Filters": [{"Type": "TERM_MATCH", "Field": "regionCode", "Value": region}],
    }
    products: list[str] = []
    while True:
        page = pricing.get_products(**request)
        if not isinstance(page.get("PriceList"), list):
            raise MalformedPriceList("a page of the price list has no products")
        products += page["PriceList"]
        if not page.get("NextToken"):
            return price_list_of(products, region, now)
        request["NextToken"] = page["NextToken"]
