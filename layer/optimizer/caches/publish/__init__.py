"""Publish TTLs: in an SSM parameter or with AppConfig."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.caches.publish.select import delivery_of as delivery_of
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "select": ("delivery_of",),
        },
    )
