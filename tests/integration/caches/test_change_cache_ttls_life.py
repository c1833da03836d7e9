"""The life of a change of TTLs, also when somebody else publishes between any two of its calls."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from local_account.memory_run_store import MemoryRunStore
from local_account.next_step import NEXT_STEP
from optimizer.caches.change import TtlHooks
from optimizer.caches.observe import CacheUse, judge
from optimizer.caches.probe.errors import CacheFailed
from optimizer.caches.probe.result import ServerUse
from optimizer.caches.progress import TtlProgress
from optimizer.caches.publish.ssm import SsmParameter
from optimizer.caches.tuning.usage import sum_usage
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.guardrails.verdict import Refusal
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SPACES = (CacheNamespace("price", 5, 600), CacheNamespace("stock", 5, 600))
CACHE = Cache("shop", 64, ("/aws/lambda/shop",), SPACES, "/shop/cache-ttls")
LIMITS = CacheTtls(caches=(CACHE,))
BEFORE, AFTER = {"price": 60.0, "stock": 30.0}, {"price": 120.0, "stock": 20.0}


class AlreadyExists(Exception):
    """The exception of SSM for an existing parameter."""


class NotFound(Exception):
    """The exception of SSM for a missing parameter."""


class Parameters:
    """SSM with one parameter, its versions, and another writer after a given call."""

    exceptions = SimpleNamespace(ParameterNotFound=NotFound, ParameterAlreadyExists=AlreadyExists)

    def __init__(self) -> None:
        self.versions: list[str] = []
        self.calls = 0
        self.after_call: Callable[[int], None] = lambda _number: None

    def get_parameter(self, Name: str) -> Any:  # noqa: N803 - as boto3
        _, _, number = Name.partition(":")
        if not self.versions:
            raise NotFound
        version = int(number) if number else len(self.versions)
        answer = {"Parameter": {"Value": self.versions[version - 1], "Version": version}}
        self.called()
        return answer

    def put_parameter(self, Name: str, Value: str, Overwrite: bool = False, **_: Any) -> Any:  # noqa: ARG002, N803
        if self.versions and not Overwrite:
            raise AlreadyExists
        self.versions.append(Value)
        answer = {"Version": len(self.versions)}
        self.called()
        return answer

    def publish(self, version: int, ttl_s: dict[str, float]) -> None:
        self.versions.append(json.dumps({"version": version, "ttl_s": ttl_s}))

    @property
    def live(self) -> Any:
        return json.loads(self.versions[-1])

    def called(self) -> None:
        self.calls += 1
        self.after_call(self.calls)


def metrics(name: str, *, reads: int = 1000, ratio: float = 0.8, version: int = 7) -> dict[str, Any]:
    hits = round(reads * ratio)
    counts = dict.fromkeys(("EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges"), 0)
    return {
        "_aws": {"Timestamp": NOW.timestamp() * 1000},
        "CacheNamespace": name,
        "TtlVersion": str(version),
        "FromSeconds": NOW.timestamp() - 60,
        **counts,
        "Hits": hits,
        "Misses": reads - hits,
        "Loads": reads - hits,
        "LoadTime": 40.0,
    }


@dataclass
class World:
    ssm: Parameters = field(default_factory=Parameters)
    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    records: list[dict[str, Any]] = field(default_factory=lambda: [metrics("price"), metrics("stock")])
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    server: ServerUse | Exception | None = None
    refusal: Refusal | None = None
    change: Change = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.store = MemoryRunStore(lambda _name: self.ssm.called())

    def life(self) -> Lifecycle[TtlProgress]:
        hooks = TtlHooks(
            cache=CACHE,
            limits=LIMITS,
            publisher=SsmParameter(self.ssm, CACHE.parameter),  # type: ignore[arg-type]
            recheck=lambda *_: self.refusal,
            read_metrics=self._read,
            read_server=self._server,
        )
        return Lifecycle(self.store, hooks)  # type: ignore[arg-type]

    def _read(self, start: datetime, end: datetime) -> list[Any]:
        self.asked.append((start, end))
        return self.records

    def _server(self) -> ServerUse | None:
        if isinstance(self.server, Exception):
            raise self.server
        return self.server

    @property
    def status(self) -> Status:
        return self.store.change(self.change.id).status

    @property
    def message(self) -> str:
        return self.store.change(self.change.id).message

    def until_final(self, step: str = "apply") -> str:
        """Drive the change as change.asl.json does, until nothing is left to do."""
        for _ in range(20):
            answer = getattr(self.life(), step)(self.change.id, NOW)
            following = NEXT_STEP.get((step, answer["outcome"]))
            if following is None:
                return str(answer["outcome"])
            step = following
        raise AssertionError(f"no end: {step} answers {answer}")


def a_change(version: int = 6, **evidence: Any) -> Change:
    numbers = {"hit_ratio_before": 0.7, "hit_ratio_after": 0.8, "measured_hit_ratio": 0.7, "miss_ms_per_read": 12.0}
    return Change(
        run_id="run",
        tuner=Tuner.CACHE_TTLS,
        action="set_ttls",
        target="cache/shop",
        before={"version": version, "ttl_s": BEFORE},
        after={"version": version + 1, "ttl_s": AFTER},
        reason="more hits",
        undo={"ttl_s": BEFORE},
        risk=Risk.MEDIUM,
        evidence={
            "namespaces": {"price": numbers, "stock": numbers},
            "memory_bytes_before": 1e6,
            "memory_bytes_after": 2e6,
            "server": None,
            **evidence,
        },
    )


def a_world(*, worse: bool = False, new: bool = False, **evidence: Any) -> World:
    world = World(change=a_change(0 if new else 6, **evidence))
    if not new:
        world.ssm.publish(6, BEFORE)
    if new:
        world.records = [metrics(name, version=1) for name in BEFORE]
    if worse:
        world.records[0] = metrics("price", ratio=0.5, version=1 if new else 7)
    world.store.record_change(world.change, Status.APPROVED, NOW)
    return world


def in_force(world: World) -> Any:
    return world.ssm.live["ttl_s"]


def test_ttl_change_without_problems_is_kept() -> None:
    """The cache then has a cool-down."""
    world = a_world()
    assert world.until_final() == "kept"
    assert world.ssm.live == {
        "version": 7,
        "ttl_s": AFTER,
        "previous": {"version": 6, "ttl_s": BEFORE},
        "change_id": world.change.id,
    }
    assert world.store.cool_downs(["cache/shop"], Tuner.CACHE_TTLS) == {"cache/shop": NOW + timedelta(hours=18)}
    assert "price: 80.0% of 1000 reads hit, 70.0% before" in world.message


def test_ttl_observation_lasts_twice_the_longest_ttl() -> None:
    """Reads while old entries may live do not count."""
    world = a_world()
    answer = world.life().apply(world.change.id, NOW)
    assert answer["wait_s"] >= 600
    world.life().verify(world.change.id, NOW)
    ((start, end),) = world.asked
    assert start >= NOW + timedelta(seconds=120)
    assert end - start >= timedelta(seconds=300)
    long = a_world()
    ttls = {"price": 7200.0, "stock": 30.0}
    long.change = replace(long.change, after={"version": 7, "ttl_s": ttls}, run_id="other")
    long.store.record_change(long.change, Status.APPROVED, NOW)
    assert long.life().apply(long.change.id, NOW)["wait_s"] >= 2 * 7200


def test_first_ttl_document_is_rolled_back_as_a_newer_version() -> None:
    world = a_world(new=True, worse=True)
    assert world.until_final() == "reverted"
    assert (world.ssm.live["version"], in_force(world)) == (2, BEFORE)


@pytest.mark.parametrize(
    ("records", "says"),
    [
        ([metrics("price", ratio=0.5), metrics("stock")], "price: 50.0% of the reads hit, 70.0% before; at least"),
        ([metrics("stock")], "price: no read was reported since the change"),
        ([], "missing data counts as unhealthy"),
        ([metrics("price"), metrics("price", version=6, reads=2000), metrics("stock")], "only 33% of the reads used"),
        ([{**metrics("price"), "CacheFailures": 100}, metrics("stock")], "the cache failed 100 times"),
        ([{**metrics("price"), "LoadTime": 90.0}, metrics("stock")], "18 ms at the origin for each read, 12 ms before"),
        ([{**metrics("price"), "LoadTime": None}, metrics("stock")], "is no longer reported"),
    ],
)
def test_ttl_change_that_does_worse_is_rolled_back(records: list[Any], says: str) -> None:
    """Missing reports count as worse, and the TTL is not tried again soon."""
    world = a_world()
    world.records = records
    assert world.until_final() == "reverted"
    assert in_force(world) == BEFORE
    assert world.ssm.live["version"] == 8
    assert "price=120" in world.store.taken_back("cache/shop", Tuner.CACHE_TTLS, NOW)
    stored = world.store.change(world.change.id)
    assert says in "; ".join(stored.progress["unhealthy"].values())


def test_misses_of_a_high_hit_ratio_may_not_multiply() -> None:
    """From 99% to 97% is a drop by two points, which the policy allows, and three times the misses."""
    numbers = {"hit_ratio_before": 0.99, "hit_ratio_after": 0.992, "measured_hit_ratio": 0.99, "miss_ms_per_read": None}
    for ratio, problem in ((0.989, ""), (0.97, "97.0% of the reads hit, 99.0% before; at least 98.7% required")):
        use = sum_usage([metrics("price", reads=100_000, ratio=ratio)])
        health = judge({"namespaces": {"price": numbers}}, 64, CacheUse(use, use, 600.0), LIMITS)
        assert problem in health.problems.get("price", "")
        assert bool(health.problems) is bool(problem)


def test_shorter_ttl_may_cost_only_the_predicted_hits() -> None:
    numbers = {"hit_ratio_before": 0.7, "hit_ratio_after": 0.5, "measured_hit_ratio": 0.72, "miss_ms_per_read": 12.0}
    for ratio, outcome in ((0.5, "kept"), (0.42, "reverted")):
        world = a_world(namespaces={"stock": numbers})
        world.records = [metrics("stock", ratio=ratio)]
        assert world.until_final() == outcome


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        (ServerUse(5, 10**6), ServerUse(5, 10**6), "kept"),
        (ServerUse(5, 10**6), ServerUse(5000, 10**6), "reverted"),
        (ServerUse(5, 10**6), ServerUse(5, 10**8), "reverted"),
        (ServerUse(5, 10**6), CacheFailed("down"), "reverted"),
        (CacheFailed("down"), ServerUse(5, 10**6), "refused"),
    ],
)
def test_server_problems_count_against_a_ttl_change(then: Any, now: Any, outcome: str) -> None:
    """Evictions, memory and an unreadable server are such problems."""
    world = a_world(server={"evicted_per_s": 0.0, "used_bytes": 10**6, "max_bytes": 10**9})
    world.server = then
    world.life().apply(world.change.id, NOW)
    world.server = now
    assert (world.status.value if outcome == "refused" else world.until_final()) == outcome
    assert in_force(world) == (AFTER if outcome == "kept" else BEFORE)


def test_ttl_change_of_another_version_is_outdated() -> None:
    world = a_world()
    world.ssm.publish(7, {**BEFORE, "price": 90.0})
    assert world.until_final() == "stale"
    assert in_force(world)["price"] == 90.0


def test_ttl_change_is_blocked_by_a_guardrail_on_live_state() -> None:
    world = a_world()
    world.refusal = Refusal("run.freeze", "year end")
    assert world.until_final() == "refused"
    assert in_force(world) == BEFORE


def test_ttls_of_somebody_else_stay_during_an_observation() -> None:
    world = a_world()
    world.life().apply(world.change.id, NOW)
    world.ssm.publish(8, {"price": 77.0})
    assert world.until_final("verify") == "reverted"
    assert in_force(world) == {"price": 77.0}


CALLS = 30


@pytest.mark.parametrize("worse", [False, True])
@pytest.mark.parametrize("call", range(1, CALLS))
def test_ttls_of_somebody_else_are_in_force_at_the_end(call: int, worse: bool) -> None:
    """Somebody else publishes between any two calls of the change."""
    world = a_world(worse=worse)
    theirs = {"price": 42.0, "stock": 30.0}

    def interfere(number: int) -> None:
        if number == call:
            world.ssm.publish(99, theirs)

    world.ssm.after_call = interfere
    world.until_final()
    if world.ssm.calls >= call:
        assert in_force(world) == theirs
