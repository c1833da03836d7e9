"""Comparison of statements, obstacles to a build, and the history of snapshots."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from optimizer.indexes.change.compare import compare
from optimizer.indexes.change.preflight import obstacle
from optimizer.indexes.change.server import Conditions, Job, StatementTimes
from optimizer.indexes.model.faulty_builds import why_builds_are_faulty
from optimizer.indexes.model.history import Past
from optimizer.indexes.model.usage import IndexId, TableUse, UsageSnapshot
from optimizer.policy.model import Indexes

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def times(calls: int, mean_ms: float, sd_ms: float | None = 0.0) -> StatementTimes:
    squares = None if sd_ms is None else calls * (mean_ms**2 + sd_ms**2)
    return StatementTimes(calls, calls * mean_ms, squares)


def after(before: StatementTimes, calls: int, mean_ms: float, sd_ms: float | None = 0.0) -> StatementTimes:
    more = times(calls, mean_ms, sd_ms)
    squares = None if sd_ms is None else (before.squares_ms2 or 0) + (more.squares_ms2 or 0)
    return StatementTimes(before.calls + calls, before.total_ms + more.total_ms, squares)


@pytest.mark.parametrize(
    ("before", "calls", "mean_ms", "sd_ms", "slower", "compared"),
    [
        (times(1000, 10, 2), 1000, 11.5, 2, True, 1),
        (times(1000, 10, 2), 1000, 10.9, 2, False, 1),
        (times(1000, 10, 2), 1000, 5, 2, False, 1),
        (times(1000, 10, 50), 40, 15, 50, False, 1),
        (times(1000, 10, 2), 29, 100, 2, False, 0),
        (times(29, 10, 2), 1000, 100, 2, False, 0),
        (times(1000, 10, None), 1000, 13, None, True, 1),
        (times(100, 10, None), 100, 12, None, False, 1),
        (times(1000, 10, 2), -900, 10, 2, False, 0),
    ],
)
def test_statement_is_slower_only_if_significantly(
    before: StatementTimes, calls: int, mean_ms: float, sd_ms: float | None, slower: bool, compared: int
) -> None:
    seen = compare({"q": before}, {"q": after(before, calls, mean_ms, sd_ms)}, 1.1)
    assert (bool(seen.slower), seen.compared) == (slower, compared)


def test_statement_without_new_counters_is_not_compared() -> None:
    assert compare({"q": times(1000, 10)}, {}, 1.1).compared == 0


@pytest.mark.parametrize(
    ("job", "conditions", "word"),
    [
        (Job.REBUILD, Conditions(transaction_s=61, holder="process 7"), "process 7"),
        (Job.REBUILD, Conditions(transaction_s=60), ""),
        (Job.REBUILD, Conditions(lock_waiters=1), "1 session waits for a lock"),
        (Job.CREATE, Conditions(replica_lag_s=10.5), "replica"),
        (Job.OPTIMIZE, Conditions(busy="VACUUM is running"), "VACUUM"),
        (Job.ANALYZE, Conditions(busy="CREATE INDEX is running"), "CREATE INDEX"),
        (Job.ANALYZE, Conditions(transaction_s=9999, lock_waiters=9, replica_lag_s=999), ""),
        (Job.SHOW, Conditions(transaction_s=9999), ""),
        (Job.CREATE, Conditions(active_sessions=33), "33 sessions are active"),
        (Job.CREATE, Conditions(active_sessions=32), ""),
        (Job.DROP, Conditions(active_sessions=33), ""),
        (Job.CREATE, Conditions(faulty_builds=why_builds_are_faulty((14, 3))), "14.3 can leave indexes corrupt"),
        (Job.REBUILD, Conditions(faulty_builds=why_builds_are_faulty((14, 0))), "14.0 can leave indexes corrupt"),
        (Job.REBUILD, Conditions(faulty_builds=why_builds_are_faulty((14, 4))), ""),
        (Job.CREATE, Conditions(faulty_builds=why_builds_are_faulty((15, 3))), ""),
        (Job.CREATE, Conditions(faulty_builds=why_builds_are_faulty((13, 3))), ""),
        (Job.DROP, Conditions(faulty_builds=why_builds_are_faulty((14, 3))), ""),
        (Job.ANALYZE, Conditions(faulty_builds=why_builds_are_faulty((14, 3))), ""),
        (Job.DROP, Conditions(), ""),
    ],
)
def test_obstacle_names_the_condition(job: Job, conditions: Conditions, word: str) -> None:
    found = obstacle(job, conditions, Indexes())
    assert word in found
    assert bool(word) == bool(found)


def look(days_ago: float, scans: int = 0) -> UsageSnapshot:
    at = NOW - timedelta(days=days_ago)
    return UsageSnapshot(
        "writer", at, at - timedelta(days=9), None, {IndexId("s", "t", "i", 1): scans}, {("s", "t"): TableUse(5, 6)}
    )


def test_history_keeps_snapshots_and_thins_old_ones() -> None:
    document: dict[str, object] = {}
    for day in range(100, -1, -1):
        document = Past.read(document, f"run-{day}").with_run(f"run-{day}", [look(day, 100 - day)], {7: 0.5})
        document = json.loads(json.dumps(document))
    past = Past.read(document, "another")
    assert past.snapshots[-1] == look(0, 100)
    gaps = [b.taken_at - a.taken_at for a, b in zip(past.snapshots, past.snapshots[1:], strict=False)]
    assert max(gaps) < timedelta(days=15)
    assert len(past.snapshots) < 30
    assert past.bloat == ({7: 0.5},) * 10


def test_repeated_run_ignores_its_own_snapshot() -> None:
    document = Past().with_run("run-1", [look(0)], {7: 0.5})
    assert Past.read(document, "run-1") == Past()
    assert len(Past.read(document, "run-2").snapshots) == 1
