"""The use of indexes over weeks and on all nodes, from snapshots of counters that may be reset at any time.

A counter is meaningful between two snapshots. It is so, too, since it was last cleared, if the server reports when that
was and an earlier snapshot shows that the index existed then: no server tells how old an index is, so it is as old as
the first snapshot that saw it. Time without a count is a gap. An index is unused only if every node counted it for long
enough, over the ends of months and quarters, while its table was read; otherwise it is "used" or "unknown".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer.indexes.model.catalog import Catalog

# Times that differ by no more than this are the same: MySQL reports its uptime in whole seconds.
_CLOCK_TOLERANCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class IndexId:
    """An index by name and, on PostgreSQL, oid, so that a new index with an old name is a different one."""

    schema: str
    table: str
    name: str
    oid: int | None = None


@dataclass(frozen=True, slots=True)
class TableUse:
    """The reads (scans of the table or of any of its indexes) and written rows since the counters were cleared."""

    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class UsageSnapshot:
    """The counters of one node at one time.

    `counted_since` is the time at which they were last cleared, None if not known. `tables_made_at` holds the times at
    which tables were created or altered, which clears their counters (MySQL).
    """

    node: str
    taken_at: datetime
    counted_since: datetime | None
    started_at: datetime | None
    indexes: Mapping[IndexId, int]
    tables: Mapping[tuple[str, str], TableUse] = field(default_factory=dict)
    replicas: int | None = None
    tables_made_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A time without a gap in which one node counted an index: its scans, and the reads and writes of its table."""

    start: datetime
    end: datetime
    scans: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """The conditions under which an index is unused."""

    # An index must be counted without a gap for so many days, ends of months and ends of quarters.
    days: float = 35.0
    month_ends: int = 1
    quarter_ends: int = 1
    # Its table must be read so often a day.
    reads_day: float = 1.0
    # The last snapshot of each node may be so much older than the newest one of all.
    asked_within_days: float = 2.0


@dataclass(frozen=True, slots=True)
class IndexUsage:
    """The use of one index over all nodes.

    `days` and `since` belong to the node that counted for the shortest time. `unknown_because` is set if that is not
    enough to call the index unused.
    """

    scans: int
    days: float
    since: datetime | None
    nodes: tuple[str, ...]
    reads: int = 0
    writes: int = 0
    unknown_because: str | None = None

    def evidence(self, definition: str) -> dict[str, Any]:
        """Return the evidence of a finding on an index that has this definition and usage."""
        return {
            "scans": self.scans,
            "days": round(self.days, 1),
            "since": None if self.since is None else self.since.isoformat(),
            "nodes": list(self.nodes),
            "table_reads": self.reads,
            "table_writes": self.writes,
            "definition": definition,
            **({"unknown_because": self.unknown_because} if self.unknown_because else {}),
        }


def take_snapshot(catalog: Catalog) -> UsageSnapshot:
    """Return the usage counters in a catalog; an index without a counter is left out, because its use is unknown."""
    return UsageSnapshot(
        node=catalog.server.node,
        taken_at=catalog.server.read_at,
        counted_since=catalog.server.counted_since,
        started_at=catalog.server.started_at,
        indexes={
            IndexId(index.schema, index.table, index.name, index.oid): index.scans
            for index in catalog.indexes
            if index.scans is not None
        },
        tables={
            table.qualified: TableUse(
                (table.sequential_scans or 0) + (table.index_scans or 0),
                (table.inserted or 0) + (table.updated or 0) + (table.deleted or 0),
            )
            for table in catalog.tables
            if table.sequential_scans is not None
        },
        replicas=catalog.server.replicas,
        tables_made_at={table.qualified: table.created_at for table in catalog.tables if table.created_at is not None},
    )


def judge_usage(
    index: IndexId,
    snapshots: Iterable[UsageSnapshot],
    *,
    nodes: Sequence[str],
    limits: UsageLimits | None = None,
) -> IndexUsage:
    """Return the use of an index over all `nodes` that may answer queries, from snapshots in any order. Pure.

    The last snapshot of each node counts as its present state.
    """
    limits = limits or UsageLimits()
    by_node: dict[str, list[UsageSnapshot]] = {}
    for snapshot in snapshots:
        by_node.setdefault(snapshot.node, []).append(snapshot)
    spans = {node: _span(index, sorted(taken, key=lambda each: each.taken_at)) for node, taken in by_node.items()}
    known = {node: span for node, span in spans.items() if span is not None}
    replicas = max((taken[-1].replicas or 0 for taken in by_node.values()), default=0)
    missing = [node for node in nodes if node not in known]
    scans = sum(span.scans for span in known.values())
    if not known:
        return IndexUsage(scans, 0.0, None, (), unknown_because="no node has counted it")
    newest = max(span.end for span in known.values())
    old = [node for node, span in known.items() if newest - span.end > timedelta(days=limits.asked_within_days)]
    shortest = min(known.values(), key=lambda span: span.end - span.start)
    days = (shortest.end - shortest.start) / timedelta(days=1)
    unknown = None
    if missing:
        unknown = f"no counts were read from {', '.join(missing)}"
    elif old:
        unknown = f"the last counts from {', '.join(old)} are of {known[old[0]].end:%Y-%m-%d}"
    elif len(known) < replicas + 1:
        unknown = f"{len(known) - 1} of {replicas} attached replicas were read"
    else:
        unknown = _why_not_enough(shortest, known.values(), limits)
    return IndexUsage(
        scans=scans,
        days=days,
        since=shortest.start,
        nodes=tuple(sorted(known)),
        reads=sum(span.reads for span in known.values()),
        writes=sum(span.writes for span in known.values()),
        unknown_because=unknown,
    )


def _why_not_enough(shortest: Span, spans: Iterable[Span], limits: UsageLimits) -> str | None:
    days = (shortest.end - shortest.start) / timedelta(days=1)
    if days < limits.days:
        return f"it was counted without a gap for {days:.1f} of the required {limits.days:.0f} days"
    months, quarters = _month_ends(shortest.start, shortest.end), _quarter_ends(shortest.start, shortest.end)
    if months < limits.month_ends:
        return "it was not counted over the end of a month yet"
    if quarters < limits.quarter_ends:
        return "it was not counted over the end of a quarter yet, when reports may need it"
    if sum(span.reads / max((span.end - span.start) / timedelta(days=1), 1.0) for span in spans) < limits.reads_day:
        return "its table was hardly read in that time"
    return None


def _span(index: IndexId, taken: Sequence[UsageSnapshot]) -> Span | None:
    """Return the time without a gap up to the node's last snapshot, or None if that does not count the index."""
    last = taken[-1]
    if index not in last.indexes:
        return None
    now = _table(index, last)
    start, scans, reads, writes = last.taken_at, 0, 0, 0
    later, later_use = last, now
    for earlier in reversed(taken[:-1]):
        if index not in earlier.indexes or _cleared(index, earlier, later):
            break
        use = _table(index, earlier)
        scans += later.indexes[index] - earlier.indexes[index]
        reads += max(later_use.reads - use.reads, 0)
        writes += max(later_use.writes - use.writes, 0)
        start, later, later_use = earlier.taken_at, earlier, use
    since = _cleared_before(index, later, taken)
    if since is not None:
        start = since
        scans, reads, writes = scans + later.indexes[index], reads + later_use.reads, writes + later_use.writes
    return Span(start, last.taken_at, scans, reads, writes)


def _cleared_before(index: IndexId, oldest: UsageSnapshot, taken: Sequence[UsageSnapshot]) -> datetime | None:
    """Return when the counters of the oldest snapshot of a span began, if the server tells and an earlier snapshot
    shows that the index existed then; otherwise None."""
    table = index.schema, index.table
    since = oldest.counted_since
    if since is None:
        return None
    made_at = oldest.tables_made_at.get(table)
    since = since if made_at is None else max(since, made_at)
    existed = any(
        index in earlier.indexes and earlier.taken_at <= since and earlier.tables_made_at.get(table) == made_at
        for earlier in taken
    )
    return since if existed and since <= oldest.taken_at else None


def _cleared(index: IndexId, earlier: UsageSnapshot, later: UsageSnapshot) -> bool:
    """Tell whether counters were lost between two snapshots: cleared, or of another server or a new table."""
    table = index.schema, index.table
    if earlier.tables_made_at.get(table) != later.tables_made_at.get(table):
        return True
    if _differ(earlier.counted_since, later.counted_since):
        return True
    if later.counted_since is None and _differ(earlier.started_at, later.started_at):
        return True
    return later.indexes[index] < earlier.indexes[index]


def _differ(first: datetime | None, second: datetime | None) -> bool:
    if first is None or second is None:
        return first is not second
    return abs(first - second) > _CLOCK_TOLERANCE


def _table(index: IndexId, snapshot: UsageSnapshot) -> TableUse:
    return snapshot.tables.get((index.schema, index.table), TableUse(0, 0))


def _seen(turn: datetime, start: datetime, end: datetime) -> bool:
    """Tell whether the turn of a month was counted, with the day before and the day after."""
    return start <= turn - timedelta(days=1) and turn + timedelta(days=1) <= end


def _month_ends(start: datetime, end: datetime) -> int:
    return sum(_seen(turn, start, end) for turn in _turns(start, end))


def _quarter_ends(start: datetime, end: datetime) -> int:
    return sum(_seen(turn, start, end) for turn in _turns(start, end) if turn.month in (1, 4, 7, 10))


def _turns(start: datetime, end: datetime) -> Iterable[datetime]:
    turn = datetime(start.year, start.month, 1, tzinfo=start.tzinfo or UTC)
    while turn <= end:
        if turn >= start:
            yield turn
        turn = (turn + timedelta(days=32)).replace(day=1)
