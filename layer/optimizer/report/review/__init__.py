"""The review of a quarter: its document, its message and how it is published."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "quarter": (
            "Review",
            "ReviewWeek",
            "review",
        ),
    },
)
