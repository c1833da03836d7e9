"""Every call to AWS of the Lambdas of databases and caches, and of the pings, goes wrong once, in every way."""

import io
import json
import re
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from fake_database import DEFINITION, INDEX, FakeServer, catalog
from lives import RUN, live_through, record
from local_account.cache_traffic import Application, Memory, Stream, reads
from optimizer import aws, canonical
from optimizer.changes import Change, Risk, Tuner
from optimizer.policy import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.warmups.warm import warm
from stage import NOW, Stage, Step, stage

from optimizer_cache import Bounds


@pytest.fixture
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with stage(request, monkeypatch) as made:
        yield made


def test_a_ping(staged: Stage) -> None:
    def invoked(request: dict[str, Any]) -> dict[str, Any]:
        assert json.loads(request["Payload"])["optimizer_warmup"]
        # Each call meets an environment of its own.
        staged.world["instances"] += 1
        met = {"optimizer_warmup": {"cold": True, "instance": f"i-{staged.world['instances'] % 3}"}}
        return {"Payload": io.BytesIO(json.dumps(met).encode())}

    def prepare(module: ModuleType) -> None:
        module.__dict__["client_for"] = lambda _environments: aws.client("lambda", once=True)
        module.__dict__["warm"] = lambda client, warmup: warm(client, warmup, clock=lambda: 0.0)

    staged.world["instances"] = 0
    staged.calls.answers["Invoke"] = invoked
    staged.prepare["warm_function"] = prepare
    event = {
        "function_name": "orders", "alias": "live", "environments": 3, "hold_ms": 200, "run_id": RUN,
        "change_id": "warmups-0123456789abcdef", "minute": int(NOW.timestamp()) // 60,
    }  # fmt: skip
    assert staged.every_fault(Step("warm_function", event))["environments"] == 3
    ((_, ping),) = staged.table.items.items()
    assert (ping["asked"], ping["failed"]) == ({"N": "3"}, {"N": "0"})


STREAM = Stream("price", Bounds(60, 1, 3600), 150, 1.0, 1.0)
CACHE = Cache("shop", 16, ("/aws/lambda/shop",), (CacheNamespace("price", 5, 900),), "/shop/cache-ttls")
TTLS = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,), observe_hours=0.5))


def test_a_plan_of_ttls(staged: Stage) -> None:
    end = NOW.timestamp()
    application = Application((STREAM,), Memory(), end - 1800)
    lines = [
        {"timestamp": round(line.at * 1000), "message": line.text}
        for line in application.run(reads((STREAM,), end - 1800, end, seed=5))
    ]

    def events(request: dict[str, Any]) -> dict[str, Any]:
        return {"events": [line for line in lines if request["startTime"] <= line["timestamp"] <= request["endTime"]]}

    staged.calls.answers["FilterLogEvents"] = events
    staged.documents.write(f"runs/{RUN}/policy.json", canonical.plain(TTLS))
    answer = staged.every_fault(Step("plan_cache_ttls", {"run_id": RUN, "target": "shop"}))
    assert (answer["changes"], answer["failed"]) == (1, 0)


INDEXES = {
    "version": 1,
    "indexes": {
        "mode": "auto",
        "actions": {"drop_duplicate": "automatic"},
        "hidden_days": 7,
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


@pytest.fixture
def database(staged: Stage, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A database behind a secret, whose connections are kept as long as an execution environment lives."""
    staged.world["index"] = {"there": True, "visible": True}

    def secret(_request: dict[str, Any]) -> dict[str, Any]:
        return {"SecretString": json.dumps({"username": "optimizer", "password": "secret"})}

    def prepare(module: ModuleType) -> None:
        def server(database: Any, pool: Any) -> FakeServer:
            return FakeServer(staged.world["index"], lambda: pool.get(database))

        module.__dict__["servers"] = SimpleNamespace(of=server)
        module.__dict__["read_nodes"] = lambda database, pool: (pool.get(database), (catalog(),))[1]

    staged.calls.answers["GetSecretValue"] = secret
    staged.prepare |= {"change_indexes": prepare, "plan_index_maintenance": prepare}
    for name, found in {"connect": object(), "is_healthy": True, "take_place": None}.items():
        monkeypatch.setattr(f"optimizer.indexes.connections.{name}", lambda *_, found=found, **__: found)
    return staged


def test_a_plan_of_indexes(database: Stage) -> None:
    database.documents.write(f"runs/{RUN}/policy.json", INDEXES)
    answer = database.every_fault(Step("plan_index_maintenance", {"run_id": RUN, "target": "shop"}))
    assert (answer["changes"], answer["failed"]) == (2, 0)


def test_a_change_of_indexes(database: Stage) -> None:
    change = Change(
        run_id=RUN,
        tuner=Tuner.INDEXES,
        action="drop_index",
        target=f"shop/shop.orders.{INDEX}",
        before={
            "database": "shop", "schema": "shop", "table": "orders", "index": INDEX, "size_bytes": 10**6,
            "definition": DEFINITION, "oid": None, "protected": "",
        },
        after={},
        reason="It is there twice.",
        undo={"definition": DEFINITION},
        risk=Risk.LOW,
        evidence={"finding": "duplicate", "special": False, "saves_bytes": 10**6, "observed_days": 99},
    )  # fmt: skip
    record(database, change, INDEXES)
    # How many tries it took, and whether the one that recorded the end is the one that sent the statement.
    database.on_the_way = re.compile(r'\\"(sent|attempt|problem|not_before)\\": ?(true|\d+|\\"[^"]*\\"),?')
    outcomes = live_through(database, "change_indexes", change, lambda: dict(database.world["index"]))
    assert outcomes[-1] == "kept", outcomes
    assert not database.world["index"]["there"]
