"""The index tuner for PostgreSQL, MySQL and MariaDB: redundant, unused, bloated, broken and missing indexes."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "describe": ("phrase",),
        "detect": ("detect_findings",),
        "planner": (
            "Planner",
            "find_database",
        ),
        "propose": ("name_new_index",),
        "read_nodes": ("UnsupportedServer",),
    },
)
