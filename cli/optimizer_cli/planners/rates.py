"""The prices that a request to a planner asks for."""

from typing import Any

from optimizer.prices import LambdaPrices, Rates, no_price, shipped_prices

from optimizer_cli.json_lines import UnusableRequest

DEFAULT_REGION = "us-east-1"


def prices_of(request: dict[str, Any]) -> tuple[LambdaPrices, str, str]:
    """Return the shipped prices with the discount of the request, its Region and its architecture."""
    region, architecture = request.get("region", DEFAULT_REGION), request.get("architecture", "x86_64")
    for name, value in (("region", region), ("architecture", architecture)):
        if not isinstance(value, str):
            raise UnusableRequest(f"{name}: a text is needed, not {value!r}")
    discount = request.get("lambda_discount", 0.0)
    if isinstance(discount, bool) or not isinstance(discount, int | float) or not 0 <= discount < 1:
        raise UnusableRequest(f"lambda_discount: a number from 0 to 1 is needed, not {discount!r}")
    return shipped_prices().discounted(discount), region, architecture


def rates_of(request: dict[str, Any]) -> Rates:
    """Return what a call costs by the request; raise UnusableRequest where no price is known."""
    prices, region, architecture = prices_of(request)
    rates = prices.rates(region, architecture)
    if rates is None:
        raise UnusableRequest(no_price(region, architecture))
    return rates
