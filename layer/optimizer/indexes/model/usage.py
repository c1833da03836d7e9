"""How often indexes were used over weeks and on every node, from snapshots of counters that may be reset at any time.

A counter only says something between two looks, or since it was last cleared where the server tells when that was. Time
in which nobody counted is a gap. An index counts as unused only if every node was counted, for long enough, over the
ends of months and quarters, while its table was read; anything else is "used" or "unknown".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from optimizer.indexes.model.catalog import Catalog

# Times that differ by no more are the same.
_CLOCK = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class IndexId:
    """An index: by name and, on PostgreSQL, by oid, so that one made anew under an old name is another."""

    schema: str
    table: str
    name: str
    oid: int | None = None


@dataclass(frozen=True, slots=True)
class TableUse:
    """Reads (scans of the table or of any of its indexes) and rows written, since the counters were cleared."""

    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class UsageSnapshot:
    """The counters of one node at one moment. `counted_since`: when they were last cleared, None if not known.
    `tables_made_at`: when a table was made or altered, which clears its counters (MySQL)."""

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
    """A time in which an index was counted without a gap on one node, its scans, and its table's reads and writes."""

    start: datetime
    end: datetime
    scans: int
    reads: int
    writes: int


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """What it takes to call an index unused; `reads_day` of its table, `asked_within_days`: no node's last look is
    older than this beside the newest."""

    days: float = 35.0
    month_ends: int = 1
    quarter_ends: int = 1
    reads_day: float = 1.0
    asked_within_days: float = 2.0


@dataclass(frozen=True, slots=True)
class IndexUsage:
    """What is known of one index over all nodes: `scans` in `days` (of the node counted for the shortest time), since
    `since`. `unknown_because` is set where that is not enough to say that it is unused."""

    scans: int
    days: float
    since: datetime | None
    nodes: tuple[str, ...]
    reads: int = 0
    writes: int = 0
    unknown_because: str | None = None


def snapshot(catalog: Catalog) -> UsageSnapshot:
    """What a look at a node tells of usage. An index without counters is left out: nothing is known of it."""
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


def usage_of(
    index: IndexId,
    snapshots: Iterable[UsageSnapshot],
    *,
    nodes: Sequence[str],
    limits: UsageLimits | None = None,
) -> IndexUsage:
    """Usage over all `nodes` that may answer queries, from the snapshots that there are, in any order. Pure; the last
    snapshot of each node is its now."""
    limits = limits or UsageLimits()
    of_node: dict[str, list[UsageSnapshot]] = {}
    for taken in snapshots:
        of_node.setdefault(taken.node, []).append(taken)
    spans = {node: _span(index, sorted(taken, key=lambda one: one.taken_at)) for node, taken in of_node.items()}
    known = {node: span for node, span in spans.items() if span is not None}
    replicas = max((taken[-1].replicas or 0 for taken in of_node.values()), default=0)
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
        unknown = f"{', '.join(missing)} was not asked, or does not count it"
    elif old:
        unknown = f"{', '.join(old)} was last asked on {known[old[0]].end:%Y-%m-%d}"
    elif len(known) < replicas + 1:
        unknown = f"{replicas} replicas are attached, and {len(known) - 1} of them were asked"
    else:
        unknown = _too_little(shortest, known.values(), limits)
    return IndexUsage(
        scans=scans,
        days=days,
        since=shortest.start,
        nodes=tuple(sorted(known)),
        reads=sum(span.reads for span in known.values()),
        writes=sum(span.writes for span in known.values()),
        unknown_because=unknown,
    )


def _too_little(shortest: Span, spans: Iterable[Span], limits: UsageLimits) -> str | None:
    days = (shortest.end - shortest.start) / timedelta(days=1)
    if days < limits.days:
        return f"it was counted without a gap for {days:.1f} days, {limits.days:.0f} are needed"
    months, quarters = _month_ends(shortest.start, shortest.end), _quarter_ends(shortest.start, shortest.end)
    if months < limits.month_ends:
        return "no end of a month was seen yet"
    if quarters < limits.quarter_ends:
        return "no end of a quarter was seen yet, when reports may need it"
    if sum(span.reads / max((span.end - span.start) / timedelta(days=1), 1.0) for span in spans) < limits.reads_day:
        return "its table was hardly read in that time"
    return None


def _span(index: IndexId, taken: Sequence[UsageSnapshot]) -> Span | None:
    """The gapless time up to the node's last look; None if the index was not counted in that look."""
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
    # The oldest look of the span counts from when the counters were cleared, if the server says when that was.
    since = later.counted_since
    if since is not None:
        since = max(since, later.tables_made_at.get((index.schema, index.table), since))
    if since is not None and since <= start:
        start = since
        scans, reads, writes = scans + later.indexes[index], reads + later_use.reads, writes + later_use.writes
    return Span(start, last.taken_at, scans, reads, writes)


def _cleared(index: IndexId, earlier: UsageSnapshot, later: UsageSnapshot) -> bool:
    """Whether counters were lost between two looks: cleared, another server behind the name, or an index made anew."""
    table = index.schema, index.table
    if earlier.tables_made_at.get(table) != later.tables_made_at.get(table):
        return True
    if _differ(earlier.counted_since, later.counted_since):
        return True
    if later.counted_since is None and _differ(earlier.started_at, later.started_at):
        return True
    return later.indexes[index] < earlier.indexes[index]


def _differ(one: datetime | None, other: datetime | None) -> bool:
    """MySQL tells only for how many whole seconds it has been running."""
    if one is None or other is None:
        return one is not other
    return abs(one - other) > _CLOCK


def _table(index: IndexId, taken: UsageSnapshot) -> TableUse:
    return taken.tables.get((index.schema, index.table), TableUse(0, 0))


def _seen(turn: datetime, start: datetime, end: datetime) -> bool:
    """Whether the turn of a month was seen, with the day before and the day after."""
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
