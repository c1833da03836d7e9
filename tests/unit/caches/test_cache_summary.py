"""The summary of a sample of keys, the pace of a probe, and the facts from INFO."""

import pytest
from hypothesis import given, strategies as st
from optimizer.caches.probe.pace import WINDOW, Guard, Pace, reached_limit
from optimizer.caches.probe.result import Quantiles, Stopped
from optimizer.caches.probe.server_info import parse_info
from optimizer.caches.probe.summary import KeyReading, SecondLook, big_keys, is_prolonged_by_reads, quantiles, summarise


def test_summary_weights_keys_by_what_they_stand_for():
    readings = [KeyReading(f"a:{i}", 1.0, 10.0, 100) for i in range(90)]
    readings += [KeyReading(f"a:{i}", 30.0, None, 400) for i in range(90, 100)]
    (space,) = summarise(readings).values()
    assert (space.keys, space.keys_seen) == (390, 100)
    assert space.bytes == 90 * 100 + 300 * 400
    assert space.entry_bytes == pytest.approx(space.bytes / 390)
    assert space.without_ttl == pytest.approx(300 / 390)
    assert space.ttl_histogram == ((16.0, 90),)


def test_summary_leaves_out_what_the_server_does_not_say():
    (space,) = summarise([KeyReading("a:1", 1.0, 5.0, None)]).values()
    assert (space.bytes, space.entry_bytes, space.largest_bytes, space.idle_s, space.access_counter) == (None,) * 5
    assert space.ttl_set_s is None
    assert space.sliding is None
    assert summarise([]) == {}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0.1, 100)), min_size=1))
def test_quantiles_rise_and_are_given_values(values):
    found = quantiles(values)
    assert found is not None
    assert found.p10 <= found.p50 <= found.p90 <= found.most == max(value for value, _ in values)
    assert {found.p10, found.p50, found.p90} <= {value for value, _ in values}


def test_quantiles_of_one_to_ten():
    assert quantiles((float(i), 1.0) for i in range(1, 11)) == Quantiles(1, 5, 9, 10)


def looked_twice(left_after, idle, count):
    look = SecondLook(before_s=100, after_s=5, ttl_left_s=left_after, idle_s=idle)
    return [KeyReading(f"k{left_after}{i}", 1, 100, 1, second_look=look) for i in range(count)]


@pytest.mark.parametrize(
    ("readings", "expected"),
    [
        (looked_twice(95, 1, 20), False),
        (looked_twice(119, 1, 20), True),
        (looked_twice(119, None, 20), True),
        (looked_twice(95, None, 20), None),
        (looked_twice(95, 30, 20), None),
        (looked_twice(None, 1, 20), None),
        (looked_twice(119, 1, 4), None),
        (looked_twice(119, 1, 3) + looked_twice(95, 1, 20), False),
    ],
)
def test_ttl_slides_if_most_keys_read_got_more_time(readings, expected):
    assert is_prolonged_by_reads(readings) is expected


def test_big_keys_come_largest_first_with_short_names():
    readings = [KeyReading("k" * 500, 1, None, size, type="hash") for size in (10, 3_000_000, 2_000_000)]
    found = big_keys(readings, 1_000_000)
    assert [key.bytes for key in found] == [3_000_000, 2_000_000]
    assert len(found[0].name) == 120


def test_guard_stops_at_twice_the_latency():
    """A single slow answer does not stop the probe."""
    guard = Guard([1.0, 1.1, 0.9])
    assert not any(guard.is_slower(ping) for ping in [1.0] * 100)
    assert not guard.is_slower(500.0)
    slow = [guard.is_slower(2.2) for _ in range(WINDOW)]
    assert not any(slow[: WINDOW // 2 - 2])
    assert slow[-1]


@given(st.floats(0.001, 1), st.lists(st.floats(0, 1), min_size=1))
def test_pace_keeps_requests_to_a_share_of_the_time(duty, times):
    pace = Pace(duty)
    pauses = sum(pace.pause_s(busy) for busy in times)
    assert pace.busy_s <= duty * (pace.busy_s + pauses) * (1 + 1e-9) + 1e-12


def test_first_limit_reached_ends_a_probe():
    assert reached_limit(9, 10, 1, 2) is None
    assert reached_limit(10, 10, 9, 2) == Stopped.ENOUGH_KEYS
    assert reached_limit(9, 10, 2, 2) == Stopped.OUT_OF_TIME
    with pytest.raises(ValueError, match="share"):
        Pace(0)


def test_replica_lag_is_that_of_the_replica_furthest_behind():
    slaves = {f"slave{i}": {"ip": "x", "offset": offset} for i, offset in enumerate((900, 400, 1000))}
    server = parse_info({"role": "master", "connected_slaves": 3, "master_repl_offset": 1000, **slaves})
    assert (server.role, server.replicas, server.replica_lag_bytes) == ("primary", 3, 600)
    assert parse_info({"role": "slave", "master_link_status": "down"}).replica_lag_bytes is None


def test_empty_info_gives_no_numbers():
    server = parse_info({})
    assert (server.hit_ratio, server.fragmentation, server.cpu_s, server.max_clients) == (None,) * 4
    assert parse_info({"keyspace_hits": 3, "keyspace_misses": 1}).hit_ratio == 0.75
