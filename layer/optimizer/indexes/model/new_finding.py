"""Create findings about one index or one table of a catalog."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Index, Table
from optimizer.indexes.model.finding import Action, Finding, Kind


def about_index(
    catalog: Catalog, index: Index, kind: Kind, action: Action, reason: str, risk: Risk = Risk.LOW, **more: Any
) -> Finding:
    """Return a finding about an index; `more` are other fields of Finding.

    A finding that drops or hides the index stores its definition, which rolls the change back."""
    if action in (Action.DROP, Action.HIDE):
        more.setdefault("statement", index.definition)
    schema, table = index.qualified_table
    return Finding(
        kind=kind,
        action=action,
        database=catalog.server.database,
        schema=schema,
        table=table,
        index=index.name,
        index_schema=index.schema,
        reason=reason,
        risk=risk,
        size_bytes=index.size_bytes,
        **more,
    )


def covered_finding(
    catalog: Catalog,
    index: Index,
    cover: Index,
    action: Action,
    reason: str,
    risk: Risk,
    *,
    is_equal: bool,
    evidence: Mapping[str, Any],
    **more: Any,
) -> Finding:
    """Return the finding that another index serves everything that this one does; `more` as for `about_index`."""
    return about_index(
        catalog,
        index,
        Kind.DUPLICATE if is_equal else Kind.REDUNDANT_PREFIX,
        action,
        reason,
        risk,
        covered_by=cover.name,
        saves_bytes=index.size_bytes,
        evidence={
            "definition": index.definition,
            "covered_by_definition": cover.definition,
            "covered_by_bytes": cover.size_bytes,
            **evidence,
        },
        **more,
    )


def unused_finding(
    catalog: Catalog,
    index: Index,
    kept_because: str | None,
    reason: str,
    evidence: Mapping[str, Any],
    saves_bytes: int | None,
) -> Finding:
    """Return the finding that nothing uses the index: it is dropped unless `kept_because` says why it is kept."""
    if kept_because is not None:
        return about_index(
            catalog, index, Kind.UNUSED, Action.NONE, reason, kept_because=kept_because, evidence=evidence
        )
    return about_index(
        catalog, index, Kind.UNUSED, Action.DROP, reason, Risk.MEDIUM, saves_bytes=saves_bytes, evidence=evidence
    )


def kept_beside(catalog: Catalog, index: Index, other: Index, kept_because: str) -> Finding:
    """Return the finding that an index looks superfluous beside another one, but is kept."""
    return about_index(
        catalog,
        index,
        Kind.DUPLICATE if len(index.keys) == len(other.keys) else Kind.REDUNDANT_PREFIX,
        Action.NONE,
        f"{index.name} looks superfluous beside {other.name}, but is kept because {kept_because}.",
        kept_because=kept_because,
        evidence={"beside": other.name, "definition": index.definition, "beside_definition": other.definition},
    )


def about_table(
    catalog: Catalog, table: Table, kind: Kind, action: Action, reason: str, risk: Risk = Risk.LOW, **more: Any
) -> Finding:
    """Return a finding about a whole table; `more` are other fields of Finding."""
    return Finding(
        kind=kind,
        action=action,
        database=catalog.server.database,
        schema=table.schema,
        table=table.name,
        index=None,
        reason=reason,
        risk=risk,
        size_bytes=table.size_bytes,
        **more,
    )


def choose_dropped(
    indexes: Sequence[Index],
    covering: Mapping[str, Sequence[Index]],
    *,
    is_never_dropped: Callable[[Index], bool],
    worth: Callable[[Index], Any],
) -> set[str]:
    """Return the names of the indexes that another one covers, so that of two that cover each other one stays.

    covering: for each name the indexes that serve everything that this index does.
    is_never_dropped: returns True for an index that is never dropped.
    worth: ranks the indexes; of two that cover each other the greater stays.
    """
    return {
        index.name
        for index in indexes
        if not is_never_dropped(index)
        and any(
            index.name not in {back.name for back in covering[other.name]} or worth(other) > worth(index)
            for other in covering[index.name]
        )
    }
