"""Publish TTLs: in an SSM parameter or with AppConfig."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "document": (
            "PublishOutcome",
            "PublishedTtls",
            "Ttls",
            "UnusableDocument",
        ),
        "publisher": (
            "TtlPublisher",
            "publisher_of",
        ),
    },
)
