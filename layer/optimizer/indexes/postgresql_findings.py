"""All that is found in one PostgreSQL database, settled against each other. Pure: the same data, the same findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from optimizer.indexes.catalog import Catalog
from optimizer.indexes.findings import Action, Finding, Kind
from optimizer.indexes.postgresql_bloat import BloatLimits, Measured, bloated
from optimizer.indexes.postgresql_foreign_keys import ForeignKeyLimits, foreign_keys_without_index
from optimizer.indexes.postgresql_invalid import invalid
from optimizer.indexes.postgresql_redundant import RedundancyLimits, redundant
from optimizer.indexes.postgresql_unused import unused
from optimizer.indexes.postgresql_upkeep import UpkeepLimits, upkeep
from optimizer.indexes.usage import UsageLimits, UsageSnapshot


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is worth doing."""

    redundancy: RedundancyLimits = field(default_factory=RedundancyLimits)
    bloat: BloatLimits = field(default_factory=BloatLimits)
    usage: UsageLimits = field(default_factory=UsageLimits)
    foreign_keys: ForeignKeyLimits = field(default_factory=ForeignKeyLimits)
    upkeep: UpkeepLimits = field(default_factory=UpkeepLimits)


@dataclass(frozen=True, slots=True)
class History:
    """What earlier runs and other nodes told: looks at the writer and its replicas, all nodes that answer queries, the
    pages counted in this run by oid, and the shares of bloat of earlier runs by file node, newest last."""

    snapshots: Sequence[UsageSnapshot] = ()
    nodes: Sequence[str] = ()
    measured: Mapping[int, Measured] = field(default_factory=dict)
    bloat: Sequence[Mapping[int, float]] = ()


def find(
    catalog: Catalog, history: History | None = None, limits: Limits | None = None, more: Sequence[Finding] = ()
) -> list[Finding]:
    """Every finding; `more` are those that need the server to be asked (missing indexes). An index that is dropped is
    neither rebuilt nor called unused as well, and one that stays in its place is not dropped."""
    history, limits = history or History(), limits or Limits()
    superfluous = redundant(catalog, limits.redundancy)
    going = {_name(finding) for finding in superfluous if finding.action is Action.DROP}
    needed = {(finding.index_schema or "", finding.covered_by or "") for finding in superfluous if finding.covered_by}
    idle = unused(catalog, history.snapshots, nodes=history.nodes, needed=needed, limits=limits.usage)
    idle = [finding for finding in idle if _name(finding) not in going]
    going |= {_name(finding) for finding in idle if finding.action is Action.DROP}
    swollen = bloated(catalog, history.measured, history.bloat, limits.bloat)
    return [
        *invalid(catalog),
        *superfluous,
        *idle,
        *(finding for finding in swollen if _name(finding) not in going),
        *foreign_keys_without_index(catalog, limits.foreign_keys),
        *(finding for finding in more if finding.kind is Kind.MISSING_INDEX),
        *upkeep(catalog, limits.upkeep),
    ]


def _name(finding: Finding) -> tuple[str, str]:
    return finding.index_schema or finding.schema, finding.index or ""
