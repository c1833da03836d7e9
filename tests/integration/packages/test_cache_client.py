"""The client library against a real server, and against servers that fail."""

import json
import socket
import threading
import time
from contextlib import closing

import pytest
import redis
from local_account.servers import redis_debian, valkey
from local_account.servers.redis_protocol import CacheServer
from optimizer_cache import Bounds, Cache, Namespace, NoTimeout, connect

from tests.helpers.stopwatch import took

BOUNDS = Bounds(ttl_s=60, min_ttl_s=1, max_ttl_s=300)
TIMEOUT_S = 0.2


@pytest.fixture(params=[valkey.VALKEY_9, redis_debian.REDIS_7], ids=["valkey", "redis"])
def url(request, server):
    running = server(request.param)
    with closing(running.client()) as client:
        client.flushall()
    return running.url


def cache(url, fetch=None, **options):
    made = Cache(connect(url, TIMEOUT_S), {"price": Namespace(BOUNDS, beta=0, **options)}, fetch=fetch)
    assert made.read_ttls() is (fetch is not None)
    return made


class Origin:
    """Counts how often it is asked."""

    def __init__(self, value="v"):
        self.value, self.loads = value, 0

    def __call__(self):
        self.loads += 1
        return self.value


@pytest.mark.parametrize("value", [None, 0, "", "text", [1, {"a": None}], 1.5])
def test_read_loads_a_value_once_and_returns_it_unchanged(url, value):
    origin = Origin(value)
    assert [cache(url).read("price", "a", origin) for _ in range(3)] == [value] * 3
    assert origin.loads == 1


def test_server_counts_down_the_published_ttl(url):
    """The bounds compiled in limit it."""
    for version, ttl_s, longest in ((1, 20, 20_000), (2, 9999, 300_000), (3, 0.001, 1000)):
        document = json.dumps({"version": version, "ttl_s": {"price": ttl_s}})
        used = cache(url, fetch=lambda document=document: document)
        used.read("price", f"k{version}", Origin())
        client = redis.Redis.from_url(url)
        (name,) = client.keys(f"oc:price:*:k{version}")
        assert 0.85 * longest <= client.pttl(name) <= longest


def test_every_entry_has_a_ttl(url):
    used = cache(url)
    used.write("price", "a", 1, [].append)
    used.read("price", "b", Origin())
    client = redis.Redis.from_url(url)
    entries = [name for name in client.keys("*") if not name.endswith(b"version")]
    assert len(entries) == 2
    assert all(client.ttl(name) > 0 for name in entries)


def test_read_after_write_needs_no_load(url):
    stored, origin = [], Origin()
    cache(url).write("price", "a", 7, stored.append)
    assert cache(url).read("price", "a", origin) == 7
    assert (stored, origin.loads) == ([7], 0)


def test_write_that_the_origin_rejects_leaves_the_cache(url):
    used = cache(url)
    used.read("price", "a", Origin("old"))

    def refuse(value):
        raise PermissionError(value)

    with pytest.raises(PermissionError):
        used.write("price", "a", "new", refuse)
    assert used.read("price", "a", Origin()) == "old"


def test_read_after_forget_loads_again(url):
    used = cache(url)
    used.read("price", "a", Origin("old"))
    assert used.forget("price", "a")
    assert cache(url).read("price", "a", Origin("new")) == "new"


def test_forget_all_reaches_every_process_within_a_second(url):
    one, other = cache(url), cache(url)
    one.read("price", "a", Origin("old"))
    other.read("price", "a", Origin("old"))
    assert one.forget_all("price")
    assert one.read("price", "a", Origin("new")) == "new"
    time.sleep(1.05)
    assert other.read("price", "a", Origin("newer")) == "new"


def test_forget_all_keeps_out_values_loaded_before(url):
    one, other = cache(url), cache(url)

    def slow():
        other.forget_all("price")
        return "old"

    assert one.read("price", "a", slow) == "old"
    assert other.read("price", "a", Origin("new")) == "new"


def test_lost_version_brings_no_older_entry_back(url):
    cache(url).read("price", "a", Origin("old"))
    redis.Redis.from_url(url).delete("oc:price:version")
    assert cache(url).read("price", "a", Origin("new")) == "new"


def test_value_of_another_writer_counts_as_a_miss(url):
    used = cache(url)
    used.read("price", "a", Origin("old"))
    client = redis.Redis.from_url(url)
    (name,) = client.keys("oc:price:*:a")
    for foreign in (b"", b'{"theirs": 1}', b"o1 but then something else altogether"):
        client.set(name, foreign)
        assert used.read("price", "a", Origin("new")) == "new"


def test_process_keeps_a_value_no_longer_than_its_bound(url):
    used = cache(url, local_age_s=0.2)
    used.read("price", "a", Origin("old"))
    redis.Redis.from_url(url).flushall()
    assert used.read("price", "a", Origin("new")) == "old"
    time.sleep(0.25)
    assert used.read("price", "a", Origin("new")) == "new"


def test_flush_reports_hits_and_misses_once(url):
    """The report names the version of the TTLs in force."""
    used = cache(url, fetch=lambda: json.dumps({"version": 9, "ttl_s": {}}))
    for key in "aabac":
        used.read("price", key, Origin())
    metrics, sample = map(json.loads, used.flush(0))
    assert (metrics["Hits"], metrics["Misses"], metrics["TtlVersion"]) == (2, 3, "9")
    assert sample["cache_sample"]["total_accesses"] == 5
    assert used.flush(0) == []


def test_cache_rejects_a_client_without_a_timeout():
    with pytest.raises(NoTimeout):
        Cache(redis.Redis(socket_timeout=None), {"price": Namespace(BOUNDS)})


class Broken:
    """A port on which a server fails in one way."""

    def __init__(self, behave):
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self._behave = behave
        self._held = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._held.append(connection)
            threading.Thread(target=self._behave, args=(connection,), daemon=True).start()

    def close(self):
        self._listener.close()
        for connection in self._held:
            connection.close()


def silent(connection):
    del connection


def resetting(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()


def slow(connection):
    # Each reply comes just before the client gives up, and none contains a value.
    try:
        while connection.recv(65536):
            time.sleep(TIMEOUT_S / 4 * 0.9)
            connection.sendall(b"$-1\r\n")
    except OSError:
        return


def answering(reply):
    def behave(connection):
        try:
            while connection.recv(65536):
                connection.sendall(reply)
        except OSError:
            return

    return behave


@pytest.mark.parametrize(
    "behave",
    [
        silent,
        resetting,
        answering(b"-LOADING Redis is loading the dataset in memory\r\n"),
        answering(b"-READONLY You can't write against a read only replica.\r\n"),
        answering(b"-MOVED 1 10.0.0.1:6379\r\n"),
        answering(b"garbage that is no reply at all\r\n"),
        answering(b"$100\r\nonly a part"),
    ],
    ids=["silent", "resets", "loading", "read-only", "moved", "garbage", "half a reply"],
)
def test_failing_cache_costs_at_most_the_timeout(behave):
    """The answer still arrives, from the origin."""
    with closing(Broken(behave)) as broken:
        used = cache(broken.url)
        for _ in range(3):
            with took() as reading:
                assert used.read("price", "a", Origin("from origin")) == "from origin"
            assert reading.own_s < TIMEOUT_S + 0.05
        assert json.loads(used.flush(0)[0])["CacheFailures"] >= 1


def test_slow_cache_delays_no_call_beyond_the_timeout():
    with closing(Broken(slow)) as broken:
        used = cache(broken.url)
        for _ in range(5):
            with took() as reading:
                assert used.read("price", "a", Origin("from origin")) == "from origin"
            assert reading.own_s < TIMEOUT_S + 0.05
            time.sleep(0.3)


def test_cache_that_was_down_is_used_again_after_a_pause():
    with valkey.start() as running:
        used = cache(running.url)
        used.read("price", "a", Origin("first"))
    for _ in range(3):
        assert used.read("price", "a", Origin("second")) == "second"
    assert json.loads(used.flush(0)[0])["CacheFailures"] == 1
    with CacheServer(valkey.program(), port=running.port):
        time.sleep(1.05)
        assert used.read("price", "a", Origin("third")) == "third"
        assert used.read("price", "a", Origin("fourth")) == "third"


def test_read_from_a_full_cache_uses_the_origin(url):
    client = redis.Redis.from_url(url)
    used = cache(url)
    used.read("price", "a", Origin("old"))
    client.config_set("maxmemory", 1)
    try:
        assert used.read("price", "b", Origin("new")) == "new"
        time.sleep(1.05)
        assert used.read("price", "a", Origin("new")) == "old"
    finally:
        client.config_set("maxmemory", 0)


def test_error_of_the_origin_reaches_the_caller(url):
    def fail():
        raise LookupError("no such product")

    with pytest.raises(LookupError):
        cache(url).read("price", "a", fail)


def test_one_of_many_readers_recomputes_a_hot_value_early(url):
    used = Cache(connect(url, TIMEOUT_S), {"price": Namespace(Bounds(2, 1, 300), jitter=0)})
    loads = []

    def slow():
        loads.append(time.monotonic())
        time.sleep(0.1)
        return len(loads)

    # A process without processor time just before a value expires reads too late, but not twenty times.
    early = 0
    for key in "abcdefghijklmnopqrst":
        loads.clear()
        while len(loads) < 2:
            used.read("price", key, slow)
        early += sum(json.loads(line).get("EarlyLoads", 0) for line in used.flush(0))
        if early:
            break
    assert early >= 1
