"""Records of index changes that are in flight while the application is upgraded stay readable."""

from datetime import UTC, datetime
from typing import Any

import pytest
from optimizer.indexes.change.progress import IndexProgress, JobPhase, JobSlot
from optimizer.indexes.change.server import Job, StatementTimes

STATE = {
    "schema": "shop",
    "table": "orders",
    "index": "orders_by_day",
    "size_bytes": 8192,
    "mark": "16400",
    "definition": "CREATE INDEX orders_by_day ON shop.orders USING btree (day)",
    "shape": "ON shop.orders USING btree (day)",
    "oid": 16400,
    "table_oid": 16390,
    "is_valid": True,
    "is_visible": True,
    "is_special": False,
    "protected": "",
    "scans": None,
}
PREPARED = {"found": STATE, "definition": STATE["definition"], "times": {"77": [30, 12.5, None], "78": [40, 2.0, 0.5]}}
NOTHING_THERE = {"found": None, "definition": "", "times": None}
SINCE = {"since": "2026-11-21T12:00:00+00:00"}
WAITING = {"job": "rebuild", "phase": "waiting", "attempt": 0, **SINCE}
SESSION = {"pid": 4711, "started": "2026-11-21 12:00:01.5+00"}
WORKING = {
    "job": "rebuild",
    "phase": "working",
    "attempt": 1,
    **SINCE,
    "session": SESSION,
    "began_at": "2026-11-21T12:00:01+00:00",
    "target": STATE,
    "known": [16401, None],
}
AGAIN = {**WORKING, "phase": "waiting", "problem": "the lock", "not_before": "2026-11-21T12:00:31+00:00"}
del AGAIN["known"]
APPLIED = {"applied_at": "2026-11-21T12:00:00+00:00", "verified": 0}
DROP = {**WORKING, "job": "drop", "sent": True}
STORED: dict[str, dict[str, Any]] = {
    "never applied": {},
    "never applied, rolling back": {"stopped": True},
    "prepared": PREPARED,
    "prepared to create": NOTHING_THERE,
    "waiting": {**PREPARED, "job": WAITING},
    "working": {**PREPARED, "job": WORKING},
    "trying again": {**PREPARED, "job": AGAIN},
    "cleaning": {**PREPARED, "job": {**WORKING, "phase": "cleaning", "cleaned": 3, "problem": "it was ended"}},
    "cancelled": {**PREPARED, "job": {**WORKING, "problem": "it took longer", "fatal": True}},
    "under observation": {**PREPARED, "job": {**WORKING, "sent": True}, "sizes_bytes": [8192, 4096], **APPLIED},
    "second look": {**PREPARED, "sizes_bytes": [8192, None], **APPLIED, "verified": 1, "verification": 1},
    "keeping": {**PREPARED, **APPLIED, "seen": "1 statement is compared, and none is slower."},
    "dropping": {**PREPARED, **APPLIED, "seen": "", "drop": DROP},
    "dropped": {**PREPARED, **APPLIED, "drop": DROP, "dropped_at": "2026-11-28T12:00:00+00:00", "checked": 0},
    "stopping": {**PREPARED, "job": {**WORKING, "stopped": True}},
    "undoing": {**PREPARED, **APPLIED, "drop": DROP, "stopped": True, "undo": {**WAITING, "job": "create"}},
}


@pytest.mark.parametrize("phase", STORED)
def test_index_progress_keeps_its_stored_keys(phase: str) -> None:
    assert IndexProgress.from_document(STORED[phase]).to_document() == STORED[phase]


def test_index_progress_reads_types() -> None:
    progress = IndexProgress.from_document(STORED["cleaning"])
    assert progress.job is not None
    assert (progress.job.job, progress.job.phase) == (Job.REBUILD, JobPhase.CLEANING)
    assert progress.job.since == datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert progress.job.target == progress.found
    assert progress.times == {"77": StatementTimes(30, 12.5), "78": StatementTimes(40, 2.0, 0.5)}


def test_each_job_has_a_place_of_its_own() -> None:
    job = IndexProgress.from_document(STORED["working"]).job
    assert job is not None
    for slot in JobSlot:
        progress = IndexProgress().with_job(slot, job)
        assert progress.job_in(slot) == job
        assert list(progress.to_document()) == [slot.value]


def test_a_newer_state_of_an_index_is_readable() -> None:
    """A field that this version does not know is left out, and the rest is read."""
    progress = IndexProgress.from_document({**PREPARED, "found": {**STATE, "colour": "blue"}})
    assert progress.found is not None
    assert progress.found.index == "orders_by_day"
