"""All that is found in databases of MySQL or MariaDB, settled against each other. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from optimizer.indexes.catalog import Catalog
from optimizer.indexes.findings import Finding
from optimizer.indexes.mysql_missing import MissingLimits, missing
from optimizer.indexes.mysql_redundant import redundant
from optimizer.indexes.mysql_unused import unused
from optimizer.indexes.mysql_upkeep import (
    UpkeepLimits,
    foreign_keys_without_index,
    hidden,
    rewrites,
    stale_statistics,
)
from optimizer.indexes.usage import UsageLimits, UsageSnapshot


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on something is worth doing."""

    usage: UsageLimits = field(default_factory=UsageLimits)
    missing: MissingLimits = field(default_factory=MissingLimits)
    upkeep: UpkeepLimits = field(default_factory=UpkeepLimits)


def find(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    nodes: Sequence[str] = (),
    limits: Limits | None = None,
) -> list[Finding]:
    """Every finding. `snapshots` are earlier looks at the writer and all looks at its replicas, `nodes` all that answer
    queries. An index that is dropped is not called unused or hidden as well, and one that stays in its place is not
    dropped."""
    limits = limits or Limits()
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
