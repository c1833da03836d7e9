"""What earlier looks at a database leave for later ones: usage counters and shares of bloat, as one JSON document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from optimizer.indexes.model.usage import IndexId, TableUse, UsageSnapshot

# Every look of the last days, then one a week: counters only grow, so that what is between two of them is not needed.
_ALL_FOR = timedelta(days=8)
_WEEK = timedelta(days=7)
_FORGOTTEN_AFTER = timedelta(days=190)
_LOOKS_AT_BLOAT = 10


@dataclass(frozen=True, slots=True)
class Past:
    """Looks at all nodes, oldest first, and the share of bloat of each index by file node, of each run."""

    snapshots: Sequence[UsageSnapshot] = ()
    bloat: Sequence[Mapping[int, float]] = ()

    def with_run(self, run_id: str, taken: Sequence[UsageSnapshot], shares: Mapping[int, float]) -> dict[str, Any]:
        """The document for the next run; `runs` in it tell a run that is repeated from a new one."""
        snapshots = _thinned([*self.snapshots, *taken])
        return {
            "run_id": run_id,
            "snapshots": [_document(snapshot) for snapshot in snapshots],
            "bloat": [
                {str(node): share for node, share in one.items()}
                for one in [*list(self.bloat)[-_LOOKS_AT_BLOAT + 1 :], shares]
            ],
        }

    @classmethod
    def read(cls, document: Mapping[str, Any], run_id: str) -> "Past":
        """From the document; what this very run has added before it was repeated is left out."""
        snapshots = [_snapshot(one) for one in document.get("snapshots", ())]
        bloat = [{int(node): float(share) for node, share in one.items()} for one in document.get("bloat", ())]
        if document.get("run_id") == run_id:
            newest = max((one.taken_at for one in snapshots), default=None)
            snapshots = [one for one in snapshots if newest is None or newest - one.taken_at > timedelta(minutes=30)]
            bloat = bloat[:-1]
        return cls(tuple(snapshots), tuple(bloat))


def _thinned(snapshots: Sequence[UsageSnapshot]) -> list[UsageSnapshot]:
    newest = max((one.taken_at for one in snapshots), default=None)
    kept: list[UsageSnapshot] = []
    last: dict[str, datetime] = {}
    for one in sorted(snapshots, key=lambda one: one.taken_at):
        age = newest - one.taken_at if newest else timedelta(0)
        before = last.get(one.node)
        if age > _FORGOTTEN_AFTER:
            continue
        if age <= _ALL_FOR or before is None or one.taken_at - before >= _WEEK:
            kept.append(one)
            last[one.node] = one.taken_at
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
