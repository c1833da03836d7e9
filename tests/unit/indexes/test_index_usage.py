"""What counters of index use say over weeks, resets and nodes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from optimizer.indexes.model.usage import IndexId, IndexUsage, TableUse, UsageLimits, UsageSnapshot, judge_usage

INDEX = IndexId("public", "t", "i", 7)
START = datetime(2026, 1, 5, tzinfo=UTC)
ALL_SEEN = UsageLimits(quarter_ends=0)


def look(
    day: float, scans: int | None, *, node: str = "writer", since: datetime | None = START, **other: object
) -> UsageSnapshot:
    """A look at one node `day` days after START; None: the index is not there."""
    fields: dict[str, object] = {
        "started_at": START,
        "indexes": {} if scans is None else {INDEX: scans},
        "tables": {("public", "t"): TableUse(int(day * 1000), int(day * 10))},
        **other,
    }
    return UsageSnapshot(node, START + timedelta(days=day), since, **fields)  # type: ignore[arg-type]


def judge(*taken: UsageSnapshot, nodes: tuple[str, ...] = ("writer",), limits: UsageLimits = ALL_SEEN) -> IndexUsage:
    """Usage of the index."""
    return judge_usage(INDEX, taken, nodes=nodes, limits=limits)


def is_unused(usage: IndexUsage) -> bool:
    """Tell whether it is known that nothing scanned the index."""
    return usage.scans == 0 and usage.unknown_because is None


def test_an_index_without_scans_for_weeks_is_unused() -> None:
    found = judge(look(40, 0))
    assert is_unused(found)
    assert found.days == pytest.approx(40)
    assert found.reads == 40_000


def test_a_short_time_says_nothing() -> None:
    assert "34.0 of the required 35 days" in (judge(look(34, 0)).unknown_because or "")


def test_counters_of_unknown_age_say_nothing_until_they_were_seen_for_long_enough() -> None:
    assert judge(look(40, 0, since=None)).unknown_because is not None
    assert is_unused(judge(look(0, 0, since=None), look(40, 0, since=None)))


def test_scans_before_the_first_look_do_not_count_where_their_age_is_unknown() -> None:
    found = judge(look(0, 500, since=None), look(40, 500, since=None))
    assert is_unused(found)


def test_one_scan_at_any_time_makes_it_used() -> None:
    found = judge(look(10, 0), look(20, 1), look(60, 1))
    assert (found.scans, is_unused(found)) == (1, False)


@pytest.mark.parametrize("reset_at", [30.0, 59.0])
def test_after_a_reset_only_the_time_since_counts(reset_at: float) -> None:
    since = START + timedelta(days=reset_at)
    found = judge(look(0, 0), look(29, 0), look(60, 0, since=since))
    assert found.days == pytest.approx(60 - reset_at)
    assert not is_unused(found)


def test_a_counter_that_goes_down_was_cleared() -> None:
    found = judge(look(0, 9, since=None), look(30, 9, since=None), look(60, 0, since=None))
    assert found.days == 0
    assert not is_unused(found)


def test_another_server_behind_the_same_name_starts_anew() -> None:
    other = START + timedelta(days=50)
    found = judge(look(0, 0, since=None), look(60, 0, since=None, started_at=other))
    assert not is_unused(found)


def test_an_index_made_anew_under_its_name_is_another() -> None:
    old = IndexId("public", "t", "i", 6)
    found = judge(look(0, None, indexes={old: 0}, since=None), look(60, 0, since=None))
    assert not is_unused(found)


def test_a_node_that_was_not_asked_makes_it_unknown() -> None:
    found = judge(look(40, 0), nodes=("writer", "reader"))
    assert "no counts were read from reader" in (found.unknown_because or "")


def test_a_replica_that_is_attached_but_not_listed_makes_it_unknown() -> None:
    assert "0 of 1 attached replicas were read" in (judge(look(40, 0, replicas=1)).unknown_because or "")


def test_scans_on_a_replica_count() -> None:
    found = judge(look(40, 0), look(40, 3, node="reader"), nodes=("writer", "reader"))
    assert found.scans == 3


def test_the_node_counted_for_the_shortest_time_decides() -> None:
    since = START + timedelta(days=20)
    found = judge(look(40, 0), look(40, 0, node="reader", since=since), nodes=("writer", "reader"))
    assert found.days == pytest.approx(20)
    assert not is_unused(found)


def test_a_node_that_was_last_asked_long_ago_makes_it_unknown() -> None:
    found = judge(look(80, 0), look(60, 0, node="reader"), nodes=("writer", "reader"))
    assert "the last counts from reader are of" in (found.unknown_because or "")


def test_a_table_that_is_hardly_read_tells_nothing() -> None:
    found = judge(look(40, 0, tables={("public", "t"): TableUse(3, 0)}))
    assert "hardly read" in (found.unknown_because or "")


def test_the_end_of_a_quarter_must_have_been_seen() -> None:
    assert "quarter" in (judge(look(70, 0), limits=UsageLimits()).unknown_because or "")
    assert is_unused(judge(look(90, 0), limits=UsageLimits()))


def test_an_index_that_no_node_counts_is_unknown() -> None:
    found = judge(look(40, None))
    assert found.unknown_because == "no node has counted it"


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_no_index_that_was_scanned_in_the_time_said_is_called_unused(
    steps: list[tuple[int, int, bool]], random: "object"
) -> None:
    """A server that counts truly: whatever the resets and the order of the looks, a scan within the span is seen."""
    day, counter, since, scanned, taken = 0.0, 0, START, [], []
    for days, scans, reset in steps:
        if reset:
            since, counter = START + timedelta(days=day + 0.5), 0
        day += days
        counter += scans
        if scans:
            scanned.append(day)
        taken.append(look(day, counter, since=since))
    shuffled = list(taken)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    found = judge(*shuffled)
    seen = [at for at in scanned if START + timedelta(days=at) > (found.since or START)]
    assert bool(seen) == bool(found.scans)
