"""Thin adapters around AWS and the Lambda runtime: clients, environment variables, events, metrics, logging."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "cloudwatch": (
            "MetricQuery",
            "MetricsUnreadable",
            "POINTS_PER_PAGE",
            "read_complete",
            "read_points",
        ),
        "environment": ("Environment",),
        "event_fields": (
            "InvalidEvent",
            "Kind",
            "above_zero",
            "check_event",
            "count",
            "digest",
            "list_of",
            "name",
            "one_of",
            "optional",
            "place",
            "record",
            "text",
        ),
        "handler": ("logged",),
        "parallel": ("at_once",),
        "scheduler": (
            "ScheduleTarget",
            "delete_schedule",
            "function_prefix",
            "get_schedule",
            "put_schedule",
            "schedule_names",
        ),
        "signed_links": ("LinkSigner",),
    },
)
