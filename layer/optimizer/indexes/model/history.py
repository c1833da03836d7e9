"""The history of a database between runs: usage counters and shares of bloat, as one JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optimizer.indexes.model.usage import IndexId, TableUse, UsageSnapshot

# Every snapshot of the last days is stored, and one a week before that: counters only grow, so that a snapshot between
# two others adds nothing.
_ALL_FOR = timedelta(days=8)
_WEEK = timedelta(days=7)
_FORGOTTEN_AFTER = timedelta(days=190)
_RUNS_OF_BLOAT = 10


@dataclass(frozen=True, slots=True)
class Past:
    """Snapshots of all nodes, oldest first, and for each run the share of bloat of each index by file node."""

    snapshots: Sequence[UsageSnapshot] = ()
    bloat: Sequence[Mapping[int, float]] = ()

    def with_run(self, run_id: str, taken: Sequence[UsageSnapshot], shares: Mapping[int, float]) -> dict[str, Any]:
        """Return the document for the next run; its `run_id` tells a repeated run from a new one."""
        snapshots = _thinned([*self.snapshots, *taken])
        return {
            "run_id": run_id,
            "snapshots": [_document(snapshot) for snapshot in snapshots],
            "bloat": [
                {str(node): share for node, share in run.items()}
                for run in [*list(self.bloat)[-_RUNS_OF_BLOAT + 1 :], shares]
            ],
        }

    @classmethod
    def read(cls, document: Mapping[str, Any], run_id: str) -> "Past":
        """Read the document, without what an earlier attempt of the same run added."""
        snapshots = [_snapshot(stored) for stored in document.get("snapshots", ())]
        bloat = [{int(node): float(share) for node, share in run.items()} for run in document.get("bloat", ())]
        if document.get("run_id") == run_id:
            newest = max((taken.taken_at for taken in snapshots), default=None)
            snapshots = [
                taken for taken in snapshots if newest is None or newest - taken.taken_at > timedelta(minutes=30)
            ]
            bloat = bloat[:-1]
        return cls(tuple(snapshots), tuple(bloat))


def _thinned(snapshots: Sequence[UsageSnapshot]) -> list[UsageSnapshot]:
    newest = max((snapshot.taken_at for snapshot in snapshots), default=None)
    kept: list[UsageSnapshot] = []
    last: dict[str, datetime] = {}
    for snapshot in sorted(snapshots, key=lambda snapshot: snapshot.taken_at):
        age = newest - snapshot.taken_at if newest else timedelta(0)
        before = last.get(snapshot.node)
        if age > _FORGOTTEN_AFTER:
            continue
        if age <= _ALL_FOR or before is None or snapshot.taken_at - before >= _WEEK:
            kept.append(snapshot)
            last[snapshot.node] = snapshot.taken_at
    return kept


def _document(snapshot: UsageSnapshot) -> dict[str, Any]:
    return {
        "node": snapshot.node,
        "taken_at": snapshot.taken_at.isoformat(),
        "counted_since": _text(snapshot.counted_since),
        "started_at": _text(snapshot.started_at),
        "indexes": [[i.schema, i.table, i.name, i.oid, scans] for i, scans in snapshot.indexes.items()],
        "tables": [[*name, use.reads, use.writes] for name, use in snapshot.tables.items()],
        "replicas": snapshot.replicas,
        "tables_made_at": [[*name, at.isoformat()] for name, at in snapshot.tables_made_at.items()],
    }


def _snapshot(document: Mapping[str, Any]) -> UsageSnapshot:
    return UsageSnapshot(
        node=document["node"],
        taken_at=datetime.fromisoformat(document["taken_at"]),
        counted_since=_time(document["counted_since"]),
        started_at=_time(document["started_at"]),
        indexes={IndexId(schema, table, name, oid): scans for schema, table, name, oid, scans in document["indexes"]},
        tables={(schema, table): TableUse(reads, writes) for schema, table, reads, writes in document["tables"]},
        replicas=document["replicas"],
        tables_made_at={
            (schema, table): datetime.fromisoformat(at) for schema, table, at in document["tables_made_at"]
        },
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
