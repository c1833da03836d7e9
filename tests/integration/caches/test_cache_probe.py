"""The probe on real servers: its result, its commands, and its stop."""

import contextlib
import itertools
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from local_account.servers import HOST, certificates, free_port, redis_debian, valkey
from local_account.servers.faults import FaultProxy
from local_account.servers.redis_protocol import CacheCluster, CacheServer, replica_of
from optimizer.caches.probe import probe_cache
from optimizer.caches.probe.errors import CacheFailed, CacheUnreachable, LoginRefused, NotReady, UnusableEndpoint
from optimizer.caches.probe.login import Keys
from optimizer.caches.probe.reader import ProbeLimits
from optimizer.caches.probe.result import Stopped
from optimizer.caches.probe.server import Endpoint, IamLogin

pytestmark = pytest.mark.starts_servers
# Nobody else works on a test's server, so the probe may hurry.
FAST = ProbeLimits(duty=1.0, second_look_s=0.0, most_slower=1e9, gap_s=0.0)


@pytest.fixture(params=[valkey.VALKEY_9, redis_debian.REDIS_7], ids=["valkey", "redis"])
def cache(request, server) -> Iterator[CacheServer]:
    running = server(request.param)
    with contextlib.closing(running.client()) as client:
        client.flushall()
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 0)
    return running


def fill(client) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for i in range(3000):
            pipeline.set(f"price:{i}", "x" * 100, px=1 + 60_000 * (i + 1) // 3000)
        for i in range(1000):
            pipeline.set(f"session:{i}", "x" * 400)
        pipeline.execute()


def test_probe_reports_what_the_server_holds(cache):
    with contextlib.closing(cache.client()) as client:
        fill(client)
        found = probe_cache(Endpoint(cache.url), FAST)
        assert found.is_complete
        assert list(found.namespaces) == ["session", "price"]
        price, session = found.namespaces["price"], found.namespaces["session"]
        assert session.keys == session.keys_seen == 1000
        assert 2700 <= price.keys <= 3000
        assert (price.without_ttl, session.without_ttl) == (0, 1)
        assert session.ttl_left_s is None
        assert session.ttl_set_s is None
        assert price.ttl_left_s.p50 == pytest.approx(30, abs=4)
        assert price.ttl_set_s == pytest.approx(60, abs=4)
        assert session.entry_bytes == pytest.approx(client.memory_usage("session:7"), rel=0.05)
        assert session.bytes == pytest.approx(1000 * session.entry_bytes)
        assert sum(keys for _, keys in price.ttl_histogram) == price.keys


def test_probe_scales_a_sample_of_a_large_server(cache):
    with contextlib.closing(cache.client()) as client:
        fill(client)
    found = probe_cache(Endpoint(cache.url), ProbeLimits(keys=1000, duty=1.0, second_look_s=0.0, most_slower=1e9))
    (node,) = found.nodes
    assert node.stopped == Stopped.ENOUGH_KEYS
    assert 1000 <= node.keys_seen < 1100
    assert found.namespaces["session"].keys == pytest.approx(1000, rel=0.2)
    assert sum(space.keys for space in found.namespaces.values()) == pytest.approx(4000, abs=80)


def test_probe_sends_harmless_commands_and_changes_nothing(cache):
    with contextlib.closing(cache.client()) as client:
        client.set("big:1", "x" * 2_000_000)
        client.set("price:1", "x", ex=100)
        time.sleep(1.1)
        client.config_resetstat()
        found = probe_cache(Endpoint(cache.url), FAST)
        asked = {name.removeprefix("cmdstat_") for name in client.info("commandstats")}
        assert asked - {"config|resetstat", "config|set", "config", "flushall", "select"} == {
            "info",
            "dbsize",
            "ping",
            "scan",
            "pttl",
            "memory|usage",
            "object|idletime",
            "type",
        }
        assert [(key.name, key.type) for key in found.big_keys] == [("big:1", "string")]
        assert client.object("idletime", "price:1") >= 1


def test_probe_reads_the_counter_under_an_lfu_policy(cache):
    """Without an idle time under LFU, the access counter takes its place."""
    with contextlib.closing(cache.client()) as client:
        client.config_set("maxmemory-policy", "allkeys-lfu")
        fill(client)
        for _ in range(300):
            client.get("price:2999")
    (price, session) = (probe_cache(Endpoint(cache.url), FAST).namespaces[name] for name in ("price", "session"))
    assert price.idle_s is None
    # New keys begin with 5, and lose one when a minute is over.
    assert price.access_counter.most > 5
    assert price.access_counter.p50 <= 5
    assert session.access_counter.most <= 5


def test_probe_recognizes_reads_that_prolong_entries(cache):
    with contextlib.closing(cache.client()) as client:
        for i, name in itertools.product(range(30), ("fixed", "sliding", "unread")):
            client.set(f"{name}:{i}", "x", ex=1000)
        client.expire("sliding:1", 500)
        stop = threading.Event()

        def read() -> None:
            with contextlib.closing(cache.client()) as reader:
                while not stop.wait(0.2):
                    for i in range(30):
                        reader.get(f"fixed:{i}")
                        reader.getex(f"sliding:{i}", ex=1000)

        thread = threading.Thread(target=read)
        thread.start()
        try:
            found = probe_cache(Endpoint(cache.url), ProbeLimits(duty=1.0, second_look_s=3.5, most_slower=1e9))
        finally:
            stop.set()
            thread.join()
    assert {name: space.sliding for name, space in found.namespaces.items()} == {
        "fixed": False,
        "sliding": True,
        "unread": None,
    }


def test_probe_leaves_out_figures_of_forbidden_commands(cache):
    with contextlib.closing(cache.client()) as client:
        fill(client)
        client.acl_setuser(
            "looker",
            enabled=True,
            passwords=["+secret"],
            keys=["*"],
            commands=["+info", "+dbsize", "+ping", "+scan", "+pttl", "+object"],
        )
    found = probe_cache(Endpoint(f"redis://looker:secret@{HOST}:{cache.port}/0"), FAST)
    assert found.nodes[0].refused == ("MEMORY USAGE",)
    assert found.namespaces["session"].bytes is None
    assert found.namespaces["session"].idle_s is not None
    with pytest.raises(LoginRefused):
        probe_cache(Endpoint(f"redis://looker:wrong@{HOST}:{cache.port}/0"), FAST)


def test_probe_names_the_missing_permission_to_scan(cache):
    with contextlib.closing(cache.client()) as client:
        client.acl_setuser("narrow", enabled=True, nopass=True, keys=["*"], commands=["+info", "+dbsize", "+ping"])
    with pytest.raises(LoginRefused, match="scan"):
        probe_cache(Endpoint(f"redis://narrow:x@{HOST}:{cache.port}/0"), FAST)


def test_probe_keeps_to_its_share_of_the_time(cache):
    with contextlib.closing(cache.client()) as client:
        fill(client)
    # There is no pause before the second look, so that the time suffices on a slow machine.
    limits = ProbeLimits(keys=100, seconds=4, duty=0.05, most_slower=1e9, second_look_s=0.0)
    (node,) = probe_cache(Endpoint(cache.url), limits).nodes
    assert node.busy_ms <= 0.06 * 1000 * node.took_s
    assert node.took_s < 9


def test_probe_stops_when_the_server_is_twice_as_slow():
    with valkey.start() as server, contextlib.closing(server.client()) as client:
        fill(client)
        reads, stop = threading.Event(), threading.Event()

        def hold_up() -> None:
            # Once keys are read, the server stops for 8 of every 10 ms.
            reads.wait(60)
            while not stop.is_set():
                server.pause()
                time.sleep(0.008)
                server.resume()
                time.sleep(0.002)

        thread = threading.Thread(target=hold_up)
        thread.start()
        try:
            found = probe_cache(Endpoint(server.url), ProbeLimits(duty=0.05), progress=lambda _at: reads.set())
        finally:
            reads.set()
            stop.set()
            thread.join()
        (node,) = found.nodes
        assert node.stopped == Stopped.SLOWER
        assert not found.is_complete
        assert node.ping_after_ms >= 2 * node.ping_ms
        assert 0 < node.keys_seen < 4000


def test_probe_of_a_named_replica_spares_the_primary(server):
    primary = server(redis_debian.REDIS_7)
    with (
        contextlib.closing(primary.client()) as client,
        replica_of(primary, redis_debian.program()) as replica,
        contextlib.closing(replica.client()) as reader,
    ):
        client.flushall()
        fill(client)
        client.wait(1, 5000)
        client.config_resetstat()
        found = probe_cache(Endpoint(primary.url, replica_url=replica.url), FAST)
        assert found.nodes[0].facts.role == "replica"
        assert found.nodes[0].facts.replica_lag_bytes is not None
        assert found.namespaces["session"].keys == 1000
        assert "cmdstat_scan" not in client.info("commandstats")
        assert reader.info("commandstats")["cmdstat_scan"]["calls"] > 0


@pytest.mark.parametrize("password", [None, "geheim"])
def test_probe_of_a_cluster_reads_every_shard(password):
    with CacheCluster(valkey.program(), primaries=3, password=password) as cluster:
        with contextlib.closing(redis.RedisCluster.from_url(cluster.url, socket_timeout=5)) as client:
            for i in range(600):
                client.set(f"price:{i}", "x", ex=60)
        found = probe_cache(Endpoint(cluster.url), FAST)
    assert len(found.nodes) == 3
    assert found.is_complete
    assert found.namespaces["price"].keys == 600
    assert all(node.keys_seen > 100 for node in found.nodes)


def test_probe_of_a_cluster_prefers_replicas():
    with CacheCluster(valkey.program(), primaries=3, replicas=1) as cluster:
        with contextlib.closing(redis.RedisCluster.from_url(cluster.url, socket_timeout=5)) as client:
            for i in range(300):
                client.set(f"price:{i}", "x", ex=600)
            deadline = time.monotonic() + 20
            while not all(shard["replicas"] for shard in client.cluster_slots().values()):
                assert time.monotonic() < deadline
                time.sleep(0.2)
        found = probe_cache(Endpoint(cluster.url), FAST)
    assert [node.facts.role for node in found.nodes] == ["replica"] * 3
    assert found.namespaces["price"].keys == 300
    assert found.namespaces["price"].without_ttl == 0


def readable(folder: Path) -> Path:
    """Make a folder readable, so that a server that runs as another user can read its files."""
    for place in (folder, *folder.parents):
        if place == Path(tempfile.gettempdir()):
            break
        place.chmod(0o755)
    return folder


def test_probe_over_tls_needs_a_trusted_certificate(server, tmp_path_factory):
    server(redis_debian.REDIS_7)
    folder = readable(tmp_path_factory.mktemp("tls"))
    files = certificates.make(folder)
    with CacheServer(redis_debian.program(), certificates=files, password="geheim") as running:
        with contextlib.closing(running.client()) as client:
            fill(client)
        found = probe_cache(Endpoint(running.url, ca_file=str(files.authority)), FAST)
        assert found.namespaces["session"].keys == 1000
        with pytest.raises(CacheUnreachable, match="certificate"):
            probe_cache(Endpoint(running.url), FAST)


def test_probe_signs_a_new_iam_token_for_each_connection(server, tmp_path_factory):
    server(redis_debian.REDIS_7)
    folder = readable(tmp_path_factory.mktemp("iam"))
    files = certificates.make(folder)
    asked = []

    def keys() -> Keys:
        asked.append(1)
        return Keys("AKID", "secret", "session")

    login = IamLogin("looker", "shop", "eu-central-1", keys)
    with CacheServer(redis_debian.program(), certificates=files) as running:
        plain = running.url
        with contextlib.closing(running.client()) as client:
            client.acl_setuser("looker", enabled=True, nopass=True, keys=["*"], commands=["+@all"])
        probe_cache(Endpoint(plain, login=login, ca_file=str(files.authority)), FAST)
        assert asked == [1]
        with contextlib.closing(running.client()) as client:
            client.acl_setuser("looker", reset=True, enabled=True, passwords=["+other"], commands=["+@all"])
        with pytest.raises(LoginRefused):
            probe_cache(Endpoint(plain, login=login, ca_file=str(files.authority)), FAST)
    with pytest.raises(UnusableEndpoint):
        Endpoint("redis://cache.example", login=login)


def test_probe_names_a_silent_server_without_its_password():
    """The error names the server and the reason."""
    with pytest.raises(CacheUnreachable, match=HOST) as refused:
        probe_cache(Endpoint(f"redis://:geheim@{HOST}:{free_port()}/0"))
    assert "geheim" not in str(refused.value)
    with CacheServer(valkey.program(), {"cluster-enabled": "yes"}) as lonely, pytest.raises(NotReady):
        probe_cache(Endpoint(lonely.url))
    with valkey.start() as server:
        server.pause()
        with pytest.raises(CacheUnreachable):
            probe_cache(Endpoint(server.url, timeout_s=0.3))


@pytest.mark.parametrize("secret", ["Sup3r/Secret", "Sup3r#Secret", "Sup3r?Secret", "Sup3r Secret/x"])
def test_address_that_cannot_be_read_is_not_repeated(secret):
    with pytest.raises((UnusableEndpoint, CacheFailed)) as refused:
        probe_cache(Endpoint(f"redis://app:{secret}@127.0.0.1:1/0"), FAST)
    assert "Sup3r" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["valkey", "REDIS", "Redis", "VALKEY"])
def test_schemes_know_no_case_and_no_engine(cache, scheme):
    url = f"{scheme}://{cache.url.partition('://')[2]}"
    assert probe_cache(Endpoint(url), FAST).nodes[0].facts.role == "primary"


def test_keys_of_others_are_left_out_and_counted(cache):
    with contextlib.closing(cache.client()) as client:
        client.flushall()
        for i in range(40):
            client.set(f"app:{i}", "v", ex=100)
            client.set(f"theirs:{i}", "v", ex=100)
        client.acl_setuser("app", enabled=True, nopass=True, keys=["app:*"], commands=["+@all"])
        try:
            found = probe_cache(Endpoint(cache.url.replace("redis://", "redis://app:any@")), FAST)
        finally:
            client.acl_deluser("app")
    assert {name: space.keys for name, space in found.namespaces.items()} == {"app": 40}
    assert found.nodes[0].keys_left_out == 40


def test_round_trip_is_no_work_of_the_server(cache):
    """Behind 20 ms, a pace of 0.4% would wait 5 s after each request."""
    with contextlib.closing(cache.client()) as client:
        for i in range(200):
            client.set(f"far:{i}", "v", ex=100)
    with FaultProxy("redis", cache.port) as proxy:
        proxy.rules({"latency": {"min_ms": 20, "max_ms": 20}})
        url = f"redis://127.0.0.1:{proxy.port}/0"
        found = probe_cache(Endpoint(url), ProbeLimits(seconds=2, gap_s=0.0, most_slower=1e9))
    assert found.nodes[0].took_s <= 2 * 1.1 + 1
    assert found.nodes[0].keys_seen >= 20


def test_shard_that_is_down_costs_only_its_keys():
    with CacheCluster(valkey.program(), primaries=3) as cluster:
        with contextlib.closing(redis.RedisCluster.from_url(cluster.url, socket_timeout=5)) as client:
            client.config_set("cluster-require-full-coverage", "no", target_nodes="all")
            for i in range(90):
                client.set(f"price:{i}", "v", ex=100)
        cluster.servers[1].stop()
        found = probe_cache(Endpoint(cluster.url, timeout_s=0.5), FAST)
    assert len(found.nodes) == 2
    assert len(found.missing) == 1
    assert 30 <= sum(node.keys_seen for node in found.nodes) <= 85
    assert not found.is_complete
