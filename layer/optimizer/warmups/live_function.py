"""Read the live state of a function just before a change is applied and while it is under observation."""

from collections.abc import Mapping
from datetime import datetime

from botocore.exceptions import ClientError

from optimizer.aws import CloudWatchClient, LambdaClient, MetricQuery, read_complete
from optimizer.core import moment_of
from optimizer.warmups.change import Target
from optimizer.warmups.observe import Calls


def read_target(lambda_: "LambdaClient", function_name: str, alias: str, ready_tag: str) -> Target:
    """Read if the alias exists and if the function is tagged as ready for pings."""
    try:
        arn = lambda_.get_function_configuration(FunctionName=function_name, Qualifier=alias)["FunctionArn"]
        tags = lambda_.list_tags(Resource=arn.removesuffix(f":{alias}"))["Tags"]
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            return Target(has_alias=False, ready=False)
        raise
    return Target(has_alias=True, ready=tags.get(ready_tag) == "ready")


def read_calls(
    cloudwatch: "CloudWatchClient", function_name: str, alias: str, first_minute: int, end_minute: int
) -> Calls:
    """Return the calls through an alias and their errors from `first_minute` to `end_minute` (not included)."""
    dimensions = {"FunctionName": function_name, "Resource": f"{function_name}:{alias}"}
    queries = [
        MetricQuery(metric.lower(), "AWS/Lambda", metric, "Sum", 60, dimensions) for metric in ("Invocations", "Errors")
    ]
    points = read_complete(cloudwatch, queries, moment_of(first_minute), moment_of(end_minute))
    totals = {name: sum(values.values()) for name, values in points.items() if values}
    return Calls(totals.get("invocations"), totals.get("errors"))


def read_concurrency(
    cloudwatch: "CloudWatchClient", function_name: str, first_minute: int, end_minute: int
) -> Mapping[datetime, float]:
    """Return the maximum concurrency of each minute with calls, of all aliases and versions of a function."""
    dimensions = {"FunctionName": function_name}
    query = MetricQuery("concurrency", "AWS/Lambda", "ConcurrentExecutions", "Maximum", 60, dimensions)
    return read_complete(cloudwatch, [query], moment_of(first_minute), moment_of(end_minute))["concurrency"]
