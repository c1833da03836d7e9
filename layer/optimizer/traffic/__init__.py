"""Read the traffic of functions from CloudWatch, store it as history and summarise it."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "analyze": ("analyze_batch",),
        "by_alias": ("read_anew",),
        "cloudwatch_history": ("MetricsUnavailable",),
        "concurrency": (
            "busy_on_average",
            "environments_needed",
            "littles_law",
        ),
        "history": (
            "DAY_MINUTES",
            "Floats",
            "HOURS_KEPT",
            "HOUR_METRICS",
            "History",
            "Ints",
            "MINUTES_KEPT",
            "MINUTE_METRICS",
            "Series",
            "empty_series",
            "hours_from_minutes",
            "local_hours",
            "offsets_minutes",
            "same_time_on_other_days",
        ),
        "stored": (
            "BatchHistories",
            "history_key",
            "stored_history",
            "write_batch",
        ),
        "summary": (
            "FunctionTraffic",
            "summarise",
        ),
    },
)
