"""Decides which jobs a change consists of, which job rolls it back, and when it is observed."""

from enum import StrEnum

from optimizer.core import Change
from optimizer.indexes import describe
from optimizer.indexes.change.progress import IndexProgress, JobRecord
from optimizer.indexes.change.server import Job, State
from optimizer.policy import Indexes


class IndexAction(StrEnum):
    """The actions of a change of indexes."""

    ANALYZE = "analyze"
    VACUUM = "vacuum"
    CLEAN_PENDING_LIST = "clean_pending_list"
    REBUILD = "rebuild"
    DROP_LEFTOVER = "drop_leftover"
    DROP_INDEX = "drop_index"
    CREATE_INDEX = "create_index"
    OPTIMIZE_TABLE = "optimize_table"


_MAIN = {
    IndexAction.ANALYZE: Job.ANALYZE,
    IndexAction.VACUUM: Job.VACUUM,
    IndexAction.CLEAN_PENDING_LIST: Job.CLEAN_PENDING_LIST,
    IndexAction.REBUILD: Job.REBUILD,
    IndexAction.DROP_LEFTOVER: Job.DROP,
    IndexAction.DROP_INDEX: Job.DROP,
    IndexAction.CREATE_INDEX: Job.CREATE,
    IndexAction.OPTIMIZE_TABLE: Job.OPTIMIZE,
}
# Actions that can make statements slower.
OBSERVED = frozenset(
    {IndexAction.REBUILD, IndexAction.DROP_INDEX, IndexAction.CREATE_INDEX, IndexAction.OPTIMIZE_TABLE}
)
_MINUTES_A_DAY = 1440.0
_OBSERVED_FIRST = "The index is under observation before it is dropped."


def main_job(change: Change) -> Job:
    """Return the job that the change is for."""
    return _MAIN[IndexAction(change.action)]


def first_job(change: Change, engine: str) -> Job | None:
    """Return the first job; None where the change begins with its observation (a drop on PostgreSQL)."""
    if change.action == IndexAction.DROP_INDEX:
        return None if engine == "postgresql" else Job.HIDE
    return main_job(change)


def ages(change: Change, limits: Indexes) -> list[float]:
    """Return the minutes after applying at which the change is judged; a drop is observed for the hidden days."""
    if change.action not in OBSERVED:
        return [0.0]
    if change.action != IndexAction.DROP_INDEX:
        return [float(minute) for minute in limits.watch_minutes]
    hidden = limits.hidden_days * _MINUTES_A_DAY
    return [*(float(minute) for minute in limits.watch_minutes if minute < hidden), hidden]


def applied_message(change: Change, progress: IndexProgress) -> str:
    """Say what was applied, with the server's own figures."""
    if change.action == IndexAction.DROP_INDEX:
        return _OBSERVED_FIRST
    return describe.outcome(change.action, *(progress.sizes_bytes or (None, None)))


def stale(change: Change, live: State | None) -> str:
    """Return why the change is outdated, or an empty string."""
    before = change.before
    if change.action == IndexAction.CREATE_INDEX:
        return "an index of that name is there already" if live is not None else ""
    if live is None:
        return "it is gone"
    if before.get("table_oid") and live.table_oid != before["table_oid"]:
        return "the table was made anew"
    if not before.get("index"):
        return ""
    if live.definition != before.get("definition") or live.oid != before.get("oid"):
        return "the index was made anew, or differently"
    if change.action == IndexAction.REBUILD and live.mark != before.get("mark"):
        return "the index was rebuilt since"
    if change.action == IndexAction.DROP_LEFTOVER and live.is_valid:
        return "the index is valid now"
    if change.action == IndexAction.DROP_INDEX and not live.is_visible:
        return "the index is hidden already"
    return ""


def used_since(change: Change, progress: IndexProgress, live: State | None) -> str:
    """Say how often an index that was to be dropped as unused has been used since; empty if it was not."""
    before = progress.found.scans if progress.found else None
    if live is None or change.evidence.get("finding") != "unused" or before is None or live.scans is None:
        return ""
    if live.is_visible and live.scans > before:
        return f"It was used {live.scans - before} times since it was to be dropped."
    return ""


def undo_job(change: Change, progress: IndexProgress, live: State | None) -> Job | None:
    """Return the job that rolls back what was done so far; None if there is nothing to roll back."""
    if change.action == IndexAction.CREATE_INDEX:
        # `target` is recorded when the build is sent, and there was no index of this name before.
        return Job.DROP if live is not None and _is_sent(progress.job) else None
    if change.action != IndexAction.DROP_INDEX:
        return None
    if live is None:
        return Job.CREATE if _is_sent(progress.drop) else None
    return Job.SHOW if not live.is_visible else None


def _is_sent(record: JobRecord | None) -> bool:
    return record is not None and record.target is not None


def nothing_to_undo(change: Change) -> str:
    """Return the reason for people why nothing was rolled back."""
    match change.action:
        case IndexAction.REBUILD:
            return "a rebuilt index is the same index"
        case IndexAction.OPTIMIZE_TABLE:
            return "a rewritten table is the same table"
    return "there was nothing to roll back"
