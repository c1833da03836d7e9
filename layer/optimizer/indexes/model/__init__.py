"""Plain data about a database: catalog, workload, usage, findings."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.indexes.model.catalog import Catalog as Catalog
    from optimizer.indexes.model.finding import Action as Action, Finding as Finding
else:
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
