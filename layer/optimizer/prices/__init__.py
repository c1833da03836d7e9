"""List prices of AWS services, and what an account pays of them."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "aws_lambda": ("FREE_STORAGE_MB", "NoPrice", "Rates", "billed_ms", "no_price"),
        "lambda_prices": ("LambdaPrices", "ListPrices", "Tier"),
        "pings": ("HOLD_MS", "PingRates", "pings_usd"),
        "price_list": ("MalformedPriceList",),
        "shipped": ("shipped_prices",),
        "usage": ("USAGE_DAYS", "AccountUsage", "MalformedUsage", "usage_at_most", "usage_of_functions"),
        "words": ("price_words", "prices_used"),
    },
)
