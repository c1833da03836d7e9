"""The index tuner for PostgreSQL, MySQL and MariaDB: redundant, unused, bloated, broken and missing indexes."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.indexes.describe import phrase as phrase
    from optimizer.indexes.detect import find as find
    from optimizer.indexes.planner import Planner as Planner, database_of as database_of
    from optimizer.indexes.read_nodes import UnsupportedServer as UnsupportedServer
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "describe": ("phrase",),
            "detect": ("find",),
            "planner": (
                "Planner",
                "database_of",
            ),
            "read_nodes": ("UnsupportedServer",),
        },
    )
