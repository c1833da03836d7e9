"""Plain data about a database: catalog, workload, usage, findings."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "catalog": ("Catalog",),
        "finding": (
            "Action",
            "Finding",
        ),
    },
)
