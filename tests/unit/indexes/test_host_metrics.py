"""The load and storage of a database's machine in CloudWatch, and when they delay a build."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from moto import mock_aws
from optimizer.indexes.change.host_metrics import cloudwatch_dimensions, read_machine
from optimizer.indexes.change.preflight import obstacle_of_machine
from optimizer.indexes.change.server import Machine
from optimizer.policy.model import Database, Indexes

NOW = datetime.now(UTC).replace(second=0, microsecond=0)
_RDS = "eu-central-1.rds.amazonaws.com"
MB = 1 << 20


def database(host: str = f"shop.c0ffee.{_RDS}", **parts: Any) -> Database:
    return Database("shop", "postgresql", host, "shop", **parts)


@pytest.mark.parametrize(
    ("given", "dimensions"),
    [
        (database(), {"DBInstanceIdentifier": "shop"}),
        (database(f"Shop-1.c0ffee.{_RDS}"), {"DBInstanceIdentifier": "shop-1"}),
        (database(f"shop.cluster-c0ffee.{_RDS}"), {"DBClusterIdentifier": "shop", "Role": "WRITER"}),
        (database("shop.c0ffee.rds.cn-north-1.amazonaws.com.cn"), {}),
        (database("shop.c0ffee.cn-north-1.rds.amazonaws.com.cn"), {"DBInstanceIdentifier": "shop"}),
        # A proxy and a cluster's readers are no writer.
        (database(f"shop.proxy-c0ffee.{_RDS}"), {}),
        (database(f"shop.cluster-ro-c0ffee.{_RDS}"), {}),
        (database("db.example.com"), {}),
        (database("127.0.0.1"), {}),
        (database("db.example.com", rds_instance="shop-2"), {"DBInstanceIdentifier": "shop-2"}),
        (database("db.example.com", rds_cluster="all"), {"DBClusterIdentifier": "all", "Role": "WRITER"}),
        (
            database("db.example.com", data_api_arn="arn:aws:rds:eu-central-1:123456789012:cluster:all"),
            {"DBClusterIdentifier": "all", "Role": "WRITER"},
        ),
    ],
)
def test_writer_is_found_by_endpoint_or_policy(given: Database, dimensions: dict[str, str]) -> None:
    assert cloudwatch_dimensions(given) == dimensions


@pytest.fixture
def cloudwatch() -> Any:
    with mock_aws():
        yield boto3.client("cloudwatch", region_name="eu-central-1")


def put(cloudwatch: Any, metric: str, values: dict[int, float]) -> None:
    """Publish `values`, by their age in minutes."""
    dimensions = [{"Name": "DBInstanceIdentifier", "Value": "shop"}]
    data = [
        {"MetricName": metric, "Dimensions": dimensions, "Timestamp": NOW - timedelta(minutes=ago), "Value": value}
        for ago, value in values.items()
    ]
    cloudwatch.put_metric_data(Namespace="AWS/RDS", MetricData=data)


def test_machine_has_mean_load_and_latest_free_storage(cloudwatch: Any) -> None:
    put(cloudwatch, "CPUUtilization", {12: 99, 7: 99, 6: 30, 5: 20, 4: 30, 3: 20, 2: 50})
    put(cloudwatch, "FreeStorageSpace", {9: 900 * MB, 2: 500 * MB})
    found = read_machine(lambda: cloudwatch, database(), NOW)
    assert found == Machine("shop", cpu_percent=30.0, free_bytes=500.0 * MB)


def test_old_metrics_are_unknown(cloudwatch: Any) -> None:
    put(cloudwatch, "CPUUtilization", {2: 10})
    put(cloudwatch, "FreeStorageSpace", {40: 500 * MB})
    found = read_machine(lambda: cloudwatch, database(), NOW)
    assert (found.cpu_percent, found.free_bytes) == (10.0, None)
    assert found.problem == "CloudWatch has no data of shop for the last 15 minutes"


def test_server_outside_rds_is_not_looked_up() -> None:
    def nobody() -> Any:
        raise AssertionError("CloudWatch was asked")

    assert read_machine(nobody, database("127.0.0.1"), NOW) == Machine()


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "Throttling", "Message": "Rate exceeded"}}, "GetMetricData"),
        EndpointConnectionError(endpoint_url="https://monitoring.eu-central-1.amazonaws.com"),
    ],
)
def test_cloudwatch_error_is_reported_as_problem(error: Exception) -> None:
    def refuse(**_: Any) -> Any:
        raise error

    client: Any = SimpleNamespace(get_paginator=lambda _name: SimpleNamespace(paginate=refuse))
    found = read_machine(lambda: client, database(), NOW)
    assert (found.name, found.cpu_percent, found.free_bytes) == ("shop", None, None)
    assert found.problem == f"CloudWatch cannot be read: {error}".rstrip(".")


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine(), ""),
        (Machine("shop", 75.0, 4096 * MB), ""),
        (
            Machine("shop", 75.5, 4096 * MB),
            "The processors of shop are 76% busy; the limit is 75% (indexes.max_cpu_percent).",
        ),
        (
            Machine("shop", 10.0, 4095 * MB),
            "4,095 MiB of storage are free on shop; the build needs 4,096 MiB, including 2,048 MiB that must stay free "
            "(indexes.min_free_storage_mb).",
        ),
        (
            Machine("shop", problem="it is night"),
            "The load and the free storage of shop are unknown: it is night.",
        ),
        (
            Machine("shop", 10.0, None, "it is night"),
            "The load and the free storage of shop are unknown: it is night.",
        ),
    ],
)
def test_load_and_storage_delay_a_build(machine: Machine, words: str) -> None:
    assert obstacle_of_machine(machine, 1024 * MB, Indexes()) == words
