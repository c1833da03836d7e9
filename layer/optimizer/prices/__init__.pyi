from optimizer.prices.aws_lambda import (
    REQUEST_USD as REQUEST_USD,
    UnknownArchitecture as UnknownArchitecture,
    billed_ms as billed_ms,
    rates as rates,
)
