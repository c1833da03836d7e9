"""What the acting Lambda reads of a target just before it acts and while it watches."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from optimizer.core import moment_of
from optimizer.warmups.change import Target
from optimizer.warmups.observe import Calls

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_lambda import LambdaClient


def read_target(lambda_: "LambdaClient", function_name: str, alias: str, ready_tag: str) -> Target:
    """Whether the alias exists and whether the function is tagged as understanding pings."""
    try:
        arn = lambda_.get_function_configuration(FunctionName=function_name, Qualifier=alias)["FunctionArn"]
        tags = lambda_.list_tags(Resource=arn.removesuffix(f":{alias}"))["Tags"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return Target(has_alias=False, ready=False)
        raise
    return Target(has_alias=True, ready=tags.get(ready_tag) == "ready")


def read_calls(cloudwatch: "CloudWatchClient", function_name: str, first_minute: int, end_minute: int) -> Calls:
    """Calls and errors of a function in the minutes first..end, end not included."""
    dimensions = [{"Name": "FunctionName", "Value": function_name}]
    queries: Any = [
        {
            "Id": metric.lower(),
            "MetricStat": {
                "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions},
                "Period": 60,
                "Stat": "Sum",
            },
        }
        for metric in ("Invocations", "Errors")
    ]
    totals: dict[str, float] = {}
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=queries, StartTime=moment_of(first_minute), EndTime=moment_of(end_minute)
    )
    for page in pages:
        for result in page["MetricDataResults"]:
            if result["Values"]:
                totals[result["Id"]] = totals.get(result["Id"], 0.0) + sum(result["Values"])
    return Calls(totals.get("invocations"), totals.get("errors"))
