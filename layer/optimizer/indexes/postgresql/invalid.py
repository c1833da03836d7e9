"""Find invalid indexes of PostgreSQL: leftovers of interrupted rebuilds, and failed builds.

An index is also invalid while it is being built. One whose table has a running build is kept, and so is a partitioned
index whose parts are not all attached yet.
"""

import re
from dataclasses import replace

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Finding, Index, Kind, about_index
from optimizer.indexes.postgresql.cover import why_never_dropped

# REINDEX CONCURRENTLY builds NAME_ccnew and renames the old index to NAME_ccold, with a number if that name exists.
_LEFTOVER = re.compile(r"_cc(new|old)[0-9]*$")


def find_invalid(catalog: Catalog) -> list[Finding]:
    """Return a finding for each index that is not valid."""
    return [_finding(catalog, index) for index in catalog.indexes if not index.is_valid or not index.is_live]


def _finding(catalog: Catalog, index: Index) -> Finding:
    evidence = {"definition": index.definition, "costs_writes": index.is_ready, "is_live": index.is_live}
    running = "builds" in catalog.not_read or any(
        build.table_oid == index.table_oid or build.index_oid == index.oid for build in catalog.builds
    )
    if running:
        words = "an index of its table is being built right now"
        if "builds" in catalog.not_read:
            words = "the running index builds could not be read"
        return _kept(catalog, index, words, evidence)
    if index.is_partitioned:
        return _kept(catalog, index, "it is a partitioned index whose parts are not all attached yet", evidence)
    fixed = why_never_dropped(index)
    twin = _twin(catalog, index)
    if _LEFTOVER.search(index.name) and twin is not None and fixed is None:
        return about_index(
            catalog,
            index,
            Kind.BUILD_LEFTOVER,
            Action.DROP,
            f"{index.name} is a leftover of an interrupted build: {twin.name} is valid and equal to it, and no "
            "query uses it"
            f"{', and every write still updates it' if index.is_ready else ''}.",
            covered_by=twin.name,
            saves_bytes=index.size_bytes,
            evidence={**evidence, "covered_by_definition": twin.definition},
        )
    if not index.is_live and fixed is None:
        reason = f"A drop of {index.name} was interrupted; dropping it again completes the drop."
        return about_index(catalog, index, Kind.INVALID, Action.DROP, reason, evidence=evidence)
    if twin is not None and fixed is None:
        reason = (
            f"{index.name} is invalid: its build failed or was stopped, and no query uses it. {twin.name} is valid and "
            "equal to it: drop it."
        )
        return about_index(catalog, index, Kind.INVALID, Action.ASK, reason, Risk.MEDIUM, evidence=evidence)
    unique = " (which fails while the table contains duplicates)" if index.is_unique else ""
    reason = (
        f"{index.name} is invalid: its build failed or was stopped, and no query uses it. "
        f"Rebuild it{unique} if it is needed, or drop it."
    )
    if fixed is not None:
        reason = f"{index.name} is invalid and may not be dropped, because {fixed}: rebuild it."
    return about_index(catalog, index, Kind.INVALID, Action.ASK, reason, Risk.MEDIUM, evidence=evidence)


def _kept(catalog: Catalog, index: Index, words: str, evidence: dict[str, object]) -> Finding:
    reason = f"{index.name} is not valid, and is kept because {words}."
    return about_index(catalog, index, Kind.INVALID, Action.NONE, reason, kept_because=words, evidence=evidence)


def _twin(catalog: Catalog, index: Index) -> Index | None:
    """Return a valid index of the same table with the same definition except for the name, or None."""
    for other in catalog.indexes:
        same_table = other.table_oid == index.table_oid and other.qualified_table == index.qualified_table
        if other.is_valid and same_table and _definition(other) == _definition(index):
            return other
    if index.qualified_table[0] == "pg_toast":
        # The reader skips valid indexes of TOAST tables. There is exactly one, which is always the twin of this one.
        return replace(index, name=_LEFTOVER.sub("", index.name), is_valid=True)
    return None


def _definition(index: Index) -> tuple[object, ...]:
    return index.method, index.keys, index.include, index.predicate, index.is_unique, index.nulls_not_distinct
