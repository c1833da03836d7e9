"""Thin adapters around AWS and the Lambda runtime: clients, environment variables, events, metrics, logging."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.aws.cloudwatch import POINTS_PER_PAGE as POINTS_PER_PAGE
    from optimizer.aws.cloudwatch import MetricQuery as MetricQuery
    from optimizer.aws.cloudwatch import MetricsUnreadable as MetricsUnreadable
    from optimizer.aws.cloudwatch import read_complete as read_complete
    from optimizer.aws.cloudwatch import read_points as read_points
    from optimizer.aws.environment import Environment as Environment
    from optimizer.aws.event_fields import InvalidEvent as InvalidEvent
    from optimizer.aws.event_fields import Kind as Kind
    from optimizer.aws.event_fields import above_zero as above_zero
    from optimizer.aws.event_fields import check_event as check_event
    from optimizer.aws.event_fields import count as count
    from optimizer.aws.event_fields import digest as digest
    from optimizer.aws.event_fields import list_of as list_of
    from optimizer.aws.event_fields import name as name
    from optimizer.aws.event_fields import one_of as one_of
    from optimizer.aws.event_fields import optional as optional
    from optimizer.aws.event_fields import place as place
    from optimizer.aws.event_fields import record as record
    from optimizer.aws.event_fields import text as text
    from optimizer.aws.handler import logged as logged
    from optimizer.aws.parallel import at_once as at_once
    from optimizer.aws.scheduler import ScheduleTarget as ScheduleTarget
    from optimizer.aws.scheduler import delete_schedule as delete_schedule
    from optimizer.aws.scheduler import function_prefix as function_prefix
    from optimizer.aws.scheduler import get_schedule as get_schedule
    from optimizer.aws.scheduler import put_schedule as put_schedule
    from optimizer.aws.scheduler import schedule_names as schedule_names
    from optimizer.aws.signed_links import LinkSigner as LinkSigner
else:
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
