"""Reads from CloudWatch how busy the machine of an RDS database is and how much storage it has free."""

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from botocore.exceptions import BotoCoreError, ClientError

from optimizer.aws import CloudWatchClient, MetricQuery, MetricsUnreadable, read_complete
from optimizer.indexes.change.server import Machine
from optimizer.policy import Database

# RDS publishes one data point a minute, sometimes a few minutes late.
_PERIOD_S = 60
_READ = timedelta(minutes=15)
_BUSY_MINUTES = 5
# The volume with Aurora's data grows by itself; a build sorts on the instance's local disk.
_METRICS = {
    "cpu": ("CPUUtilization", "Average"),
    "storage": ("FreeStorageSpace", "Minimum"),
    "local_storage": ("FreeLocalStorage", "Minimum"),
}
_ENDPOINT = re.compile(
    r"(?P<name>[a-z0-9-]+)\.(?P<of_cluster>cluster-)?[a-z0-9]+\.[a-z0-9-]+\.rds\.amazonaws\.com(\.cn)?\.?",
    re.IGNORECASE,
)


def cloudwatch_dimensions(database: Database) -> Mapping[str, str]:
    """Return the dimensions of the writer in CloudWatch, from the policy or the name of the endpoint.

    They are empty for a server outside RDS. The writer of a cluster is found whichever instance it is.

    Source of the names: "Amazon CloudWatch dimensions for Aurora" and "... for Amazon RDS", their users' guides.
    """
    cluster = database.rds_cluster or database.data_api_arn.rpartition(":")[2]
    if cluster:
        return {"DBClusterIdentifier": cluster, "Role": "WRITER"}
    if database.rds_instance:
        return {"DBInstanceIdentifier": database.rds_instance}
    endpoint = _ENDPOINT.fullmatch(database.host)
    if endpoint is None:
        return {}
    if endpoint["of_cluster"]:
        return {"DBClusterIdentifier": endpoint["name"].lower(), "Role": "WRITER"}
    return {"DBInstanceIdentifier": endpoint["name"].lower()}


def read_machine(cloudwatch: Callable[[], "CloudWatchClient"], database: Database, now: datetime) -> Machine:
    """Return the load and storage of the database's machine; `problem` says why a value is unknown."""
    dimensions = cloudwatch_dimensions(database)
    if not dimensions:
        return Machine()
    machine = next(iter(dimensions.values()))
    queries = [
        MetricQuery(name, "AWS/RDS", metric, statistic, _PERIOD_S, dimensions)
        for name, (metric, statistic) in _METRICS.items()
    ]
    try:
        points = read_complete(cloudwatch(), queries, now - _READ, now)
    except (BotoCoreError, ClientError) as error:
        return Machine(machine, problem=f"CloudWatch cannot be read: {str(error).rstrip('.')}")
    except MetricsUnreadable as error:
        return Machine(machine, problem=str(error))
    newest_first = {name: list(reversed(values.values())) for name, values in points.items() if values}
    busy = newest_first.get("cpu", [])[:_BUSY_MINUTES]
    missing = f"CloudWatch has no data of {machine} for the last {_READ.seconds // 60} minutes"
    free = [newest_first[name][0] for name in ("storage", "local_storage") if name in newest_first]
    return Machine(
        machine,
        cpu_percent=sum(busy) / len(busy) if busy else None,
        free_bytes=min(free) if free else None,
        problem="" if busy and free else missing,
    )
