"""The prices that the account pays, by AWS's price list as it was last read, or else by the shipped table."""

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from optimizer.policy import Policy
from optimizer.prices import LambdaPrices, shipped_prices
from optimizer.store.documents import Documents, MalformedDocument, NoSuchDocument

if TYPE_CHECKING:
    from optimizer.prices.price_list import PriceList

PRICES_KEY = "history/prices/lambda.json"
USAGE_KEY = "history/prices/usage.json"


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
    found = stored_list(documents)
    if isinstance(found, str):
        return replace(prices, note=found)
    if found.is_stale(now):
        return replace(prices, note=f"AWS's price list was last read on {found.read_at:%Y-%m-%d}")
    listed = {(found.region, architecture): one for architecture, one in found.listed.items()}
    return replace(prices, listed={**prices.listed, **listed})


def stored_list(documents: Documents) -> "PriceList | str":
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
