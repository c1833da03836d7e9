"""Changing indexes on a server: one statement at a time, started, polled and cleaned up after."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "change": ("IndexHooks",),
        "host_metrics": ("read_machine",),
        "progress": ("IndexProgress",),
        "select": ("server_for",),
    },
)
