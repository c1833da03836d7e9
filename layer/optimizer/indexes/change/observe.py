"""Reads the index of a change and the statements of its table from the server, and judges them."""

from optimizer.core import Change, Status, Tuner
from optimizer.guardrails import Refusal
from optimizer.indexes.change import steps
from optimizer.indexes.change.compare import StatementComparison, compare
from optimizer.indexes.change.progress import IndexProgress
from optimizer.indexes.change.server import DatabaseServer, Job, State
from optimizer.indexes.change.steps import IndexAction
from optimizer.store import RunStore


def look(server: DatabaseServer, change: Change, job: Job) -> State | None:
    """Return the index of the change, or its table where it concerns no index."""
    before = change.before
    return server.look(before["schema"], before["table"], str(before.get("index") or ""), job)


def table(server: DatabaseServer, change: Change) -> State | None:
    """Return the table of the change."""
    return server.look(change.before["schema"], change.before["table"], "", Job.ANALYZE)


def breaker(store: RunStore, change: Change) -> Refusal | None:
    """Block the change if another one failed on the same database in this run."""
    for other in store.changes_of(change.run_id, Tuner.INDEXES):
        if other.status is Status.FAILED and other.change.before["database"] == change.before["database"]:
            return Refusal("indexes.breaker", f"{other.change.id} failed on the same database in this run.")
    return None


def cover_is_gone(server: DatabaseServer, change: Change) -> str:
    """Say if the index that serves instead of a redundant one is not as it was; empty if it is."""
    cover = change.before.get("covered_by")
    if not cover:
        return ""
    live = server.look(change.before["schema"], change.before["table"], cover["index"], Job.ANALYZE)
    if live is None or not live.is_valid or not live.is_visible or live.definition != cover["definition"]:
        return f"{cover['index']}, which serves instead of it, is not what it was"
    return ""


def judge(server: DatabaseServer, change: Change, progress: IndexProgress, max_slowdown: float) -> tuple[str, str]:
    """Return why the change must be rolled back, or an empty string, and what was seen."""
    if change.action not in steps.OBSERVED:
        return "", ""
    live = look(server, change, Job.ANALYZE)
    if change.action != IndexAction.DROP_INDEX and change.before.get("index") and live is None:
        return "", "Somebody else dropped the index since."
    if change.action == IndexAction.DROP_INDEX:
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
    server: DatabaseServer, change: Change, progress: IndexProgress, max_slowdown: float
) -> StatementComparison:
    """Compare the statements of the table with their times before the change."""
    of = table(server, change)
    now = server.times(of) if of else None
    if now is None or progress.times is None:
        return StatementComparison("", 0)
    return compare(progress.times, now, max_slowdown)
