"""List prices of the services that the application itself uses, in us-east-1, in US dollars.

Source: the price page of each service, November 2026. Free tiers are left out: other applications of the account have
used them up. Lambda has its own table, and the application runs on arm64.
"""

from functools import cache

from optimizer.prices.aws_lambda import NoPrice, Rates, no_price
from optimizer.prices.shipped import shipped_prices

KMS_KEY_MONTH_USD = 1.00
ALARM_MONTH_USD = 0.10
CUSTOM_METRIC_MONTH_USD = 0.30
# Each series that GetMetricData is asked for.
METRIC_USD = 0.01 / 1000
LOG_INGEST_GB_USD = 0.50
TRANSITION_USD = 0.025 / 1000
S3_PUT_USD, S3_GET_USD = 0.005 / 1000, 0.0004 / 1000
S3_GB_MONTH_USD = 0.023
DYNAMODB_WRITE_USD, DYNAMODB_READ_USD = 0.625 / 1e6, 0.125 / 1e6
TRACE_USD = 5.00 / 1e6
SECRET_CALL_USD = 0.05 / 10_000
_REGION, _ARCHITECTURE = "us-east-1", "arm64"


@cache
def lambda_rates() -> Rates:
    """Return what the application's own functions cost."""
    rates = shipped_prices().rates(_REGION, _ARCHITECTURE)
    if rates is None:
        raise NoPrice(no_price(_REGION, _ARCHITECTURE))
    return rates
