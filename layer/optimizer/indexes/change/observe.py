"""What is there of a change's index, and how the statements of its table fare: read from the server, then judged."""

from collections.abc import Mapping
from typing import Any

from optimizer.core import Change, Status, Tuner
from optimizer.guardrails import Refusal
from optimizer.indexes.change import steps
from optimizer.indexes.change.compare import StatementComparison, compare
from optimizer.indexes.change.server import DatabaseServer, Job, State, StatementTimes
from optimizer.store import RunStore


def look(server: DatabaseServer, change: Change, job: Job) -> State | None:
    """The index of the change, or its table where it is about no index."""
    before = change.before
    return server.look(before["schema"], before["table"], str(before.get("index") or ""), job)


def table(server: DatabaseServer, change: Change) -> State | None:
    """The table of the change."""
    return server.look(change.before["schema"], change.before["table"], "", Job.ANALYZE)


def breaker(store: RunStore, change: Change) -> Refusal | None:
    """After one failure on a database nothing more is tried on it in the same run."""
    for other in store.changes_of(change.run_id, Tuner.INDEXES):
        if other.status is Status.FAILED and other.change.before["database"] == change.before["database"]:
            return Refusal("indexes.breaker", f"{other.change.id} failed on the same database in this run.")
    return None


def cover_is_gone(server: DatabaseServer, change: Change) -> str:
    """A redundant index may go only while the one that serves instead is there."""
    cover = change.before.get("covered_by")
    if not cover:
        return ""
    live = server.look(change.before["schema"], change.before["table"], cover["index"], Job.ANALYZE)
    if live is None or not live.is_valid or not live.is_visible or live.definition != cover["definition"]:
        return f"{cover['index']}, which serves instead of it, is not what it was"
    return ""


def judge(server: DatabaseServer, change: Change, progress: Mapping[str, Any], max_slowdown: float) -> tuple[str, str]:
    """(why it must be taken back or nothing, what was seen)."""
    if change.action not in steps.WATCHED:
        return "", ""
    live = look(server, change, Job.ANALYZE)
    if change.action != "drop_index" and change.before.get("index") and live is None:
        return "", "Somebody else dropped the index since."
    if change.action == "drop_index":
        used = steps.used_since(change, progress, live)
        if used or (cover := cover_is_gone(server, change)):
            return used or cover, ""
    seen = statements(server, change, progress, max_slowdown)
    if seen.slower:
        return seen.slower, ""
    if seen.compared:
        number = "1 statement is" if seen.compared == 1 else f"{seen.compared} statements are"
        return "", f"Of those that name the table {number} compared, and none is slower."
    return "", "No statement of the table has enough calls to be compared: nothing is known of their times."


def statements(
    server: DatabaseServer, change: Change, progress: Mapping[str, Any], max_slowdown: float
) -> StatementComparison:
    """The table's statements now beside what they took before the change."""
    of = table(server, change)
    now = server.times(of) if of else None
    before: Mapping[str, StatementTimes] | None = steps.read_times(progress.get("times"))
    if now is None or before is None:
        return StatementComparison("", 0)
    return compare(before, now, max_slowdown)
