"""Everything that is found in a database, whatever its engine. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from optimizer.indexes.catalog import Catalog, Engine
from optimizer.indexes.findings import Finding
from optimizer.indexes.usage import UsageLimits, UsageSnapshot, snapshot
from optimizer.policy.model import Indexes

_MIB = 2**20


def find(nodes: Sequence[Catalog], limits: Indexes, snapshots: Sequence[UsageSnapshot] = ()) -> list[Finding]:
    """All findings on what one look has read: the writer first, then its replicas; `snapshots` are of earlier looks.
    The modules of each engine say how they come about."""
    catalog, replicas = nodes[0], nodes[1:]
    taken = [*snapshots, *(snapshot(replica) for replica in replicas)]
    names = [replica.server.node for replica in replicas]
    usage = UsageLimits(days=float(limits.min_observation_days))
    if catalog.server.engine is Engine.POSTGRESQL:
        from optimizer.indexes import postgresql_findings as postgresql
        from optimizer.indexes.postgresql_bloat import BloatLimits

        # In how many runs bloat was found is counted, and held to the policy, where changes are proposed.
        bloat = BloatLimits(limits.min_bloat_share, limits.min_bloat_mb * _MIB, looks=1)
        wants = {(one.schema, one.table, one.statement): one for node in reversed(nodes) for one in node.further}
        history = postgresql.History(snapshots=taken, nodes=names)
        whole = replace(catalog, further=tuple(wants.values()))
        return postgresql.find(whole, history, postgresql.Limits(usage=usage, bloat=bloat))
    from optimizer.indexes import mysql_findings as mysql
    from optimizer.indexes.mysql_upkeep import UpkeepLimits

    # What only replicas are asked may name an index in a hint, or want one.
    said = tuple(statement for node in nodes for statement in node.statements)
    upkeep = UpkeepLimits(min_free_share=limits.min_bloat_share, min_free_bytes=limits.min_bloat_mb * _MIB)
    return mysql.find(replace(catalog, statements=said), taken, names, mysql.Limits(usage=usage, upkeep=upkeep))
