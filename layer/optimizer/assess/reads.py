"""The reads of an assessment: the only operations that it may call, the right that each needs, and its pace. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from optimizer.core import OptimizerError

# The default quotas of an account, in calls a second; an assessment uses half of each, so that nobody else notices it.
# Lambda: 15 for most operations of the control plane together, 100 for GetFunction. CloudWatch Logs: 5 for each of its
# operations. CloudWatch: 50 for GetMetricData.
QUOTAS: Mapping[str, float] = MappingProxyType(
    {"lambda": 15.0, "GetFunction": 100.0, "GetMetricData": 50.0, "logs": 5.0, "list": 10.0}
)
SHARE = 0.5
# Data points a second of GetMetricData for times older than three hours.
POINTS_QUOTA = 396_000.0


class NotARead(OptimizerError, RuntimeError):
    """An assessment tried to call an operation that is not in its list of reads; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Read:
    """One operation. action: the IAM action that allows it. without: the loss if it is denied."""

    action: str
    without: str
    quota: str = "list"


# By the names of boto3: service and operation.
READS: Mapping[tuple[str, str], Read] = MappingProxyType(
    {
        ("sts", "GetCallerIdentity"): Read("sts:GetCallerIdentity", "the account is not known"),
        ("lambda", "ListFunctions"): Read("lambda:ListFunctions", "no function is assessed", "lambda"),
        ("lambda", "ListAliases"): Read(
            "lambda:ListAliases", "aliases and shifting deployments are not known", "lambda"
        ),
        ("lambda", "GetFunction"): Read(
            "lambda:GetFunction", "the version behind an alias is not compared with $LATEST", "GetFunction"
        ),
        ("lambda", "ListProvisionedConcurrencyConfigs"): Read(
            "lambda:ListProvisionedConcurrencyConfigs", "provisioned concurrency and its cost are not known", "lambda"
        ),
        ("application-autoscaling", "DescribeScalableTargets"): Read(
            "application-autoscaling:DescribeScalableTargets", "scaled provisioned concurrency is not known"
        ),
        ("resourcegroupstaggingapi", "GetResources"): Read("tag:GetResources", "owners and opt-in tags are not known"),
        ("cloudwatch", "GetMetricData"): Read(
            "cloudwatch:GetMetricData", "calls, durations and load are not known", "GetMetricData"
        ),
        ("logs", "DescribeLogGroups"): Read(
            "logs:DescribeLogGroups", "memory sizes and cold starts are not judged", "DescribeLogGroups"
        ),
        ("logs", "StartQuery"): Read("logs:StartQuery", "memory sizes and cold starts are not judged", "StartQuery"),
        ("logs", "GetQueryResults"): Read(
            "logs:GetQueryResults", "memory sizes and cold starts are not judged", "GetQueryResults"
        ),
        ("rds", "DescribeDBInstances"): Read("rds:DescribeDBInstances", "no database instance is assessed"),
        ("rds", "DescribeDBClusters"): Read("rds:DescribeDBClusters", "no database cluster is assessed"),
        ("elasticache", "DescribeReplicationGroups"): Read(
            "elasticache:DescribeReplicationGroups", "replicated caches are not assessed as a whole"
        ),
        ("elasticache", "DescribeCacheClusters"): Read(
            "elasticache:DescribeCacheClusters", "no cache node is assessed"
        ),
        ("elasticache", "DescribeServerlessCaches"): Read(
            "elasticache:DescribeServerlessCaches", "no serverless cache is assessed"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right that the credentials lack. without: the loss. message: the service's own words."""

    action: str
    without: str
    message: str


def allowed(service: str, operation: str) -> Read:
    """Return the read; raise NotARead for any other operation."""
    try:
        return READS[service, operation]
    except KeyError:
        raise NotARead(f"an assessment only reads, and {service}.{operation} is not one of its reads") from None


def calls_a_second(quota: str) -> float:
    """Return the pace of the operations that share a quota; each operation of CloudWatch Logs has its own."""
    return QUOTAS.get(quota, QUOTAS["logs"]) * SHARE


def rights_document() -> dict[str, Any]:
    """Return the IAM policy that allows everything an assessment reads, and nothing else."""
    actions = sorted({read.action for read in READS.values()})
    statement = {"Sid": "Assess", "Effect": "Allow", "Action": actions, "Resource": "*"}
    return {"Version": "2012-10-17", "Statement": [statement]}
