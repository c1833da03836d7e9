"""All that is found in databases of MySQL or MariaDB, settled against each other. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from optimizer.indexes.model.catalog import Catalog
from optimizer.indexes.model.finding import Finding
from optimizer.indexes.model.usage import UsageLimits, UsageSnapshot
from optimizer.indexes.mysql.missing import MysqlMissingLimits, missing
from optimizer.indexes.mysql.redundant import redundant
from optimizer.indexes.mysql.unused import unused
from optimizer.indexes.mysql.upkeep import (
    MysqlUpkeepLimits,
    foreign_keys_without_index,
    hidden,
    rewrites,
    stale_statistics,
)


@dataclass(frozen=True, slots=True)
class MysqlLimits:
    """From where on something is worth doing."""

    usage: UsageLimits = field(default_factory=UsageLimits)
    missing: MysqlMissingLimits = field(default_factory=MysqlMissingLimits)
    upkeep: MysqlUpkeepLimits = field(default_factory=MysqlUpkeepLimits)


def find(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    nodes: Sequence[str] = (),
    limits: MysqlLimits | None = None,
) -> list[Finding]:
    """Every finding. `snapshots` are earlier looks at the writer and all looks at its replicas, `nodes` all that answer
    queries. An index that is dropped is not called unused or hidden as well, and one that stays in its place is not
    dropped."""
    limits = limits or MysqlLimits()
    superfluous = redundant(catalog)
    going = {(item.schema, item.table, item.index or "") for item in superfluous if item.covered_by}
    needed = {(item.schema, item.table, item.covered_by or "") for item in superfluous if item.covered_by}
    return [
        *superfluous,
        *unused(catalog, snapshots, nodes=nodes, dropped=going, needed=needed, limits=limits.usage),
        *hidden(catalog, going),
        *foreign_keys_without_index(catalog),
        *missing(catalog, limits.missing),
        *stale_statistics(catalog),
        *rewrites(catalog, limits.upkeep),
    ]
