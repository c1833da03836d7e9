"""List prices of AWS services."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.prices.aws_lambda import (
        REQUEST_USD as REQUEST_USD,
        UnknownArchitecture as UnknownArchitecture,
        billed_ms as billed_ms,
        rates as rates,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "aws_lambda": (
                "REQUEST_USD",
                "UnknownArchitecture",
                "billed_ms",
                "rates",
            ),
        },
    )
