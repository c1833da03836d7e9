"""Everything that is found in a database, whatever its engine. Pure."""

from collections.abc import Sequence

from optimizer.indexes.catalog import Catalog, Engine
from optimizer.indexes.findings import Finding
from optimizer.policy.model import Indexes


def find(nodes: Sequence[Catalog], _limits: Indexes) -> list[Finding]:
    """All findings on what one look has read: the writer first, then its replicas. The modules of each engine say how
    they come about."""
    catalog = nodes[0]
    if catalog.server.engine is not Engine.POSTGRESQL:
        return []
    from optimizer.indexes.postgresql_foreign_keys import foreign_keys_without_index
    from optimizer.indexes.postgresql_invalid import invalid
    from optimizer.indexes.postgresql_redundant import redundant
    from optimizer.indexes.postgresql_upkeep import upkeep

    return [*redundant(catalog), *invalid(catalog), *foreign_keys_without_index(catalog), *upkeep(catalog)]
