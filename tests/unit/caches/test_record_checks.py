"""Test that a record that the cache client cannot have written is left out alone."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer.caches.tuning.check_records import UnusableRecord, check_sample
from optimizer.caches.tuning.read_log import RecordLog
from optimizer.caches.tuning.records import merge_samples
from optimizer.caches.tuning.usage import sum_usage
from optimizer_cache.measure import NamespaceMeasure

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
END = NOW.timestamp()
SAMPLE: dict[str, Any] = {
    "namespace": "price",
    "from_s": END - 7200,
    "to_s": END - 5,
    "rate": 1.0,
    "total_accesses": 30,
    "exact": 0,
    "ttl_version": 1,
    "ttl_s": 60,
    "keys": ["0" * 16, "1" * 16],
    "reads_ms": [[1000 * i, i % 2] for i in range(30)],
}
COUNTS: dict[str, Any] = {
    "_aws": {"Timestamp": (END - 5) * 1000},
    "CacheNamespace": "price",
    "TtlVersion": "1",
    "TtlSeconds": 60,
    **dict.fromkeys(("Hits", "Misses", "Loads"), 50),
    **dict.fromkeys(("LocalHits", "EarlyLoads", "CacheFailures", "SampledRefills", "SampledChanges"), 0),
    "FromSeconds": END - 3600,
    "LoadTime": 5,
    "EntryBytes": 100,
}
NAN = float("nan")
MALFORMED: dict[str, Mapping[str, Any]] = {
    "an index is text": {"reads_ms": [[0, "0"]]},
    "an index is 0.5": {"reads_ms": [[0, 0.5]]},
    "an index is true": {"reads_ms": [[0, True]]},
    "a time is null": {"reads_ms": [[None, 0]]},
    "a time is text": {"reads_ms": [["x", 0]]},
    "a time lies after the end": {"reads_ms": [[1e12, 0]]},
    "a key is not hexadecimal": {"keys": ["zz", "1" * 16]},
    "a key is a list": {"keys": [[], "1" * 16], "exact": 1},
    "the version is NaN": {"ttl_version": NAN},
    "the rate is NaN": {"rate": NAN},
    "there is no rate": {"rate": None},
    "it begins before all time": {"from_s": -1e18},
    "it begins before the log": {"from_s": END - 86_400 * 30},
    "it ends in the future": {"to_s": END + 86_400},
    "it ends before it begins": {"from_s": END, "to_s": END - 9},
    "a number is larger than any": {"to_s": 10**400},
    "it lists more reads than there were": {"total_accesses": 3},
    "it is infinite": {"ttl_s": float("inf")},
    "the exact keys are part of one": {"exact": 0.5},
    "the exact keys are no whole number": {"exact": 0.0},
    "a time lies long before the start": {"reads_ms": [[-1e9, 0]]},
}
BAD_COUNTS: dict[str, Mapping[str, Any]] = {
    "hits are infinite": {"Hits": float("inf")},
    "hits are NaN": {"Hits": NAN},
    "the version is too long": {"TtlVersion": "9" * 5000},
    "it begins before all time": {"FromSeconds": 0},
    "it is from the future": {"_aws": {"Timestamp": (END + 86_400) * 1000}},
    "a count is text": {"Misses": "50"},
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def read(*lines: str) -> Any:
    pages = [{"events": [{"message": line} for line in lines]}]
    paginator = SimpleNamespace(paginate=lambda **request: pages if request["endTime"] > (END - 600) * 1000 else [])
    logs: Any = SimpleNamespace(get_paginator=lambda _name: paginator)
    return RecordLog(logs).read(["/aws/lambda/shop"], NOW - timedelta(hours=24), NOW, 100)


def sample_line(**changed: Any) -> str:
    return json.dumps({"source": "OptimizerCache", "cache_sample": {**SAMPLE, **changed}})


@pytest.mark.parametrize("changed", MALFORMED.values(), ids=MALFORMED)
def test_malformed_sample_is_left_out_alone(changed: Mapping[str, Any]) -> None:
    found = read(sample_line(), sample_line(**changed), json.dumps(COUNTS))
    assert (list(found.samples), found.left_out) == ([SAMPLE], 1)
    assert merge_samples(found.samples)["price"].sample.total_accesses == 30


def test_read_that_a_flush_of_another_thread_overtakes_counts() -> None:
    measure = NamespaceMeasure(END - 60, rate=1.0)
    measure.read("a", END - 50, hit=True)
    measure.read("a", END - 37, hit=True)
    first = measure.flush("price", 1, 60.0, END - 40)
    measure.read("a", END - 45, hit=True)
    records = [*first, *measure.flush("price", 1, 60.0, END - 5)]
    found = read(*map(json.dumps, records))
    assert (len(found.samples), found.left_out) == (2, 0)
    assert len(merge_samples(found.samples)["price"].accesses.time_us) == 3


@pytest.mark.parametrize("changed", BAD_COUNTS.values(), ids=BAD_COUNTS)
def test_malformed_counts_are_left_out_alone(changed: Mapping[str, Any]) -> None:
    found = read(json.dumps({**COUNTS, **changed}), json.dumps(COUNTS))
    assert (list(found.metrics), found.left_out) == ([COUNTS], 1)
    assert sum_usage(found.metrics)["price"].reads == 100


@given(field=st.sampled_from(sorted(SAMPLE)), value=JSON)
def test_any_value_is_left_out_or_usable(field: str, value: Any) -> None:
    record = {**SAMPLE, field: value}
    try:
        name = check_sample(record)
    except UnusableRecord:
        # True equals 1, but the client never writes it for a number.
        assert isinstance(value, bool) or value != SAMPLE[field]
        return
    assert merge_samples([SAMPLE, record])["price"].sample.total_accesses >= 30
    assert isinstance(name, str)


@given(field=st.sampled_from(sorted(COUNTS)), value=JSON)
def test_any_value_of_the_counts_is_left_out_or_usable(field: str, value: Any) -> None:
    found = read(json.dumps({**COUNTS, field: value}), json.dumps(COUNTS))
    assert sum_usage(found.metrics)["price"].reads >= 100


@given(JSON)
def test_any_document_can_stand_in_the_log(document: Any) -> None:
    found = read(json.dumps(document), json.dumps({"cache_sample": document}), json.dumps({"message": document}))
    assert (found.samples, found.metrics) == ([], [])


@pytest.mark.parametrize(
    ("line", "taken"),
    [
        (sample_line(), True),
        (f"  {sample_line()}\n", True),
        (json.dumps({"level": "INFO", "message": sample_line()}), True),
        (json.dumps({"level": "INFO", "message": json.loads(sample_line())}), True),
        (f"2026-11-30 INFO body of POST /feedback: {sample_line()}", False),
        (f"{sample_line()} was sent", False),
        (json.dumps({"message": f"body: {sample_line()}"}), False),
        (json.dumps({"body": sample_line()}), False),
        (json.dumps({"body": json.loads(sample_line())}), False),
        ("[" * 100_000, False),
    ],
)
def test_record_is_a_whole_line_or_message(line: str, taken: bool) -> None:
    """What a user sent to the application is no word of the client."""
    assert bool(read(line).samples) == taken
