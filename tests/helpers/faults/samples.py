"""Provide a change of each tuner that goes well, and one that is rolled back."""

import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import ModuleType
from typing import Any

from optimizer.aws import clients
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.core import Warmed
from optimizer.core.change import Change, Risk, Tuner
from optimizer.core.clock import minute_of, moment_of
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.store.pings import PingLog
from optimizer.warmups.schedule_batches import pings_of, warmup_of
from optimizer.warmups.sending.warm import warm_alias

from tests.helpers.faults import lambda_world
from tests.helpers.faults.fake_database import DEFINITION, INDEX, FakeServer, catalog
from tests.helpers.faults.lambda_world import ARN, serving
from tests.helpers.faults.lives import RUN, Life
from tests.helpers.faults.stage import NOW, Clock, Stage
from tests.helpers.own_account import TABLE
from tests.helpers.rates import PRICED

# Schedules need these variables, as template.yaml sets them.
VARIABLES = {
    "OPTIMIZER_SCHEDULE_GROUP": "warmups",
    "OPTIMIZER_SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/schedules",
    "OPTIMIZER_WARM_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:warm_function",
    "OPTIMIZER_PROVISION_FUNCTION_ARN": "arn:aws:lambda:eu-west-1:123456789012:function:provision_function",
}


def _change(tuner: Tuner, action: str, before: Any, after: Any, evidence: Any, target: str = ARN) -> Change:
    return Change(RUN, tuner, action, target, before, after, "It is better.", before, Risk.LOW, evidence)


# Functions.


def memory(*, slower: bool) -> Life:
    evidence = {
        "alias": "live", "canary_weight": 0.1, "provisioned_environments": 0, "max_memory_used_mb": 90,
        "samples": 5000, "price_ratio": 0.6, "duration_ratio": 1.0, "p95_ratio": 1.0,
    }  # fmt: skip
    before = {"memory_mb": 1024, "version": "1"}

    def begin(stage: Stage) -> None:
        lambda_world.build(stage)
        stage.world["slower"] = 2.0 if slower else 1.0

    change = _change(Tuner.MEMORY, "set_memory", before, {"memory_mb": 512}, evidence)
    ends = "reverted" if slower else "kept"
    return Life("change_capacity", change, {"version": 1}, begin, serving, ends, timedelta(minutes=360))


def provisioned(*, scaled: bool, slower: bool) -> Life:
    before, after = {"environments": 2}, {"environments": 4}
    if scaled:
        before, after = before | {"min": 1, "max": 2}, after | {"min": 2, "max": 4}
    evidence = {"alias": "live", "usd_month": 10.0, "usd_month_before": 5.0, "utilisation": 0.7, **PRICED}

    def begin(stage: Stage) -> None:
        lambda_world.build(stage)
        stage.world["slower_after"] = 2.0 if slower else 1.0
        if scaled:
            stage.world["twin"].bounds = [1, 2]
        else:
            stage.world["twin"].provisioned = {"requested": 2, "status": "READY"}

    change = _change(Tuner.PROVISIONED_CONCURRENCY, "set_provisioned_concurrency", before, after, evidence)
    ends = "reverted" if slower else "kept"
    return Life("change_capacity", change, PROVISIONED, begin, serving, ends, timedelta(minutes=360))


# Every morning from six to ten at night; changes are made at a quarter past six.
DAY = Timetable.of_hours([3 if 6 <= hour % 24 < 22 else 0 for hour in range(168)], "UTC")
PROVISIONED = {"version": 1, "provisioned_concurrency": {"mode": "auto", "max_usd_month": 100.0, "max_usd_day": 10.0}}


def timetable(*, scaled: bool, met: bool) -> Life:
    before, after = {"environments": 0}, {"environments": 3, "floor": 0, "timetable": DAY.document()}
    if scaled:
        before, after = {"environments": 2, "min": 0, "max": 2}, after | {"min": 3, "max": 3}
    evidence = {
        "alias": "live", "usd_month": 10.0, "usd_month_before": 0.0, "utilisation": 0.7, "usd_dearest_day": 0.4,
        **PRICED,
        "least_utilisation": 0.2, "utilisation_worst_day": 0.2,
    }  # fmt: skip

    def begin(stage: Stage) -> None:
        lambda_world.build(stage)
        stage.world["met"] = met
        stage.world["twin"].bounds = [0, 2] if scaled else None

    def in_force(stage: Stage) -> Any:
        return serving(stage), sorted(stage.services.schedules), sorted(stage.world["twin"].actions)

    change = _change(Tuner.PROVISIONED_CONCURRENCY, "schedule_provisioned_concurrency", before, after, evidence)
    ends = "kept" if met else "reverted"
    return Life("change_capacity", change, PROVISIONED, begin, in_force, ends, timedelta(days=1))


def warmups(*, pings_come: bool) -> Life:
    after = {
        "pings": 12, "most_environments": 2, "usd_day": 0.001, "alias": "live", "timezone": "Europe/Berlin",
        "hold_ms": 200, "hours": 24, "from": (NOW + timedelta(minutes=5)).isoformat(),
        "schedule": [[0, 50, 6, 2]],
    }  # fmt: skip
    evidence = {"cold_starts_avoided": 12.0, "usd_day": 0.001, "usd_month": 0.03}
    change = _change(Tuner.WARMUPS, "schedule_warmups", {"schedules": 0, "plans": []}, after, evidence)

    def pings(stage: Stage, step: str) -> None:
        if step != "verify" or not pings_come:
            return
        stage.calls.arm(0, None)
        log = PingLog(clients.client("dynamodb"), TABLE)
        for minute, environments in pings_of(change):
            if minute <= minute_of(stage.world.get("true_now", Clock.at)):
                warmed = Warmed(environments, environments, 1, environments, 0, 4.0, 200.0, 1, 400.0)
                log.record(warmup_of(change, minute, environments), warmed, moment_of(minute))

    def in_force(stage: Stage) -> list[str]:
        return sorted(stage.services.schedules)

    def begin(stage: Stage) -> None:
        lambda_world.build(stage)
        _answers_pings(stage)

    policy = {"version": 1, "warmups": {"mode": "auto"}}
    ends = "kept" if pings_come else "reverted"
    waits = timedelta(minutes=300)
    return Life("change_warmups", change, policy, begin, in_force, ends, waits, pings)


def _answers_pings(stage: Stage) -> None:
    """Let each call of the function meet one of three environments."""

    def invoked(request: dict[str, Any]) -> dict[str, Any]:
        assert json.loads(request["Payload"])["optimizer_warmup"]
        stage.world["instances"] += 1
        met = {"optimizer_warmup": {"cold": True, "instance": f"i-{stage.world['instances'] % 3}"}}
        return {"Payload": io.BytesIO(json.dumps(met).encode()), "ExecutedVersion": "1"}

    stage.world["instances"] = 0
    stage.calls.answers["Invoke"] = invoked


def pinged(stage: Stage) -> None:
    """Provide a function of which each call meets one of three environments; nobody looks at a clock."""

    def prepare(module: ModuleType) -> None:
        module.__dict__["ping_client"] = lambda _environments: clients.client("lambda", once=True)
        module.__dict__["warm_alias"] = partial(warm_alias, clock=lambda: 0.0)

    lambda_world.build(stage)
    _answers_pings(stage)
    stage.prepare["warm_function"] = prepare


# Caches.

CACHE = Cache("shop", 64, ("/aws/lambda/shop",), (CacheNamespace("price", 5, 600),), "/shop/cache-ttls")


def ttls(*, hits: int) -> Life:
    numbers = {
        "hit_ratio_before": 0.7, "hit_ratio_after": 0.8, "measured_hit_ratio": 0.7, "miss_ms_per_read": 12.0,
        "reads": 1000, "reads_per_s": 10.0, "miss_ms": 40.0,
    }  # fmt: skip
    evidence = {
        "namespaces": {"price": numbers},
        "memory_bytes_before": 1e6,
        "memory_bytes_after": 2e6,
        "server": None,
    }
    before, after = ({"version": version, "ttl_s": {"price": ttl_s}} for version, ttl_s in ((6, 60.0), (7, 120.0)))

    def begin(stage: Stage) -> None:
        stage.services.parameters[CACHE.parameter] = [json.dumps(before)]
        stage.calls.answers["FilterLogEvents"] = lambda request: client_records(stage, request)

    def client_records(stage: Stage, request: dict[str, Any]) -> dict[str, Any]:
        """Return a line of the cache's client, of a thousand reads, if the requested time has begun."""
        counts = dict.fromkeys(("EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges"), 0)
        known = {"Hits": hits, "Misses": 1000 - hits, "Loads": 1000 - hits, "LoadTime": 40.0, "TtlVersion": "7"}
        at = {"_aws": {"Timestamp": request["startTime"]}, "FromSeconds": request["startTime"] / 1000 - 60}
        if request["startTime"] > stage.world.get("true_now", Clock.at).timestamp() * 1000:
            return {"events": []}
        return {"events": [{"message": json.dumps({"CacheNamespace": "price"} | counts | known | at)}]}

    def in_force(stage: Stage) -> Any:
        return json.loads(stage.services.parameters[CACHE.parameter][-1])["ttl_s"]

    policy = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,)))
    change = _change(Tuner.CACHE_TTLS, "set_ttls", before, after, evidence, "cache/shop")
    ends = "kept" if hits >= 800 else "reverted"
    return Life("change_cache_ttls", change, policy, begin, in_force, ends, timedelta(minutes=10))


# Indexes.

INDEXES = {
    "version": 1,
    "indexes": {
        "mode": "auto",
        "actions": {"drop_duplicate": "automatic"},
        "databases": [
            {
                "name": "shop",
                "engine": "mysql",
                "host": "db.example",
                "database": "shop",
                "secret_arn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:shop",
                "tls": "off",
            }
        ],
    },
}


def database(stage: Stage) -> None:
    """Provide a database behind a secret, whose connections are kept as long as an execution environment lives."""
    stage.world["index"] = {"there": True, "visible": True}

    def prepare(module: ModuleType) -> None:
        def server(database: Any, pool: Any) -> FakeServer:
            return FakeServer(stage.world["index"], lambda: pool.get(database))

        module.__dict__["server_for"] = server
        module.__dict__["read_nodes"] = lambda database, pool: (pool.get(database), (catalog(),))[1]

    secret = {"SecretString": json.dumps({"username": "optimizer", "password": "secret"})}
    stage.calls.answers["GetSecretValue"] = lambda _request: secret
    stage.prepare |= {"change_indexes": prepare, "plan_index_maintenance": prepare}
    for name, found in {"connect": object(), "is_healthy": True, "take_slot": None}.items():
        stage.monkeypatch.setattr(f"optimizer.indexes.connect.pool.{name}", lambda *_, found=found, **__: found)


def indexes() -> Life:
    before = {
        "database": "shop", "schema": "shop", "table": "orders", "index": INDEX, "size_bytes": 10**6,
        "definition": DEFINITION, "oid": None, "protected": "",
    }  # fmt: skip
    evidence = {"finding": "duplicate", "special": False, "saves_bytes": 10**6, "observed_days": 99}
    change = _change(Tuner.INDEXES, "drop_index", before, {}, evidence, f"shop/shop.orders.{INDEX}")
    # The record tells the number of attempts, and whether the one that recorded the end also sent the statement.
    tries = r'\\"(sent|attempt|problem|not_before)\\": ?(true|\d+|\\"[^"]*\\"),?'

    def in_force(stage: Stage) -> dict[str, bool]:
        return dict(stage.world["index"])

    waits = timedelta(days=7)
    return Life("change_indexes", change, INDEXES, database, in_force, "kept", waits, on_the_way=tries)


def new_index() -> Life:
    """Provide a build, for which the state of the machine is read."""
    before = {"database": "shop", "schema": "shop", "table": "orders", "index": INDEX, "size_bytes": 10**6}
    evidence = {"finding": "missing", "special": False}
    after = {"definition": DEFINITION}
    change = _change(Tuner.INDEXES, "create_index", before, after, evidence, f"shop/shop.orders.{INDEX}")
    (place,) = INDEXES["indexes"]["databases"]
    of_rds = {"databases": [{**place, "rds_instance": "shop"}], "actions": {"create": "automatic"}}
    policy = {**INDEXES, "indexes": {**INDEXES["indexes"], **of_rds}}
    former = indexes()

    def begin(stage: Stage) -> None:
        database(stage)
        stage.world["index"] = {"there": False, "visible": True}
        stage.calls.answers["GetMetricData"] = _machine

    waits = timedelta(minutes=4320)

    def waits_for_cloudwatch(answer: dict[str, Any]) -> bool:
        return answer["outcome"] == "pending" and "CloudWatch cannot be read" in answer["message"]

    return replace(former, change=change, policy=policy, begin=begin, waits=waits, reported=waits_for_cloudwatch)


def _machine(request: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics of a quiet machine with free capacity."""
    values = {"cpu": [10.0], "storage": [1e12]}
    ids = [query["Id"] for query in request["MetricDataQueries"]]
    found = {name: values.get(name, []) for name in ids}
    results = [{"Id": name, "Timestamps": [NOW] * len(points), "Values": points} for name, points in found.items()]
    return {"MetricDataResults": results}


LIVES: dict[str, Callable[[], Life]] = {
    "memory": lambda: memory(slower=False),
    "memory that makes it slower": lambda: memory(slower=True),
    "provisioned": lambda: provisioned(scaled=False, slower=False),
    "provisioned that makes it slower": lambda: provisioned(scaled=False, slower=True),
    "scaled": lambda: provisioned(scaled=True, slower=False),
    "scaled that makes it slower": lambda: provisioned(scaled=True, slower=True),
    "timetable": lambda: timetable(scaled=False, met=True),
    "timetable that calls do not meet": lambda: timetable(scaled=True, met=False),
    "warmups": lambda: warmups(pings_come=True),
    "warmups that do not come": lambda: warmups(pings_come=False),
    "ttls": lambda: ttls(hits=800),
    "ttls that miss": lambda: ttls(hits=300),
    "indexes": indexes,
    "an index that is made": new_index,
}
