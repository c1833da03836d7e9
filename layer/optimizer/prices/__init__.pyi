from optimizer.prices.aws_lambda import (
    FREE_STORAGE_MB as FREE_STORAGE_MB,
    NoPrice as NoPrice,
    Rates as Rates,
    billed_ms as billed_ms,
    no_price as no_price,
)
from optimizer.prices.lambda_prices import LambdaPrices as LambdaPrices, ListPrices as ListPrices, Tier as Tier
from optimizer.prices.pings import HOLD_MS as HOLD_MS, PingRates as PingRates, pings_usd as pings_usd
from optimizer.prices.price_list import MalformedPriceList as MalformedPriceList
from optimizer.prices.shipped import shipped_prices as shipped_prices
from optimizer.prices.usage import (
    USAGE_DAYS as USAGE_DAYS,
    AccountUsage as AccountUsage,
    MalformedUsage as MalformedUsage,
    usage_at_most as usage_at_most,
    usage_of_functions as usage_of_functions,
)
from optimizer.prices.words import price_words as price_words, prices_used as prices_used
