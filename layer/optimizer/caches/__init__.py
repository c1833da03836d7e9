"""The cache tuner: propose, publish and observe TTLs."""

from optimizer.lazy_exports import lazy_exports

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
