"""List prices of AWS services."""

from optimizer.lazy_exports import lazy_exports

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
