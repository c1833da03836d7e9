"""Reads AWS's price list of Lambda and keeps it; where that fails, what is kept stays."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from optimizer.core import OptimizerError
from optimizer.store.account_prices import PRICES_KEY, stored_list
from optimizer.store.documents import Documents

if TYPE_CHECKING:
    from optimizer.prices.price_list import PriceList

# The Price List API has endpoints in a few Regions only, each with the prices of all.
PRICE_LIST_REGION = "us-east-1"


class PriceListNotRead(OptimizerError, RuntimeError):
    """AWS's price list could not be read; the message says why, and which prices count meanwhile."""


def age_of_prices(documents: Documents, now: datetime) -> str:
    """Return how old the stored price list is, as a sentence, and if it still counts."""
    found = stored_list(documents)
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
