"""Read a day of one function as most scripts do: a call for each setting and metric, a log query, in turn."""

import time
from datetime import timedelta
from functools import cache
from typing import Any

import boto3
from account import Service
from botocore.config import Config
from botocore.exceptions import ClientError

_METRICS = (
    ("Invocations", "Sum"),
    ("Duration", "Average"),
    ("ConcurrentExecutions", "Maximum"),
    ("Duration", "p95"),
    ("Errors", "Sum"),
    ("Throttles", "Sum"),
)
_QUERY = 'filter @type = "REPORT" | fields @timestamp, @message'


@cache
def _client(service: str, url: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - of the stand-in
        config=Config(retries={"mode": "standard", "total_max_attempts": 10}),
    )


def read_plainly(service: Service, name: str) -> None:
    """Read all new data of a function: its settings, its metrics, its log."""
    cloudwatch, logs = _client("cloudwatch", service.url), _client("logs", service.url)
    functions = _client("lambda", service.url)
    functions.get_function(FunctionName=name)
    functions.get_function(FunctionName=name, Qualifier="live")
    functions.list_provisioned_concurrency_configs(FunctionName=name)
    start = service.now - timedelta(days=1)
    for metric, statistic in _METRICS:
        which = {"ExtendedStatistics": [statistic]} if statistic[0] == "p" else {"Statistics": [statistic]}
        cloudwatch.get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": name}],
            StartTime=start,
            EndTime=service.now,
            Period=60,
            **which,
        )
    query = _start(logs, name, int(start.timestamp()), int(service.now.timestamp()))
    while logs.get_query_results(queryId=query)["status"] != "Complete":
        time.sleep(0.5)


def _start(logs: Any, name: str, start: int, end: int) -> str:
    while True:
        try:
            answer = logs.start_query(
                logGroupName=f"/aws/lambda/{name}", startTime=start, endTime=end, queryString=_QUERY
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "LimitExceededException":
                raise
            time.sleep(0.5)
        else:
            query: str = answer["queryId"]
            return query
