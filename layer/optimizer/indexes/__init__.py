"""The index tuner for PostgreSQL, MySQL and MariaDB: redundant, unused, bloated, broken and missing indexes."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.indexes.describe import phrase as phrase
    from optimizer.indexes.detect import detect_findings as detect_findings
    from optimizer.indexes.planner import Planner as Planner, find_database as find_database
    from optimizer.indexes.read_nodes import UnsupportedServer as UnsupportedServer
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "describe": ("phrase",),
            "detect": ("detect_findings",),
            "planner": (
                "Planner",
                "find_database",
            ),
            "read_nodes": ("UnsupportedServer",),
        },
    )
