"""The use of indexes according to counters over weeks, resets and nodes."""

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
    """Return the snapshot of a node `day` days after START; without the index if `scans` is None."""
    fields: dict[str, object] = {
        "started_at": START,
        "indexes": {} if scans is None else {INDEX: scans},
        "tables": {("public", "t"): TableUse(int(day * 1000), int(day * 10))},
        **other,
    }
    return UsageSnapshot(node, START + timedelta(days=day), since, **fields)  # type: ignore[arg-type]


def judge(*taken: UsageSnapshot, nodes: tuple[str, ...] = ("writer",), limits: UsageLimits = ALL_SEEN) -> IndexUsage:
    """Return the usage of the index."""
    return judge_usage(INDEX, taken, nodes=nodes, limits=limits)


def is_unused(usage: IndexUsage) -> bool:
    """Return True if it is known that nothing scanned the index."""
    return usage.scans == 0 and usage.unknown_because is None


def test_index_without_scans_for_weeks_is_unused() -> None:
    found = judge(look(0, 0), look(40, 0))
    assert is_unused(found)
    assert found.days == pytest.approx(40)
    assert found.reads == 40_000


@pytest.mark.parametrize("looks_before", [0, 60])
def test_an_index_is_as_old_as_the_first_look_that_saw_it(looks_before: int) -> None:
    """The counters of the server are much older; those of a new index are zero as well."""
    without = [look(day, None) for day in range(looks_before)]
    found = judge(*without, look(130, 0))
    assert found.days == 0
    assert "0.0 of the required 35 days" in (found.unknown_because or "")
    found = judge(*without, look(130, 0), look(150, 0))
    assert (found.days, is_unused(found)) == (pytest.approx(20), False)
    assert is_unused(judge(*without, look(130, 0), look(150, 0), look(166, 0)))


def test_counters_that_were_cleared_count_for_an_index_that_existed() -> None:
    since = START + timedelta(days=10)
    found = judge(look(0, 4), look(50, 0, since=since))
    assert (found.days, is_unused(found)) == (pytest.approx(40), True)


def test_another_table_under_the_same_name_starts_over() -> None:
    """MySQL has no oid: a table that was swapped in by RENAME is told by the time at which it was made."""
    made = {("public", "t"): START - timedelta(days=90)}
    swapped = {("public", "t"): START - timedelta(days=80)}
    found = judge(look(0, 0, tables_made_at=made), look(50, 0, tables_made_at=swapped))
    assert found.days == 0


def test_short_time_leaves_usage_unknown() -> None:
    assert "34.0 of the required 35 days" in (judge(look(0, 0), look(34, 0)).unknown_because or "")


def test_counters_of_unknown_age_need_two_distant_snapshots() -> None:
    assert judge(look(40, 0, since=None)).unknown_because is not None
    assert is_unused(judge(look(0, 0, since=None), look(40, 0, since=None)))


def test_scans_of_unknown_age_before_first_snapshot_are_ignored() -> None:
    found = judge(look(0, 500, since=None), look(40, 500, since=None))
    assert is_unused(found)


def test_one_scan_at_any_time_means_used() -> None:
    found = judge(look(10, 0), look(20, 1), look(60, 1))
    assert (found.scans, is_unused(found)) == (1, False)


@pytest.mark.parametrize("reset_at", [30.0, 59.0])
def test_only_the_time_after_a_reset_counts(reset_at: float) -> None:
    since = START + timedelta(days=reset_at)
    found = judge(look(0, 0), look(29, 0), look(60, 0, since=since))
    assert found.days == pytest.approx(60 - reset_at)
    assert not is_unused(found)


def test_lower_counter_counts_as_reset() -> None:
    found = judge(look(0, 9, since=None), look(30, 9, since=None), look(60, 0, since=None))
    assert found.days == 0
    assert not is_unused(found)


def test_new_server_under_the_same_name_starts_over() -> None:
    other = START + timedelta(days=50)
    found = judge(look(0, 0, since=None), look(60, 0, since=None, started_at=other))
    assert not is_unused(found)


def test_recreated_index_is_a_different_index() -> None:
    old = IndexId("public", "t", "i", 6)
    found = judge(look(0, None, indexes={old: 0}, since=None), look(60, 0, since=None))
    assert not is_unused(found)


def test_unread_node_leaves_usage_unknown() -> None:
    found = judge(look(40, 0), nodes=("writer", "reader"))
    assert "no counts were read from reader" in (found.unknown_because or "")


def test_unlisted_replica_leaves_usage_unknown() -> None:
    assert "0 of 1 attached replicas were read" in (judge(look(40, 0, replicas=1)).unknown_because or "")


def test_scans_on_a_replica_count() -> None:
    found = judge(
        look(0, 0), look(40, 0), look(0, 0, node="reader"), look(40, 3, node="reader"), nodes=("writer", "reader")
    )
    assert found.scans == 3


def test_node_with_the_shortest_time_decides() -> None:
    since = START + timedelta(days=20)
    reader = [look(day, 0, node="reader", since=since) for day in (20, 40)]
    found = judge(look(0, 0), look(40, 0), *reader, nodes=("writer", "reader"))
    assert found.days == pytest.approx(20)
    assert not is_unused(found)


def test_node_read_long_ago_leaves_usage_unknown() -> None:
    found = judge(look(80, 0), look(60, 0, node="reader"), nodes=("writer", "reader"))
    assert "the last counts from reader are of" in (found.unknown_because or "")


def test_rarely_read_table_leaves_usage_unknown() -> None:
    found = judge(look(0, 0), look(40, 0, tables={("public", "t"): TableUse(3, 0)}))
    assert "hardly read" in (found.unknown_because or "")


def test_usage_needs_the_end_of_a_quarter() -> None:
    assert "quarter" in (judge(look(0, 0), look(70, 0), limits=UsageLimits()).unknown_because or "")
    assert is_unused(judge(look(0, 0), look(90, 0), limits=UsageLimits()))


def test_uncounted_index_is_unknown() -> None:
    found = judge(look(40, None))
    assert found.unknown_because == "no node has counted it"


@given(
    st.lists(st.tuples(st.integers(1, 20), st.integers(0, 3), st.booleans()), min_size=1, max_size=12),
    st.randoms(use_true_random=False),
)
def test_index_scanned_in_the_stated_time_is_never_unused(steps: list[tuple[int, int, bool]], random: "object") -> None:
    """With correct counters a scan in the time is found, whatever the resets and the order of the snapshots."""
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
