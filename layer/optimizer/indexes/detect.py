"""Finds everything that is to be done in a database, whatever its engine. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from optimizer.guardrails import MIB
from optimizer.indexes.model import Catalog, Engine, Finding, UsageLimits, UsageSnapshot, take_snapshot
from optimizer.indexes.postgresql.bloat import BloatLimits
from optimizer.policy import Indexes


def bloat_limits(limits: Indexes) -> BloatLimits:
    """Return the thresholds of the policy from which a rebuild is proposed."""
    return BloatLimits(
        least_share=limits.min_bloat_share,
        least_bytes=limits.min_bloat_mb * MIB,
        looks=limits.rebuild_after_runs,
    )


def detect_findings(
    nodes: Sequence[Catalog],
    limits: Indexes,
    snapshots: Sequence[UsageSnapshot] = (),
    bloat: Sequence[Mapping[int, float]] = (),
) -> list[Finding]:
    """Return all findings on a database. The modules of each engine contain the rules.

    nodes: the catalogs of the writer, which comes first, and of its replicas.
    snapshots: the uses that earlier runs have read.
    bloat: the shares of bloat that earlier runs have found, by file node.
    """
    catalog, replicas = nodes[0], nodes[1:]
    all_snapshots = [*snapshots, *(take_snapshot(replica) for replica in replicas)]
    names = [replica.server.node for replica in replicas]
    usage = UsageLimits(days=float(limits.min_observation_days))
    if catalog.server.engine is Engine.POSTGRESQL:
        from optimizer.indexes.postgresql import detect as postgresql

        further = {
            (finding.schema, finding.table, finding.statement): finding
            for node in reversed(nodes)
            for finding in node.further
        }
        return postgresql.find(
            replace(catalog, further=tuple(further.values())),
            all_snapshots,
            names,
            bloat,
            usage_limits=usage,
            bloat_limits=bloat_limits(limits),
        )
    from optimizer.indexes.mysql import detect as mysql
    from optimizer.indexes.mysql.upkeep import MysqlUpkeepLimits

    # Statements that only replicas execute may need an index, or name one in a hint.
    statements = tuple(statement for node in nodes for statement in node.statements)
    upkeep = MysqlUpkeepLimits(min_free_share=limits.min_bloat_share, min_free_bytes=limits.min_bloat_mb * MIB)
    return mysql.find(
        replace(catalog, statements=statements), all_snapshots, names, usage_limits=usage, upkeep_limits=upkeep
    )
