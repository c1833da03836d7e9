"""Combines all findings on databases of MySQL and MariaDB so that none contradicts another. Pure."""

from collections.abc import Sequence

from optimizer.indexes.model import Catalog, Finding, UsageLimits, UsageSnapshot
from optimizer.indexes.mysql.missing import MysqlMissingLimits, find_missing
from optimizer.indexes.mysql.redundant import find_redundant
from optimizer.indexes.mysql.unused import find_unused
from optimizer.indexes.mysql.upkeep import (
    MysqlUpkeepLimits,
    find_foreign_keys_without_index,
    find_hidden,
    find_rewrites,
    find_stale_statistics,
)


def find(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    nodes: Sequence[str] = (),
    *,
    usage_limits: UsageLimits | None = None,
    missing_limits: MysqlMissingLimits | None = None,
    upkeep_limits: MysqlUpkeepLimits | None = None,
) -> list[Finding]:
    """Return every finding.

    An index that is dropped is not reported as unused or hidden, too, and one that replaces it is not dropped.

    snapshots: earlier ones of the writer, and all of its replicas.
    nodes: all nodes that execute queries.
    """
    redundant = find_redundant(catalog)
    dropped = {(finding.schema, finding.table, finding.index or "") for finding in redundant if finding.covered_by}
    needed = {(finding.schema, finding.table, finding.covered_by) for finding in redundant if finding.covered_by}
    return [
        *redundant,
        *find_unused(catalog, snapshots, nodes=nodes, dropped=dropped, needed=needed, limits=usage_limits),
        *find_hidden(catalog, dropped),
        *find_foreign_keys_without_index(catalog),
        *find_missing(catalog, missing_limits),
        *find_stale_statistics(catalog),
        *find_rewrites(catalog, upkeep_limits),
    ]
