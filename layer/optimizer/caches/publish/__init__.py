"""Publish TTLs: in an SSM parameter or with AppConfig."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "publisher": ("publisher_of",),
    },
)
