"""Which jobs a change consists of, what undoes it, and when it is looked at. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.core import Change
from optimizer.indexes.change.server import Job, State, StatementTimes
from optimizer.policy import Indexes

_MAIN = {
    "analyze": Job.ANALYZE,
    "vacuum": Job.VACUUM,
    "clean_pending_list": Job.CLEAN_PENDING_LIST,
    "rebuild": Job.REBUILD,
    "drop_leftover": Job.DROP,
    "drop_index": Job.DROP,
    "create_index": Job.CREATE,
    "optimize_table": Job.OPTIMIZE,
}
# Actions that can make statements slower.
WATCHED = frozenset({"rebuild", "drop_index", "create_index", "optimize_table"})
_MINUTES_A_DAY = 1440.0
# What is said of a drop that was approved and has not happened yet.
WATCHED_FIRST = "The index is watched before it is dropped."


def main_job(change: Change) -> Job:
    """What the change is for."""
    return _MAIN[change.action]


def first_job(change: Change, engine: str) -> Job | None:
    """What is done first; None: the change begins with a watch alone (a drop on PostgreSQL)."""
    if change.action == "drop_index":
        return None if engine == "postgresql" else Job.HIDE
    return main_job(change)


def ages(change: Change, limits: Indexes) -> list[float]:
    """Minutes after it was applied at which the change is judged, rising; a drop is watched for the hidden days."""
    if change.action not in WATCHED:
        return [0.0]
    if change.action != "drop_index":
        return [float(minute) for minute in limits.watch_minutes]
    hidden = limits.hidden_days * _MINUTES_A_DAY
    return [*(float(minute) for minute in limits.watch_minutes if minute < hidden), hidden]


def stale(change: Change, live: State | None) -> str:
    """Why what was decided is about something that is not there any more, or nothing."""
    before = change.before
    if change.action == "create_index":
        return "an index of that name is there already" if live is not None else ""
    if live is None:
        return "it is gone"
    if before.get("table_oid") and live.table_oid != before["table_oid"]:
        return "the table was made anew"
    if not before.get("index"):
        return ""
    if live.definition != before.get("definition") or live.oid != before.get("oid"):
        return "the index was made anew, or differently"
    if change.action == "rebuild" and live.mark != before.get("mark"):
        return "the index was rebuilt since"
    if change.action == "drop_leftover" and live.is_valid:
        return "the index is valid now"
    if change.action == "drop_index" and not live.is_visible:
        return "the index is hidden already"
    return ""


def used_since(change: Change, progress: Mapping[str, Any], live: State | None) -> str:
    """Whether an index that was to be dropped because nothing used it was used while it was watched."""
    found = progress.get("found") or {}
    if live is None:
        return ""
    if change.evidence.get("finding") != "unused" or found.get("scans") is None or live.scans is None:
        return ""
    if live.is_visible and live.scans > found["scans"]:
        return f"It was used {live.scans - found['scans']} times since it was to be dropped."
    return ""


def undo_job(change: Change, progress: Mapping[str, Any], live: State | None) -> Job | None:
    """What undoes what was done so far; None: nothing has to be."""
    began = progress.get("job") or {}
    if change.action == "create_index":
        # `target` is recorded when the build is sent, and there was no index of this name before.
        return Job.DROP if live is not None and "target" in began else None
    if change.action != "drop_index":
        return None
    if live is None:
        return Job.CREATE if "target" in (progress.get("drop") or {}) else None
    return Job.SHOW if not live.is_visible else None


def nothing_to_undo(change: Change) -> str:
    """What a person is told where nothing was to be undone."""
    same = {"rebuild": "a rebuilt index is the same index", "optimize_table": "a rewritten table is the same table"}
    return same.get(change.action, "there was nothing to undo")


def times_document(times: Mapping[str, StatementTimes] | None) -> dict[str, Any] | None:
    """As JSON, without the texts, which may hold anything."""
    if times is None:
        return None
    return {key: [one.calls, one.total_ms, one.squares_ms2] for key, one in times.items()}


def read_times(document: Mapping[str, Any] | None) -> dict[str, StatementTimes] | None:
    """Back from `times_document`."""
    if document is None:
        return None
    return {key: StatementTimes(int(one[0]), float(one[1]), one[2]) for key, one in document.items()}
