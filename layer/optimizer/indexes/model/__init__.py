"""Plain data about a database: catalog, workload, usage, findings."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "catalog": (
            "BuildInProgress",
            "Catalog",
            "CatalogServer",
            "Column",
            "Constraint",
            "Engine",
            "ForeignKey",
            "Index",
            "IndexPages",
            "KeyPart",
            "StatementStat",
            "Table",
        ),
        "faulty_builds": ("why_builds_are_faulty",),
        "finding": (
            "Action",
            "Finding",
            "Kind",
        ),
        "history": ("Past",),
        "new_finding": (
            "about_index",
            "about_table",
            "choose_dropped",
            "covered_finding",
            "kept_beside",
            "unused_finding",
        ),
        "usage": (
            "IndexId",
            "IndexUsage",
            "UsageLimits",
            "UsageSnapshot",
            "judge_usage",
            "take_snapshot",
        ),
    },
)
