"""Reads how much duration of Lambda the account used in the last days, for the tier of its prices.

One metric of all functions together is enough where even the most memory would stay within the first tier. Only of a
larger account the functions are listed, with one metric each.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import batched

from optimizer.aws import CloudWatchClient, LambdaClient, MetricQuery, read_complete
from optimizer.prices import USAGE_DAYS, AccountUsage, usage_at_most, usage_of_functions

# The smallest end of a first tier, of both architectures in every Region (AWS Lambda pricing).
FIRST_TIER_GB_S = Decimal(6_000_000_000)
_DAY_S = 86_400
# Queries that one call of GetMetricData may hold.
_QUERIES = 500


def read_usage(functions: "LambdaClient", cloudwatch: "CloudWatchClient", now: datetime) -> AccountUsage:
    """Return the usage of a month; raise MetricsUnreadable or an error of the SDK where it cannot be read."""
    (all_s,) = _durations_s(cloudwatch, [""], now)
    most = usage_at_most(all_s, now)
    if max(most.gb_s_month.values()) < FIRST_TIER_GB_S:
        return most
    return usage_of_functions(_used(functions, cloudwatch, now), now)


def _used(functions: "LambdaClient", cloudwatch: "CloudWatchClient", now: datetime) -> Iterator[tuple[str, int, float]]:
    pages = functions.get_paginator("list_functions").paginate()
    for listed in batched((one for page in pages for one in page["Functions"]), _QUERIES, strict=False):
        durations = _durations_s(cloudwatch, [one["FunctionName"] for one in listed], now)
        for one, duration_s in zip(listed, durations, strict=True):
            yield (one.get("Architectures") or ["x86_64"])[0], one["MemorySize"], duration_s


def _durations_s(cloudwatch: "CloudWatchClient", names: list[str], now: datetime) -> list[float]:
    """Return the duration of all calls of each function; of an empty name, of all functions together."""
    queries = [
        MetricQuery(f"d{number}", "AWS/Lambda", "Duration", "Sum", _DAY_S, {"FunctionName": name} if name else {})
        for number, name in enumerate(names)
    ]
    end = now.replace(hour=0, minute=0, second=0, microsecond=0)
    found = read_complete(cloudwatch, queries, end - timedelta(days=USAGE_DAYS), end)
    return [sum(found[query.identifier].values()) / 1000 for query in queries]
