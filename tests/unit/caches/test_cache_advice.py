"""Advice about a cache server, by rule."""

from dataclasses import replace

import pytest
from optimizer.caches.probe import Weight, advise
from optimizer.caches.probe.result import BigKey, NamespaceProbe, NodeProbe, ProbeResult, Stopped
from optimizer.caches.probe.server_info import parse_info

HEALTHY = replace(
    parse_info({"role": "master"}),
    uptime_s=86400,
    keys=1000,
    keys_with_ttl=1000,
    used_bytes=500_000_000,
    max_bytes=1_000_000_000,
    policy="allkeys-lru",
    fragmentation=1.1,
    hits=900_000,
    misses=100_000,
    clients=20,
    max_clients=10_000,
    connections=1000,
    says_limit=True,
)
SPACE = NamespaceProbe(1000, 1000, 100_000, 100.0, 200, 0.0, None, 60.0, (), None, None, False)


def told(space=SPACE, big=(), **changes):
    node = NodeProbe("cache:6379", replace(HEALTHY, **changes), 1000, Stopped.COMPLETE, 0.2, 0.2, 50.0, 5.0)
    return advise(ProbeResult((node,), {"price": space}, big))


def test_healthy_cache_gets_no_advice():
    assert told() == []


@pytest.mark.parametrize(
    ("changes", "rule", "weight"),
    [
        ({"max_bytes": 0}, "no-maxmemory", Weight.WRONG),
        ({"used_bytes": 950_000_000}, "nearly-full", Weight.NOTE),
        ({"policy": "noeviction"}, "noeviction", Weight.WRONG),
        ({"policy": "volatile-lru", "keys_with_ttl": 400}, "never-evicted", Weight.COSTLY),
        ({"evicted": 5000, "expired": 5000}, "evictions", Weight.COSTLY),
        ({"hits": 700_000, "misses": 300_000}, "hit-ratio", Weight.NOTE),
        ({"rejected_connections": 3}, "rejected-connections", Weight.WRONG),
        ({"clients": 9000}, "many-clients", Weight.NOTE),
        ({"connections": 20 * 86400}, "connection-churn", Weight.COSTLY),
        ({"replica_lag_bytes": 50_000_000}, "replica-lag", Weight.WRONG),
        ({"role": "replica", "link_up": False}, "replica-alone", Weight.WRONG),
        ({"fragmentation": 2.0}, "fragmentation", Weight.COSTLY),
    ],
)
def test_advice_names_the_rule_for_each_wrong_setting(changes, rule, weight):
    assert [(item.rule, item.weight) for item in told(**changes)] == [(rule, weight)]


@pytest.mark.parametrize(
    ("space", "big", "rule"),
    [
        (replace(SPACE, without_ttl=0.25), (), "without-ttl"),
        (replace(SPACE, sliding=True), (), "sliding-ttl"),
        (SPACE, (BigKey("cart:1", "hash", 5_000_000),), "big-key"),
    ],
)
def test_advice_names_the_rule_for_problems_of_keys(space, big, rule):
    assert [item.rule for item in told(space, big)] == [rule]


def test_advice_lists_wrong_settings_before_notes():
    weights = [item.weight for item in told(replace(SPACE, sliding=True), max_bytes=0, evicted=1, clients=9000)]
    assert weights == [Weight.WRONG, Weight.COSTLY, Weight.NOTE, Weight.NOTE]


def test_advice_ignores_few_reads_and_young_servers():
    assert told(hits=1, misses=99, uptime_s=5, connections=500, evicted=1) == []


def test_full_cache_that_may_not_evict_is_wrong():
    found = {item.rule: item.weight for item in told(used_bytes=999_000_000, policy="noeviction")}
    assert found == {"nearly-full": Weight.WRONG, "noeviction": Weight.WRONG}


def test_what_a_server_does_not_say_is_no_fault():
    """Redis before 6.2.7 does not tell the lag of a replica, and Pika has no maxmemory."""
    assert told(role="replica", link_up=True) == []
    assert told(role="replica", link_up=None) == []
    assert told(says_limit=False, max_bytes=0) == []


def test_advice_ignores_what_a_serverless_cache_omits():
    assert told(used_bytes=0, max_bytes=0, policy="unknown", fragmentation=None) == []
