"""The cache tuner: propose, publish and observe TTLs."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.caches.change import TtlHooks as TtlHooks
    from optimizer.caches.planner import CachePlanner as CachePlanner
    from optimizer.caches.propose import MB as MB, OVERHEAD_BYTES as OVERHEAD_BYTES
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "change": ("TtlHooks",),
            "planner": ("CachePlanner",),
            "propose": (
                "MB",
                "OVERHEAD_BYTES",
            ),
        },
    )
