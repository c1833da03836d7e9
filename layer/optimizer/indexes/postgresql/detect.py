"""Find all problems of one PostgreSQL database, without contradictions between the findings. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from optimizer.indexes.model import Action, Catalog, Finding, UsageLimits, UsageSnapshot, why_builds_are_faulty
from optimizer.indexes.postgresql.bloat import BloatLimits, find_bloated
from optimizer.indexes.postgresql.foreign_keys import find_foreign_keys_without_index
from optimizer.indexes.postgresql.invalid import find_invalid
from optimizer.indexes.postgresql.redundant import find_redundant
from optimizer.indexes.postgresql.unused import find_unused
from optimizer.indexes.postgresql.upkeep import find_upkeep


def find(
    catalog: Catalog,
    snapshots: Sequence[UsageSnapshot] = (),
    nodes: Sequence[str] = (),
    bloat: Sequence[Mapping[int, float]] = (),
    *,
    usage_limits: UsageLimits | None = None,
    bloat_limits: BloatLimits | None = None,
) -> list[Finding]:
    """Return all findings.

    An index that is dropped is neither rebuilt nor reported as unused, and the index that replaces it is not dropped.
    An index that a foreign key and statements need is proposed once.

    snapshots: earlier ones of the writer, and all of its replicas.
    nodes: all nodes that answer queries.
    bloat: the shares of bloat that earlier runs found, by file node, newest last.
    """
    redundant = find_redundant(catalog)
    dropped = {_name(finding) for finding in redundant if finding.action is Action.DROP}
    needed = {(finding.index_schema or "", finding.covered_by or "") for finding in redundant if finding.covered_by}
    unused = find_unused(catalog, snapshots, nodes=nodes, needed=needed, limits=usage_limits)
    unused = [finding for finding in unused if _name(finding) not in dropped]
    dropped |= {_name(finding) for finding in unused if finding.action is Action.DROP}
    bloated = find_bloated(catalog, catalog.pages, bloat, bloat_limits)
    keys = find_foreign_keys_without_index(catalog)
    found = [
        *find_invalid(catalog),
        *redundant,
        *unused,
        *(finding for finding in bloated if _name(finding) not in dropped),
        *keys,
        *(finding for finding in catalog.further if not any(_same_index(finding, key) for key in keys)),
        *find_upkeep(catalog),
    ]
    faulty = why_builds_are_faulty(catalog.server.version)
    return [_without_build(finding, faulty) if faulty else finding for finding in found]


def _without_build(finding: Finding, faulty: str) -> Finding:
    if finding.action not in (Action.CREATE, Action.REINDEX):
        return finding
    return replace(finding, action=Action.NONE, reason=f"{finding.reason} Nothing is built now, because {faulty}.")


def _name(finding: Finding) -> tuple[str, str]:
    return finding.index_schema or finding.schema, finding.index or ""


def _same_index(finding: Finding, key: Finding) -> bool:
    """Tell whether statements need the same index as a foreign key."""
    columns = list(finding.evidence["columns"])
    same_table = (finding.schema, finding.table) == (key.schema, key.table)
    return key.action is Action.CREATE and same_table and key.evidence["columns"] == columns
