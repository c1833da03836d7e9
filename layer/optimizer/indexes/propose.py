"""Turns the findings on a database into proposed changes. Pure."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from optimizer.core import Change, NoChange, Risk, Tuner, canonical_json
from optimizer.indexes.change.server import Job, State
from optimizer.indexes.model.finding import Action, Finding, Kind

_ACTIONS = {
    Action.REINDEX: "rebuild",
    Action.CREATE: "create_index",
    Action.ANALYZE: "analyze",
    Action.VACUUM: "vacuum",
    Action.CLEAN_PENDING_LIST: "clean_pending_list",
    Action.OPTIMIZE_TABLE: "optimize_table",
    Action.DROP: "drop_index",
    Action.HIDE: "drop_index",
}
_LEFT = frozenset({Kind.BUILD_LEFTOVER, Kind.INVALID})
_JOBS = {"drop_index": Job.DROP, "drop_leftover": Job.DROP, "rebuild": Job.REBUILD, "vacuum": Job.VACUUM}
_LONGEST_NAME = 63
_CREATED = re.compile(r'CREATE (UNIQUE )?INDEX (?:CONCURRENTLY )?(?P<name>"(?:[^"]|"")+" |[a-z_0-9]+ )?ON ')
_ADDED = re.compile(r".* ADD ((?:UNIQUE |FULLTEXT |SPATIAL )?INDEX `((?:[^`]|``)*)` .*)$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """The live state behind a finding just before it is proposed.

    live: the index, or the table; None if it no longer exists.
    cover: the index that serves the same queries.
    own: True if a build of this application left the index.
    """

    live: State | None = None
    cover: State | None = None
    own: bool = False


def action_for(finding: Finding) -> str:
    """Return the action of the change that the finding leads to; an empty string if there is nothing to do."""
    if finding.action is Action.DROP and finding.kind in _LEFT:
        return "drop_leftover"
    return _ACTIONS.get(finding.action, "")


def job_for(finding: Finding) -> Job:
    """Return the job whose protections apply to the finding."""
    return _JOBS.get(action_for(finding), Job.ANALYZE)


def target_for(database: str, finding: Finding, index: str = "") -> str:
    """Return DATABASE/SCHEMA.TABLE.INDEX, without the index for a finding on a table."""
    name = index or finding.index or ""
    return f"{database}/{finding.schema}.{finding.table}{'.' if name else ''}{name}"


def propose(run_id: str, database: str, finding: Finding, seen: DatabaseFacts) -> Change | NoChange:
    """Return a change, or the reason why there is none. `database` is its name in the policy."""
    action = action_for(finding)
    evidence = _evidence(finding, seen)

    def no_change(reason: str) -> NoChange:
        return NoChange(run_id, Tuner.INDEXES, target_for(database, finding), reason, evidence)

    if not action:
        return no_change(finding.reason)
    if seen.live is None:
        return no_change("It no longer exists: it was dropped after the catalog had been read.")
    index, definition = finding.index or "", seen.live.definition
    after: dict[str, Any] = {}
    if action == "create_index":
        index, definition = name_new_index(finding)
        after = {"definition": definition}
    before: dict[str, Any] = {
        "database": database,
        "schema": finding.schema,
        "table": finding.table,
        "size_bytes": seen.live.size_bytes,
        "protected": seen.live.protected,
        "table_oid": seen.live.table_oid,
        **({"index": index} if index else {}),
    }
    if seen.live.index:
        before |= {"oid": seen.live.oid, "definition": definition, "mark": seen.live.mark}
    if action == "drop_index" and finding.covered_by:
        if seen.cover is None:
            return no_change(f"{finding.covered_by}, which serves its queries, no longer exists.")
        before["covered_by"] = {"index": finding.covered_by, "definition": seen.cover.definition}
    if action in ("rebuild", "optimize_table") and finding.saves_bytes is not None:
        after = {"size_bytes": max(0, seen.live.size_bytes - finding.saves_bytes)}
    return Change(
        run_id=run_id,
        tuner=Tuner.INDEXES,
        action=action,
        target=target_for(database, finding, index),
        before=before,
        after=after,
        reason=finding.reason,
        undo=_undo(action, seen.live.definition if seen.live.index else ""),
        risk=max(finding.risk, Risk.MEDIUM, key=_RISKS.index) if action == "drop_index" else finding.risk,
        evidence=evidence,
    )


def _undo(action: str, definition: str) -> dict[str, Any]:
    """Return how the change is rolled back: in words, and with the definition of an index to be created again."""
    if action == "drop_index":
        return {"action": "made visible or built again", "definition": definition}
    if action == "create_index":
        return {"action": "dropped again"}
    nothing = "nothing to roll back: the data and all definitions stay the same"
    return {"action": nothing, **({"definition": definition} if definition else {})}


_RISKS = (Risk.LOW, Risk.MEDIUM, Risk.HIGH)


def _evidence(finding: Finding, seen: DatabaseFacts) -> dict[str, Any]:
    evidence: dict[str, Any] = dict(canonical_json.plain(finding.evidence))
    evidence["finding"] = finding.kind.value
    if finding.saves_bytes is not None:
        evidence["saves_bytes"] = finding.saves_bytes
    if finding.action is Action.REINDEX:
        evidence["special"] = bool(seen.live and seen.live.is_special)
        evidence["runs_seen"] = evidence.get("seen_in_runs")
        evidence["bloat_share"] = evidence.get("share")
    if finding.kind is Kind.UNUSED:
        evidence["observed_days"] = evidence.get("days")
    if finding.kind in _LEFT:
        evidence["own"] = seen.own
    return evidence


def name_new_index(finding: Finding) -> tuple[str, str]:
    """Return the name and definition of a new index; a statement of PostgreSQL without a name gets one here."""
    statement = finding.statement or ""
    added = _ADDED.match(statement)
    if added is not None:
        return added.group(2).replace("``", "`"), added.group(1)
    match = _CREATED.match(statement)
    if match is None:
        raise ValueError(f"{statement!r} does not create an index")
    name = (match.group("name") or "").strip().strip('"').replace('""', '"') or _name(finding)
    quoted = '"' + name.replace('"', '""') + '"'
    return name, f"CREATE {match.group(1) or ''}INDEX {quoted} ON {statement[match.end() :]}"


def _name(finding: Finding) -> str:
    """Return a name made of the table and its columns, the same for the same finding."""
    columns = [str(column) for column in finding.evidence.get("columns", ())]
    words = re.sub(r"[^a-z0-9]+", "_", "_".join([finding.table, *columns]).lower()).strip("_")
    if words and len(words) + 4 <= _LONGEST_NAME:
        return f"{words}_idx"
    mark = hashlib.sha256("\0".join([finding.schema, finding.table, *columns]).encode()).hexdigest()[:8]
    return f"{words[: _LONGEST_NAME - 13]}_{mark}_idx"
