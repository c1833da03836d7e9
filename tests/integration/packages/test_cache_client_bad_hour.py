"""The client library in a bad hour: what it must never do to the application, on real servers."""

import dataclasses
import datetime as dt
import decimal
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest
import redis
from local_account.servers import HOST, redis_debian, valkey
from local_account.servers.redis_protocol import CacheCluster, replica_of
from optimizer_cache import (
    Bounds,
    Cache,
    DecodesReplies,
    Namespace,
    OtherKindOfClient,
    UnknownNamespace,
    UnusableKey,
    connect,
    connect_async,
)
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.helpers.stopwatch import took

BOUNDS = Bounds(60, 1, 300)
# Long waits, because these tests are about replies, and a busy machine answers late.
TIMEOUT_S = 4.0


@pytest.fixture(scope="module", params=[valkey.VALKEY_9, redis_debian.REDIS_7], ids=["valkey", "redis"])
def url(request, server):
    return server(request.param).url


@pytest.fixture(params=[valkey, redis_debian], ids=["valkey", "redis"])
def engine(request, server):
    server(request.param.INSTALLATIONS[0])
    return request.param


@pytest.fixture(scope="module")
def cluster_url(server):
    server(valkey.VALKEY_9)
    with CacheCluster(valkey.program(), primaries=3) as cluster:
        yield cluster.url


def cache(url, fetch=None, pause_s=0.3, **options):
    space = Namespace(**{"bounds": BOUNDS, "beta": 0.0, **options})
    return Cache(connect(url, TIMEOUT_S), {"price": space}, fetch=fetch, pause_s=pause_s, prefix=f"p{time.time_ns()}")


class Origin:
    """Counts how often it is asked; raises an error that it is given."""

    def __init__(self, value="v"):
        self.value, self.loads = value, 0

    def __call__(self):
        self.loads += 1
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def share_served(used, keys=50, reads=300):
    """Return the share of reads of stored keys that the cache answers, while one read in ten is of a new key."""
    known, new = Origin(), Origin()
    for i in range(reads):
        used.read("price", f"k{i % keys}", known)
        if i % 10 == 0:
            used.read("price", f"new{i}", new)
    return 1 - known.loads / reads


def fill(used, keys=50):
    for i in range(keys):
        used.read("price", f"k{i}", Origin())


def test_full_cache_is_read_while_it_refuses_to_be_written(engine):
    with engine.start() as server, closing(server.client()) as admin:
        used = cache(server.url)
        fill(used)
        admin.config_set("maxmemory-policy", "noeviction")
        admin.config_set("maxmemory", int(admin.info("memory")["used_memory"] * 0.9))
        assert share_served(used) >= 0.98


def test_replica_is_read_while_it_refuses_to_be_written(engine):
    with engine.start() as primary, replica_of(primary, engine.program()) as replica:
        used = cache(primary.url)
        fill(used)
        with closing(primary.client()) as admin:
            assert admin.wait(1, 10_000) == 1
        used._client = connect(replica.url, TIMEOUT_S)
        assert share_served(used) >= 0.98


@pytest.mark.parametrize(
    ("rules", "least"), [(["-set"], 0.98), (["-get"], 0.0), (["-@all"], 0.0)], ids=["no set", "no get", "nothing"]
)
def test_commands_that_a_user_may_not_run_cost_only_themselves(url, rules, least):
    with closing(redis.Redis.from_url(url)) as admin:
        admin.acl_setuser("app", enabled=True, passwords=["+secret"], keys=["*"], commands=["+@all"])
        used = cache(url.replace("redis://", "redis://app:secret@"))
        fill(used)
        # A user without the right for one command may have all others.
        admin.execute_command("ACL", "SETUSER", "app", *rules)
        try:
            assert share_served(used) >= least
            admin.execute_command("ACL", "SETUSER", "app", "+@all")
            time.sleep(0.4)
            assert share_served(used) >= 0.98
        finally:
            admin.acl_deluser("app")


def test_key_of_another_type_is_loaded_and_replaced(url):
    used, other = cache(url), Origin("other")
    used.read("price", "a", Origin())
    used.read("price", "b", other)
    with closing(redis.Redis.from_url(url)) as admin:
        (name,) = admin.keys(f"{used._core.spaces['price'].prefix}*:a")
        admin.delete(name)
        admin.lpush(name, "of somebody else")
    assert [used.read("price", key, Origin("new")) for key in "abab"] == ["new", "other", "new", "other"]
    assert other.loads == 1


def test_refusal_in_one_namespace_leaves_the_others(url):
    with closing(redis.Redis.from_url(url)) as admin:
        prefix = f"q{time.time_ns()}"
        admin.acl_setuser("part", enabled=True, passwords=["+secret"], keys=[f"{prefix}:mine:*"], commands=["+@all"])
        spaces = {"mine": Namespace(BOUNDS), "theirs": Namespace(BOUNDS)}
        used = Cache(connect(url.replace("redis://", "redis://part:secret@"), TIMEOUT_S), spaces, prefix=prefix)
        mine, theirs = Origin(), Origin()
        for _ in range(20):
            used.read("mine", "a", mine)
            used.read("theirs", "a", theirs)
        admin.acl_deluser("part")
    assert (mine.loads, theirs.loads) == (1, 20)


@pytest.mark.parametrize("failure", [LookupError("own"), TypeError("own"), OSError("away"), RecursionError()])
def test_getter_that_raises_leaves_reads_alone(url, failure):
    def fetch():
        raise failure

    used = cache(url, fetch)
    assert used.read("price", "a", Origin(1)) == 1
    assert used.flush(0)
    assert not used.read_ttls()
    assert used.parameter.failures >= 1


def test_getter_that_hangs_delays_nothing(url):
    let_go = threading.Event()
    used = cache(url, lambda: let_go.wait(30) and None)
    with took() as calls:
        assert used.read("price", "a", Origin(1)) == 1
        used.write("price", "b", 1, [].append)
        assert used.flush(0)
    let_go.set()
    assert calls.own_s < 1


@pytest.mark.parametrize("key", [json.loads('"\\ud800"'), "\x00", "é\n😀", "", "x" * 100_000])
def test_any_text_is_a_key(url, key):
    used, origin = cache(url), Origin()
    for _ in range(300):
        used.read("price", key, origin)
    assert used.flush(0)
    assert origin.loads == 1
    down = cache("redis://127.0.0.1:1")
    for other in (key, *map(str, range(200))):
        assert down.read("price", other, Origin()) == "v"
    assert down.flush(0)


@pytest.mark.parametrize("key", [5, None, b"k", ("a", 1)])
def test_key_that_is_no_text_is_refused_at_the_door(key):
    used = cache("redis://127.0.0.1:1")
    with pytest.raises(UnusableKey, match=f"not {type(key).__name__}"):
        used.read("price", key, Origin())
    assert used.flush(0) == []


def test_unknown_namespace_is_named_with_the_declared_ones():
    used = Cache(connect("redis://127.0.0.1:1"), {"price": Namespace(BOUNDS), "stock": Namespace(BOUNDS)})
    for call in (
        lambda: used.read("shop", "a", Origin()),
        lambda: used.forget_all("shop"),
        lambda: used.cached("shop"),
    ):
        with pytest.raises(UnknownNamespace, match="'shop' is not declared; declared are: price, stock"):
            call()


def test_clients_that_cannot_be_used_are_refused():
    with pytest.raises(DecodesReplies, match="decode_responses"):
        Cache(connect("redis://127.0.0.1:1", decode_responses=True), {})
    with pytest.raises(OtherKindOfClient, match="AsyncCache"):
        Cache(connect_async("redis://127.0.0.1:1"), {})


@dataclasses.dataclass
class Price:
    sku: str
    cents: int


def test_entry_that_decode_rejects_is_a_miss(url):
    space = {"encode": lambda v: json.dumps(v).encode(), "decode": lambda b: Price(**json.loads(b))}
    used = cache(url, **space)
    used.read("price", "a", Origin({"sku": "a", "cents": 1, "of an older release": True}))
    assert used.read("price", "a", Origin(Price("a", 2))) == Price("a", 2)


UNKEPT = [
    b"x",
    decimal.Decimal("1.1"),
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    {1, 2},
    Price("a", 1),
    (1, 2),
    {1: "a"},
    [{"deep": (1,)}],
]


@pytest.mark.parametrize("value", UNKEPT, ids=repr)
def test_value_that_json_does_not_keep_is_returned_each_time(url, value, caplog):
    used, origin = cache(url), Origin(value)
    found = [used.read("price", "a", origin) for _ in range(3)]
    assert found == [value] * 3
    assert [type(one) for one in found] == [type(value)] * 3
    assert origin.loads == 3
    assert sum("give the namespace an `encode` and `decode`" in line for line in caplog.messages) == 1
    used.write("price", "a", value, [].append)


def test_write_of_a_value_that_is_not_kept_drops_the_old_one(url):
    used = cache(url)
    used.read("price", "a", Origin("old"))
    used.write("price", "a", (1, 2), [].append)
    assert used.read("price", "a", Origin("new")) == "new"


def test_failed_early_load_returns_the_live_entry(url):
    used = cache(url, beta=1e9)
    used.read("price", "a", lambda: time.sleep(0.01))
    down = Origin(RuntimeError("origin down"))
    assert [used.read("price", "a", down) for _ in range(5)] == [None] * 5
    assert down.loads == 5
    record = json.loads(used.flush(0)[0])
    assert (record["FailedLoads"], record["StaleHits"], record["Hits"]) == (5, 0, 5)


def test_expired_entry_is_returned_only_when_the_load_fails_and_only_for_a_while(url):
    used = cache(url, bounds=Bounds(0.2, 0.1, 1), jitter=0.0, stale_if_error_s=1.0)
    down = Origin(RuntimeError("origin down"))
    used.read("price", "a", Origin("old"))
    used.read("price", "b", Origin("old"))
    time.sleep(0.25)
    assert used.read("price", "a", down) == "old"
    assert used.read("price", "a", Origin("new")) == "new"
    record = json.loads(used.flush(0)[0])
    assert (record["FailedLoads"], record["StaleHits"], record["Hits"], record["Misses"]) == (1, 1, 0, 4)
    time.sleep(1.1)
    with pytest.raises(RuntimeError, match="origin down"):
        used.read("price", "b", down)


def test_paused_cache_is_asked_when_the_origin_fails(url):
    used = cache(url, pause_s=600.0)
    used.read("price", "a", Origin("stored"))
    for _ in range(5):
        used._core.gate.shut()
    assert used.read("price", "a", Origin(RuntimeError("origin down"))) == "stored"


def at_once(used, keys, threads):
    """Return how many loads `threads` reads at once cause, and what they return."""
    loads, found, lock = [], [], threading.Lock()

    def load():
        with lock:
            loads.append(1)
        time.sleep(0.2)
        return ["loaded"]

    def ask(i):
        value = used.read("price", keys[i % len(keys)], load)
        with lock:
            found.append(value)

    workers = [threading.Thread(target=ask, args=(i,)) for i in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(loads), found


@pytest.mark.parametrize("address", ["up", "down"])
def test_one_thread_loads_a_cold_key_and_each_gets_its_own_copy(url, address):
    used = cache(url if address == "up" else "redis://127.0.0.1:1")
    loads, found = at_once(used, ["cold"], 30)
    assert (loads, found) == (1, [["loaded"]] * 30)
    assert len({id(value) for value in found}) == 30


def test_forget_all_causes_one_load_for_each_key(url):
    used, keys = cache(url), [f"k{i}" for i in range(10)]
    for key in keys:
        used.read("price", key, Origin())
    used.forget_all("price")
    assert at_once(used, keys, 60)[0] <= 2 * len(keys)


def test_failed_load_of_one_thread_is_not_the_failure_of_another(url):
    used, started, errors = cache(url), threading.Event(), []

    def refused():
        started.set()
        time.sleep(0.1)
        raise PermissionError("this caller may not")

    def ask():
        try:
            used.read("price", "a", refused)
        except PermissionError as error:
            errors.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    assert started.wait(10)
    assert used.read("price", "a", Origin("mine")) == "mine"
    thread.join()
    assert len(errors) == 1


def test_load_that_reads_its_own_key_ends(url):
    used = cache(url)
    assert used.read("price", "a", lambda: used.read("price", "a", Origin(1)) + 1) in (1, 2)


def test_key_written_during_a_load_keeps_what_was_written(url):
    used = cache(url)

    def slow():
        used.write("price", "a", "newer", [].append)
        return "older"

    assert used.read("price", "a", slow) == "older"
    assert used.read("price", "a", Origin("origin")) == "newer"


def test_process_keeps_no_object_that_callers_share(url):
    used = cache(url, local_age_s=5.0)
    used.read("price", "a", Origin(["v"]))
    used.read("price", "a", Origin()).append("changed by a caller")
    assert used.read("price", "a", Origin()) == ["v"]


def test_none_may_have_a_shorter_ttl(url):
    used = cache(url, none_ttl_s=0.2)
    used.read("price", "gone", Origin(None))
    used.read("price", "there", Origin("v"))
    time.sleep(0.25)
    assert used.read("price", "gone", Origin("back")) == "back"
    assert used.read("price", "there", Origin("other")) == "v"


def test_decorated_function_is_read_through_the_cache(url):
    used, calls = cache(url), []

    @used.cached("price")
    def price_of(sku: str, country: str = "DE") -> list[str]:
        """Return a price."""
        calls.append(sku)
        return [sku, country]

    assert [price_of("a"), price_of("a"), price_of("a", country="FR")] == [["a", "DE"], ["a", "DE"], ["a", "FR"]]
    assert calls == ["a", "a"]
    assert (price_of.__name__, price_of.__doc__) == ("price_of", "Return a price.")
    assert price_of.forget("a")
    price_of("a")
    assert len(calls) == 3
    with pytest.raises(UnusableKey):
        price_of(("a", 1))


def test_decorated_method_takes_its_key_from_the_caller(url):
    used = cache(url)

    class Shop:
        calls = 0

        @used.cached("price", key=lambda shop, sku: f"{type(shop).__name__}/{sku}")
        def price_of(self, sku):
            self.calls += 1
            return f"price of {sku}"

    shop = Shop()
    assert [shop.price_of("a") for _ in range(3)] == ["price of a"] * 3
    assert shop.calls == 1


FORKED = """
import json, os, sys
from optimizer_cache import Bounds, Cache, Namespace, connect
made = Cache(connect(sys.argv[1], 4.0), {"price": Namespace(Bounds(60, 5, 300))}, prefix="forked")
def reported():
    return sum(r["Hits"] + r["Misses"] for r in map(json.loads, made.flush(0)) if "Hits" in r)
for i in range(1000):
    made.read("price", f"k{i % 50}", lambda: 1)
reads = []
for _ in range(4):
    back, to = os.pipe()
    if os.fork() == 0:
        made.read("price", "k0", lambda: 1)
        os.write(to, str(reported()).encode())
        os._exit(0)
    os.wait()
    reads.append(int(os.read(back, 20)))
print(reads, reported())
"""


def test_forked_processes_report_their_own_reads(url):
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", FORKED, url],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": "packages/optimizer-cache"},
    )
    assert done.stdout.strip() == "[1, 1, 1, 1] 1000"


def test_metrics_are_three_for_a_namespace_and_only_on_request(url):
    for metrics, expected in ((False, []), (True, ["Hits", "Misses", "Loads"])):
        used = Cache(connect(url, TIMEOUT_S), {"price": Namespace(BOUNDS)}, metrics=metrics)
        used.read("price", "a", Origin())
        directives = json.loads(used.flush(0)[0])["_aws"]["CloudWatchMetrics"]
        made = [m["Name"] for d in directives for dims in d["Dimensions"] for m in d["Metrics"] if dims]
        assert made == expected


def test_one_node_of_a_cluster_leads_to_the_others(cluster_url):
    used, origin = cache(cluster_url, pause_s=0.5), Origin()
    deadline = time.monotonic() + 20
    while not isinstance(used._client, redis.RedisCluster) and time.monotonic() < deadline:
        for i in range(20):
            assert used.read("price", f"k{i}", origin) == "v"
    fill(used)
    assert share_served(used) >= 0.98


def test_client_of_a_cluster_is_used(cluster_url):
    port = int(cluster_url.rpartition(":")[2].partition("/")[0])
    client = redis.RedisCluster(host=HOST, port=port, socket_timeout=1.0, retry=Retry(NoBackoff(), 1))
    used = Cache(client, {"price": Namespace(BOUNDS, beta=0)}, prefix=f"c{time.time_ns()}")
    fill(used)
    assert share_served(used) >= 0.98
    assert used.forget("price", "k1")
    assert used.read("price", "k1", Origin("new")) == "new"
