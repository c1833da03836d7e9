"""Every call to AWS of every step in the life of a change goes wrong once, in every way. Tried again, it ends as if
nothing had been; given up and put back, what was before is in force again and the record says so."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from lives import RUN, live_through, record
from local_account.lambda_twin import Twin
from optimizer import aws
from optimizer.changes import Change, Risk, Tuner
from optimizer.policy import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.traffic.minutes import minute_of, moment_of
from optimizer.warmups.ping_log import PingLog
from optimizer.warmups.placing import planned, warmup_of
from optimizer.warmups.warm import Warmed
from own_account import TABLE
from stage import NOW, Clock, Stage, stage

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"


@pytest.fixture
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """A function behind an alias, called a thousand times a minute."""
    for name, value in {
        "SCHEDULE_GROUP": "warmups",
        "SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/schedules",
        "WARM_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:warm_function",
    }.items():
        monkeypatch.setenv(f"OPTIMIZER_{name}", value)
    with stage(request, monkeypatch) as made:
        twin = Twin()
        twin.tags = {"optimizer": "on", "optimizer:warmup": "ready"}
        made.world |= {"twin": twin, "slower": 1.0}
        made.calls.answers |= lambda_answers(made) | {
            "GetMetricData": lambda request: metric_data(request, made.world["slower"]),
            "DescribeLogGroups": log_groups,
            "StartQuery": lambda _request: {"queryId": "q"},
            "GetQueryResults": report_rows,
            "GetAccountSettings": lambda _request: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
        }
        yield made


def lambda_answers(made: Stage) -> dict[str, Any]:
    """The twin's, by the name of the operation."""
    services = {
        "lambda": (
            "GetFunctionConfiguration", "ListAliases", "GetAlias", "GetProvisionedConcurrencyConfig", "ListTags",
            "GetFunctionConcurrency", "ListVersionsByFunction", "UpdateFunctionConfiguration", "PublishVersion",
            "UpdateAlias", "PutProvisionedConcurrencyConfig", "DeleteProvisionedConcurrencyConfig",
        ),
        "application-autoscaling": ("DescribeScalableTargets", "RegisterScalableTarget"),
    }  # fmt: skip

    def answer(service: str, operation: str) -> Any:
        name = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
        return lambda request: getattr(made.world["twin"].client(service), name)(**request)

    return {name: answer(service, name) for service, names in services.items() for name in names}


def metric_data(request: dict[str, Any], slower: float, *, new: bool = False) -> dict[str, Any]:
    """The version with a new size gets a tenth of the calls, and is `slower`; or all calls are (`new`)."""
    results = []
    for query in request["MetricDataQueries"]:
        stat = query["MetricStat"]
        dimensions = {one["Name"]: one["Value"] for one in stat["Metric"]["Dimensions"]}
        step, first = timedelta(seconds=stat["Period"]), request["StartTime"]
        count = max(1, -(-(request["EndTime"] - first) // step))
        canary = dimensions.get("ExecutedVersion", "1") != "1"
        calls = stat["Period"] / 60 * (100 if canary else 1000)
        mean = 50 * (slower if canary or new else 1.0)
        metric, kind = stat["Metric"]["MetricName"], stat["Stat"]
        values = {"Invocations": [calls] * count}.get(metric, [0.0] * count)
        if metric == "Duration":
            values = [calls if kind == "SampleCount" else mean + n % 3 for n in range(count)]
        times = [first + n * step for n in range(count)]
        results.append({"Id": query["Id"], "Timestamps": times, "Values": values, "StatusCode": "Complete"})
    return {"MetricDataResults": results}


def log_groups(request: dict[str, Any]) -> dict[str, Any]:
    created = int((NOW - timedelta(days=30)).timestamp() * 1000)
    return {
        "logGroups": [{"logGroupName": request["logGroupNamePrefix"], "storedBytes": 10**7, "creationTime": created}]
    }


def report_rows(_request: dict[str, Any]) -> dict[str, Any]:
    message = (
        "REPORT RequestId: 1\tDuration: 70.00 ms\tBilled Duration: 70 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\t"
    )
    at = Clock.at.strftime("%Y-%m-%d %H:%M:%S.000")
    fields = {"@timestamp": at, "@logStream": "2026/11/20/[2]a", "@message": message}
    rows = [[{"field": name, "value": value} for name, value in fields.items()]]
    return {"status": "Complete", "results": rows, "statistics": {"bytesScanned": 1e3}}


def serving(made: Stage) -> Any:
    """What calls of the function meet."""
    twin = made.world["twin"]
    sizes = {
        version: twin.versions[version]["MemorySize"] for version in (twin.alias["version"], *twin.alias["weights"])
    }
    provisioned = twin.provisioned["requested"] if twin.provisioned else 0
    return sizes, twin.latest["MemorySize"], provisioned, twin.bounds


def memory_change() -> Change:
    return Change(
        run_id=RUN,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=ARN,
        before={"memory_mb": 1024, "version": "1"},
        after={"memory_mb": 512},
        reason="cheaper",
        undo={"memory_mb": 1024},
        risk=Risk.LOW,
        evidence={
            "alias": "live", "canary_weight": 0.1, "provisioned_environments": 0, "max_memory_used_mb": 90,
            "samples": 5000, "price_ratio": 0.6, "duration_ratio": 1.0, "p95_ratio": 1.0,
        },
    )  # fmt: skip


@pytest.mark.parametrize("slower", [1.0, 2.0])
def test_a_change_of_memory(staged: Stage, slower: float) -> None:
    staged.world["slower"] = slower
    change = memory_change()
    record(staged, change, {"version": 1})
    outcomes = live_through(staged, "change_capacity", change, lambda: serving(staged))
    assert outcomes[-1] == ("kept" if slower == 1.0 else "reverted"), outcomes
    assert serving(staged) == (({"2": 512}, 512, 0, None) if slower == 1.0 else ({"1": 1024}, 1024, 0, None))


def provisioned_change(before: dict[str, int], after: dict[str, int]) -> Change:
    return Change(
        run_id=RUN,
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        target=ARN,
        before=before,
        after=after,
        reason="fewer cold starts",
        undo=before,
        risk=Risk.LOW,
        evidence={"alias": "live", "usd_month": 10.0, "usd_month_before": 5.0, "utilisation": 0.7},
    )


PROVISIONED = {"version": 1, "provisioned_concurrency": {"mode": "auto", "max_usd_month": 100.0, "max_usd_day": 10.0}}


@pytest.mark.parametrize("regretted", [False, True])
@pytest.mark.parametrize("scaled", [False, True])
def test_a_change_of_provisioned_concurrency(staged: Stage, scaled: bool, regretted: bool) -> None:
    before, after = {"environments": 2}, {"environments": 4}
    if scaled:
        staged.world["twin"].bounds = [1, 2]
        before, after = before | {"min": 1, "max": 2}, after | {"min": 2, "max": 4}
    else:
        staged.world["twin"].provisioned = {"requested": 2, "status": "READY"}
    change = provisioned_change(before, after)
    record(staged, change, PROVISIONED)

    staged.calls.answers["GetMetricData"] = lambda request: metric_data(
        # The alias is compared with itself a week before.
        request,
        1.0 if request["StartTime"] < NOW - timedelta(hours=1) else 1.0 + regretted,
        new=True,
    )
    outcomes = live_through(staged, "change_capacity", change, lambda: serving(staged))
    assert outcomes[-1] == ("reverted" if regretted else "kept"), outcomes
    wanted = before if regretted else after
    if scaled:
        assert staged.world["twin"].bounds == [wanted["min"], wanted["max"]]
    else:
        assert staged.world["twin"].provisioned["requested"] == wanted["environments"]


CACHE = Cache("shop", 64, ("/aws/lambda/shop",), (CacheNamespace("price", 5, 600),), "/shop/cache-ttls")
TTLS = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,)))


def ttl_change() -> Change:
    numbers = {"hit_ratio_before": 0.7, "hit_ratio_after": 0.8, "measured_hit_ratio": 0.7, "miss_ms_per_read": 12.0}
    numbers |= {"reads": 1000, "reads_per_s": 10.0, "miss_ms": 40.0}
    return Change(
        run_id=RUN,
        tuner=Tuner.CACHE_TTLS,
        action="set_ttls",
        target="cache/shop",
        before={"version": 6, "ttl_s": {"price": 60.0}},
        after={"version": 7, "ttl_s": {"price": 120.0}},
        reason="more hits",
        undo={"ttl_s": {"price": 60.0}},
        risk=Risk.MEDIUM,
        evidence={
            "namespaces": {"price": numbers},
            "memory_bytes_before": 1e6,
            "memory_bytes_after": 2e6,
            "server": None,
        },
    )


def client_record(hits: int) -> dict[str, Any]:
    """A line of the cache's client, of a thousand reads."""
    record = {
        "_aws": {"Timestamp": NOW.timestamp() * 1000},
        "CacheNamespace": "price",
        "TtlVersion": "7",
        "FromSeconds": NOW.timestamp() - 60,
        **dict.fromkeys(("EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges"), 0),
        "Hits": hits,
        "Misses": 1000 - hits,
        "Loads": 1000 - hits,
        "LoadTime": 40.0,
    }
    return {"events": [{"message": f"OptimizerCache {json.dumps(record)}"}]}


@pytest.mark.parametrize("hits", [800, 300])
def test_a_change_of_ttls(staged: Stage, hits: int) -> None:
    parameters = staged.services.parameters
    parameters[CACHE.parameter] = [json.dumps({"version": 6, "ttl_s": {"price": 60.0}})]
    staged.calls.answers["FilterLogEvents"] = lambda _request: client_record(hits)
    change = ttl_change()
    record(staged, change, TTLS)

    def in_force() -> Any:
        return json.loads(staged.services.parameters[CACHE.parameter][-1])["ttl_s"]

    outcomes = live_through(staged, "change_cache_ttls", change, in_force)
    assert outcomes[-1] == ("kept" if hits == 800 else "reverted"), outcomes
    assert in_force() == ({"price": 120.0} if hits == 800 else {"price": 60.0})


def warmup_change() -> Change:
    return Change(
        run_id=RUN,
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        target=ARN,
        before={"schedules": 0, "plans": []},
        after={
            "pings": 12, "most_environments": 2, "usd_day": 0.001, "alias": "live", "timezone": "Europe/Berlin",
            "hold_ms": 200, "hours": 24, "from": (NOW + timedelta(minutes=5)).isoformat(),
            "schedule": [[50 * n, 2] for n in range(6)],
        },
        reason="because",
        undo={"action": "delete_schedules", "schedules": 6},
        risk=Risk.LOW,
        evidence={"cold_starts_avoided": 12.0, "usd_day": 0.001, "usd_month": 0.03},
    )  # fmt: skip


@pytest.mark.parametrize("came", [True, False])
def test_a_change_of_warm_ups(staged: Stage, came: bool) -> None:
    change = warmup_change()
    record(staged, change, {"version": 1, "warmups": {"mode": "auto"}})

    def pings_come(step: str) -> None:
        """Those of the time since the step before."""
        if step != "verify" or not came:
            return
        staged.calls.arm(0, None)
        log = PingLog(aws.client("dynamodb"), TABLE)
        for minute, environments in planned(change):
            if minute <= minute_of(Clock.at):
                warmed = Warmed(environments, environments, 1, environments, 0, 4.0, 200.0, 1, 400.0)
                log.record(warmup_of(change, minute, environments), warmed, moment_of(minute))

    outcomes = live_through(staged, "change_warmups", change, lambda: sorted(staged.services.schedules), pings_come)
    assert outcomes[-1] == ("kept" if came else "reverted"), outcomes
    assert len(staged.services.schedules) == (6 if came else 0)
