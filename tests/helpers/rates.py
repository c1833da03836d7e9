"""Prices for tests: those of us-east-1, whose break-even of 60 % the tests count on."""

from optimizer.prices import LambdaPrices, Rates, shipped_prices
from optimizer.warmups import PingRates

REGION = "us-east-1"
PRICES = shipped_prices()


def rates_of(architecture: str = "x86_64", region: str = REGION, prices: LambdaPrices = PRICES) -> Rates:
    """Return the rates of a Region that has them."""
    rates = prices.rates(region, architecture)
    assert rates is not None
    return rates


def ping_rates(architecture: str = "x86_64", region: str = REGION, prices: LambdaPrices = PRICES) -> PingRates:
    """Return the rates of pings in a Region that has them."""
    rates = PingRates.of(prices, region, architecture)
    assert rates is not None
    return rates


X86, ARM = rates_of(), rates_of("arm64")
X86_PINGS, ARM_PINGS = ping_rates(), ping_rates("arm64")
# What evidence of provisioned concurrency tells of its prices.
PRICED = {"prices": X86.document(), "least_utilisation": 0.6}
