"""Decide TTLs from access records: replay, curves, allocation. Pure, except for reading the log."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "check_records": ("UnusableRecord",),
        "allocate": (
            "BudgetTooSmall",
            "Space",
            "allocate_ttls",
        ),
        "backtest": (
            "TtlBacktestRow",
            "backtest_ttls",
        ),
        "curves": (
            "hit_curve",
            "ttl_grid",
        ),
        "effect": ("expected_effect",),
        "forecast": (
            "add_reserve",
            "outlooks",
        ),
        "limits": ("TtlLimits",),
        "read_log": (
            "RecordLog",
            "RecordsUnreadable",
        ),
        "records": (
            "SampledReads",
            "merge_samples",
        ),
        "replay": (
            "Accesses",
            "NoAccesses",
        ),
        "sample": ("KeySample",),
        "tune": (
            "NamespaceState",
            "Prices",
        ),
        "usage": (
            "NamespaceUsage",
            "sum_usage",
        ),
    },
)
