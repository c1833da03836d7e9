"""List the resources of an account by their names."""

from collections.abc import Callable
from typing import Any

# For each kind: service, operation, key of the list, and key of the name, or none where the list has names.
_LISTINGS = {
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "groups of schedules": ("scheduler", "list_schedule_groups", "ScheduleGroups", "Name"),
    "layers": ("lambda", "list_layers", "Layers", "LayerName"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "policies": ("iam", "list_policies", "Policies", "PolicyName"),
    "queues": ("sqs", "list_queues", "QueueUrls", ""),
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "state machines": ("stepfunctions", "list_state_machines", "stateMachines", "name"),
    "tables": ("dynamodb", "list_tables", "TableNames", ""),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
}


def names_by_kind(client: Callable[[str], Any], schedule_name: str) -> dict[str, list[str]]:
    """Return the names of all resources, by kind. `schedule_name`: the key that names a schedule, or its group."""
    listings = {**_LISTINGS, "schedules": ("scheduler", "list_schedules", "Schedules", schedule_name)}
    found = {}
    for what, (service, operation, key, name) in listings.items():
        pages = client(service).get_paginator(operation).paginate()
        found[what] = [one[name] if name else one for page in pages for one in page.get(key, [])]
    found["buckets"] = [bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]]
    return found
