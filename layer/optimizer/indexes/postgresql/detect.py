"""All that is found in one PostgreSQL database, settled against each other. Pure: the same data, the same findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.model.finding import Action, Finding
from optimizer.indexes.model.usage import UsageLimits, UsageSnapshot
from optimizer.indexes.postgresql.bloat import BloatLimits, find_bloated
from optimizer.indexes.postgresql.foreign_keys import ForeignKeyLimits, find_foreign_keys_without_index
from optimizer.indexes.postgresql.invalid import find_invalid
from optimizer.indexes.postgresql.redundant import RedundancyLimits, find_redundant
from optimizer.indexes.postgresql.unused import find_unused
from optimizer.indexes.postgresql.upkeep import PostgresqlUpkeepLimits, find_upkeep


@dataclass(frozen=True, slots=True)
class PostgresqlLimits:
    """From where on something is worth doing."""

    redundancy: RedundancyLimits = field(default_factory=RedundancyLimits)
    bloat: BloatLimits = field(default_factory=BloatLimits)
    usage: UsageLimits = field(default_factory=UsageLimits)
    foreign_keys: ForeignKeyLimits = field(default_factory=ForeignKeyLimits)
    upkeep: PostgresqlUpkeepLimits = field(default_factory=PostgresqlUpkeepLimits)


@dataclass(frozen=True, slots=True)
class PostgresqlHistory:
    """What earlier runs and other nodes told: looks at the writer and its replicas, all nodes that answer queries, and
    the shares of bloat of earlier runs by file node, newest last."""

    snapshots: Sequence[UsageSnapshot] = ()
    nodes: Sequence[str] = ()
    bloat: Sequence[Mapping[int, float]] = ()


def find(
    catalog: Catalog, history: PostgresqlHistory | None = None, limits: PostgresqlLimits | None = None
) -> list[Finding]:
    """Every finding. An index that is dropped is neither rebuilt nor called unused as well, and one that stays in its
    place is not dropped; one that a foreign key and statements want is proposed once."""
    history, limits = history or PostgresqlHistory(), limits or PostgresqlLimits()
    superfluous = find_redundant(catalog, limits.redundancy)
    going = {_name(finding) for finding in superfluous if finding.action is Action.DROP}
    needed = {(finding.index_schema or "", finding.covered_by or "") for finding in superfluous if finding.covered_by}
    idle = find_unused(catalog, history.snapshots, nodes=history.nodes, needed=needed, limits=limits.usage)
    idle = [finding for finding in idle if _name(finding) not in going]
    going |= {_name(finding) for finding in idle if finding.action is Action.DROP}
    swollen = find_bloated(catalog, catalog.pages, history.bloat, limits.bloat)
    keys = find_foreign_keys_without_index(catalog, limits.foreign_keys)
    return [
        *find_invalid(catalog),
        *superfluous,
        *idle,
        *(finding for finding in swollen if _name(finding) not in going),
        *keys,
        *(finding for finding in catalog.further if not any(_same_index(finding, key) for key in keys)),
        *find_upkeep(catalog, limits.upkeep),
    ]


def _name(finding: Finding) -> tuple[str, str]:
    return finding.index_schema or finding.schema, finding.index or ""


def _same_index(finding: Finding, key: Finding) -> bool:
    """Whether the index that statements want is the one that a foreign key wants, too."""
    columns = list(finding.evidence["columns"])
    same_table = (finding.schema, finding.table) == (key.schema, key.table)
    return key.action is Action.CREATE and same_table and key.evidence["columns"] == columns
