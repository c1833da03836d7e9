"""Everything that is found in a database, whatever its engine. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from optimizer.guardrails import MIB
from optimizer.indexes.model.catalog import Catalog, Engine
from optimizer.indexes.model.finding import Finding
from optimizer.indexes.model.usage import UsageLimits, UsageSnapshot, take_snapshot
from optimizer.indexes.postgresql.bloat import BloatLimits
from optimizer.policy import Indexes


def bloat_limits(limits: Indexes) -> BloatLimits:
    """From where on a rebuild is worth it."""
    return BloatLimits(
        least_share=limits.min_bloat_share,
        least_bytes=limits.min_bloat_mb * MIB,
        looks=limits.rebuild_after_runs,
    )


def find(
    nodes: Sequence[Catalog],
    limits: Indexes,
    snapshots: Sequence[UsageSnapshot] = (),
    bloat: Sequence[Mapping[int, float]] = (),
) -> list[Finding]:
    """All findings on what one look has read: the writer first, then its replicas. `snapshots` are of earlier looks,
    `bloat` the shares that runs before found, by file node. The modules of each engine say how they come about."""
    catalog, replicas = nodes[0], nodes[1:]
    taken = [*snapshots, *(take_snapshot(replica) for replica in replicas)]
    names = [replica.server.node for replica in replicas]
    usage = UsageLimits(days=float(limits.min_observation_days))
    if catalog.server.engine is Engine.POSTGRESQL:
        from optimizer.indexes.postgresql import detect as postgresql

        wants = {(one.schema, one.table, one.statement): one for node in reversed(nodes) for one in node.further}
        history = postgresql.PostgresqlHistory(snapshots=taken, nodes=names, bloat=bloat)
        whole = replace(catalog, further=tuple(wants.values()))
        return postgresql.find(whole, history, postgresql.PostgresqlLimits(usage=usage, bloat=bloat_limits(limits)))
    from optimizer.indexes.mysql import detect as mysql
    from optimizer.indexes.mysql.upkeep import MysqlUpkeepLimits

    # What only replicas are asked may name an index in a hint, or want one.
    said = tuple(statement for node in nodes for statement in node.statements)
    upkeep = MysqlUpkeepLimits(min_free_share=limits.min_bloat_share, min_free_bytes=limits.min_bloat_mb * MIB)
    return mysql.find(replace(catalog, statements=said), taken, names, mysql.MysqlLimits(usage=usage, upkeep=upkeep))
