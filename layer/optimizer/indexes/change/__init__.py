"""Changing indexes on a server: one statement at a time, started, polled and cleaned up after."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.indexes.change.change import IndexHooks as IndexHooks
    from optimizer.indexes.change.host_metrics import read_machine as read_machine
    from optimizer.indexes.change.select import server_for as server_for
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "change": ("IndexHooks",),
            "host_metrics": ("read_machine",),
            "select": ("server_for",),
        },
    )
