"""Publish TTLs: in an SSM parameter or with AppConfig."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.caches.publish.publisher import publisher_of as publisher_of
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "publisher": ("publisher_of",),
        },
    )
