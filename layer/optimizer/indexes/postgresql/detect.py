"""Find all problems of one PostgreSQL database, without contradictions between the findings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optimizer.indexes.model import Action, Catalog, Finding, UsageLimits, UsageSnapshot
from optimizer.indexes.postgresql.bloat import BloatLimits, find_bloated
from optimizer.indexes.postgresql.foreign_keys import ForeignKeyLimits, find_foreign_keys_without_index
from optimizer.indexes.postgresql.invalid import find_invalid
from optimizer.indexes.postgresql.redundant import RedundancyLimits, find_redundant
from optimizer.indexes.postgresql.unused import find_unused
from optimizer.indexes.postgresql.upkeep import PostgresqlUpkeepLimits, find_upkeep


@dataclass(frozen=True, slots=True)
class PostgresqlLimits:
    """The limits from which a finding is worth an action."""

    redundancy: RedundancyLimits = field(default_factory=RedundancyLimits)
    bloat: BloatLimits = field(default_factory=BloatLimits)
    usage: UsageLimits = field(default_factory=UsageLimits)
    foreign_keys: ForeignKeyLimits = field(default_factory=ForeignKeyLimits)
    upkeep: PostgresqlUpkeepLimits = field(default_factory=PostgresqlUpkeepLimits)


@dataclass(frozen=True, slots=True)
class PostgresqlHistory:
    """Data of earlier runs and other nodes.

    `snapshots` are of the writer and its replicas, `nodes` are all nodes that answer queries, and `bloat` holds the
    shares of bloat that earlier runs found, by file node, newest last.
    """

    snapshots: Sequence[UsageSnapshot] = ()
    nodes: Sequence[str] = ()
    bloat: Sequence[Mapping[int, float]] = ()


def find(
    catalog: Catalog, history: PostgresqlHistory | None = None, limits: PostgresqlLimits | None = None
) -> list[Finding]:
    """Return all findings.

    An index that is dropped is neither rebuilt nor reported as unused, and the index that replaces it is not dropped.
    An index that a foreign key and statements need is proposed once.
    """
    history, limits = history or PostgresqlHistory(), limits or PostgresqlLimits()
    redundant = find_redundant(catalog, limits.redundancy)
    dropped = {_name(finding) for finding in redundant if finding.action is Action.DROP}
    needed = {(finding.index_schema or "", finding.covered_by or "") for finding in redundant if finding.covered_by}
    unused = find_unused(catalog, history.snapshots, nodes=history.nodes, needed=needed, limits=limits.usage)
    unused = [finding for finding in unused if _name(finding) not in dropped]
    dropped |= {_name(finding) for finding in unused if finding.action is Action.DROP}
    bloated = find_bloated(catalog, catalog.pages, history.bloat, limits.bloat)
    keys = find_foreign_keys_without_index(catalog, limits.foreign_keys)
    return [
        *find_invalid(catalog),
        *redundant,
        *unused,
        *(finding for finding in bloated if _name(finding) not in dropped),
        *keys,
        *(finding for finding in catalog.further if not any(_same_index(finding, key) for key in keys)),
        *find_upkeep(catalog, limits.upkeep),
    ]


def _name(finding: Finding) -> tuple[str, str]:
    return finding.index_schema or finding.schema, finding.index or ""


def _same_index(finding: Finding, key: Finding) -> bool:
    """Tell whether statements need the same index as a foreign key."""
    columns = list(finding.evidence["columns"])
    same_table = (finding.schema, finding.table) == (key.schema, key.table)
    return key.action is Action.CREATE and same_table and key.evidence["columns"] == columns
