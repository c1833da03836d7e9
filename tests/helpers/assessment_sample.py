"""An assessment as its page shows it, for tests and for people to look at."""

from datetime import UTC, datetime

from optimizer.assess.model import Assessment, Finding, FunctionRow, Hindrance, ServerRow, Spent
from optimizer.assess.reads import MissingRight
from optimizer.core import Interval

NOW = datetime(2026, 11, 16, 9, 30, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"
NO_ALIAS = Hindrance("alias.none", "It has no alias; publish a version, name it with an alias live, and call that.")


def memory(before_mb: int, after_mb: int, usd: float, ms: float = 0.0) -> Finding:
    """Return a memory size that would pay."""
    return Finding(
        "memory",
        f"memory {before_mb} -> {after_mb} MB",
        f"Try {after_mb} MB on 10% of calls: saves about ${usd:.2f} a month.",
        Interval(-usd, -usd * 1.3, -usd * 0.7),
        Interval(ms, min(ms * 1.2, ms * 0.8), max(ms * 1.2, ms * 0.8)),
    )


def warmups(fewer: float, usd: float) -> Finding:
    """Return pings that would make a function faster."""
    return Finding(
        "warmups",
        "82 warm-up pings of at most 3 environments",
        "Cold starts are expected at eight o'clock.",
        Interval(usd, usd * 0.8, usd * 1.2),
        None,
        Interval(-fewer, -fewer * 1.4, -fewer * 0.6),
    )


def function(
    name: str,
    mb: int,
    calls_day: float,
    bill: float,
    *findings: Finding,
    hindrances: Hindrance | None = None,
    **more: object,
) -> FunctionRow:
    """Return a function that was looked at."""
    return FunctionRow(
        **{  # type: ignore[arg-type]
            "name": name,
            "arn": f"{ARN}{name}",
            "memory_mb": mb,
            "architecture": "arm64",
            "runtime": "python3.13",
            "calls_day": calls_day,
            "mean_ms": 120.0,
            "bill_usd_month": bill,
            "alias": "live",
            "is_assessed": calls_day > 0,
            "findings": findings,
            "hindrances": (hindrances,) if hindrances else (),
            "notes": {} if findings else {"memory": "No change needed: 512 MB is the best size seen."},
            **more,
        }
    )


def sample() -> Assessment:
    """Return the assessment of a small account."""
    stack = Hindrance(
        "owner.cloudformation",
        "Stack shop owns the memory size and would overwrite it; change MemorySize: 512 of Orders in its template.",
    )
    image = Hindrance("kind.image", "It is a container image; change its MemorySize where the image is deployed.")
    few = Hindrance("data.few_calls", "37 calls were seen with 256 MB; 200 are needed to judge it.")
    functions = (
        function(
            "orders", 1024, 610_000, 141.2, memory(1024, 512, 48.3), owner="AWS SAM (stack shop)", hindrances=stack
        ),
        function("checkout", 2048, 180_000, 118.7, memory(2048, 1024, 31.9), warmups(412, 1.1)),
        function("invoice-pdf", 1769, 42_000, 64.0, memory(1769, 1024, 17.4), runtime="image", hindrances=image),
        function("search", 512, 920_000, 58.1, memory(512, 768, 6.2, -41.0), alias="", hindrances=NO_ALIAS),
        function(
            "session", 1024, 75_000, 22.4, memory(1024, 512, 8.8), warmups(655, 1.6), alias="", hindrances=NO_ALIAS
        ),
        function("thumbnail", 512, 61_000, 12.9),
        function("newsletter", 256, 30, 0.04, hindrances=few),
        *(function(f"report-{n}", 512, 0, 0.0, owner="terraform, team data") for n in range(4)),
    )
    secret = "a secret with a database user, or IAM authentication"
    servers = (
        ServerRow(
            "cache", "sessions", "valkey 8.0", "cache.t4g.small", can="tune TTLs",
            needs=("the cache client of packages/optimizer-cache in the functions that read it",),
            advice=(
                "hit ratio 71.4%: longer TTLs may raise it",
                "memory 23% full: there is room for longer TTLs, or for a smaller node",
            ),
        ),
        ServerRow(
            "database", "shop", "postgres 16.4", "db.r6g.large, 200 GiB", owner="CloudFormation (stack shop)",
            can="look for superfluous, missing and bloated indexes",
            needs=(secret, "subnets and a security group that reach it in vpc-0a1b"),
            advice=("CPU 63% on average, 98% at most: missing indexes may be why; inspect it first",),
        ),
    )  # fmt: skip
    missing = (
        MissingRight("elasticache:DescribeServerlessCaches", "no serverless cache is assessed", "not authorized"),
    )
    calls = {"lambda.ListAliases": 7, "logs.StartQuery": 6, "cloudwatch.GetMetricData": 14, "lambda.ListFunctions": 1}
    return Assessment(
        "123456789012", "eu-central-1", NOW, NOW, functions, servers, missing, Spent(calls, {}, 96, 4e8, 0.003), 14
    )
