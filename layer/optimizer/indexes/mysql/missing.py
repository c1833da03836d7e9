"""Finds indexes that would save statements of MySQL and MariaDB from reading whole tables. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.core import Risk
from optimizer.indexes.model import Action, Catalog, Column, Finding, Kind, StatementStat, Table, about_table
from optimizer.indexes.mysql.cover import TableContext
from optimizer.indexes.mysql.create_table import quoted
from optimizer.indexes.mysql.digests import TableQuery, read_query, table_of
from optimizer.indexes.mysql.key_length import fit_keys
from optimizer.indexes.mysql.redundant import gather_tables

_MOST_KEYS = 4
_LONGEST_NAME = 64
# Columns of these types can be keys only with a prefix length.
_NO_KEYS = tuple(f"{size}{kind}" for size in ("", "tiny", "medium", "long") for kind in ("text", "blob"))


@dataclass(frozen=True, slots=True)
class MysqlMissingLimits:
    """The thresholds from which a statement needs an index.

    min_calls: the number of calls.
    min_load_share: its share of the time of all statements (0 to 1).
    min_rows_examined: the rows that it reads in a call.
    min_table_rows: the rows of the table.
    max_chosen_share: the share of the rows read that its conditions choose (0 to 1).
    """

    min_calls: int = 10
    min_load_share: float = 0.01
    min_rows_examined: int = 1000
    min_table_rows: int = 5000
    max_chosen_share: float = 0.1


@dataclass(frozen=True, slots=True)
class _Candidate:
    context: TableContext
    columns: tuple[str, ...]
    statement: StatementStat
    chosen_share: float | None


def find_missing(catalog: Catalog, limits: MysqlMissingLimits | None = None) -> list[Finding]:
    """Return a finding for each index that would save statements from reading rows that they do not need.

    Where one index serves several statements there is one finding, with the longest list of columns. The action is
    CREATE where the chosen rows are known to be few, else ASK.
    """
    limits = limits or MysqlMissingLimits()
    tables = {(context.table.schema, context.table.name.lower()): context for context in gather_tables(catalog)}
    total_ms = sum(statement.total_ms for statement in catalog.statements) or 1.0
    page_bytes = catalog.server.block_bytes
    candidates: list[_Candidate] = []
    for statement in catalog.statements:
        context = tables.get((statement.schema or "", (table_of(statement.text or "") or "").lower()))
        if context is None or not _is_costly(statement, context.table, total_ms, limits):
            continue
        query = read_query(statement.text or "", [column.name for column in context.table.columns])
        if query is None:
            continue
        sorted_only = [name for name in query.sorted_by if name not in (*query.equal, *query.between)]
        wanted = _columns(query, context.table)
        columns = tuple(fit_keys(context.table, wanted, page_bytes=page_bytes, sorted_only=sorted_only))
        if not columns or _has_index(context, query, columns):
            continue
        share = _chosen_share(query, statement, context.table)
        if share is None or share <= limits.max_chosen_share:
            candidates.append(_Candidate(context, columns, statement, share))
    candidates.sort(key=lambda candidate: (-len(candidate.columns), -candidate.statement.total_ms))
    groups: list[list[_Candidate]] = []
    for candidate in candidates:
        group = next((each for each in groups if _serves(each[0], candidate)), None)
        if group is None:
            groups.append([candidate])
        else:
            group.append(candidate)
    return [_finding(catalog, group, total_ms) for group in groups]


def _is_costly(statement: StatementStat, table: Table, total_ms: float, limits: MysqlMissingLimits) -> bool:
    return (
        statement.calls >= limits.min_calls
        and statement.total_ms >= limits.min_load_share * total_ms
        and (statement.rows_examined or 0) >= limits.min_rows_examined * statement.calls
        and (table.rows or 0) >= limits.min_table_rows
    )


def _columns(query: TableQuery, table: Table) -> tuple[str, ...]:
    """Return the keys of the best index.

    The columns that are compared with values come first, the most distinct one foremost; then one range or the order.
    """
    columns = {column.name: column for column in table.columns}
    equal = [name for name in query.equal if _can_be_key(columns[name])]
    equal.sort(key=lambda name: -(columns[name].distinct or 0.0))
    after = [name for name in query.between if _can_be_key(columns[name])][:1]
    if not after and (equal or query.has_limit) and len(equal) == len(query.equal):
        after = [name for name in query.sorted_by if name not in equal and _can_be_key(columns[name])]
    return tuple([*equal, *after][:_MOST_KEYS])


def _can_be_key(column: Column) -> bool:
    return column.data_type.split("(")[0].split()[0].lower() not in (*_NO_KEYS, "json", "geometry")


def _has_index(context: TableContext, query: TableQuery, columns: Sequence[str]) -> bool:
    """Return True if an index already begins with the columns that are compared with values, in any order."""
    count = len([name for name in columns if name in query.equal]) or 1
    wanted = {name.lower() for name in columns[:count]}
    return any(
        index.is_visible
        and index.method == "btree"
        and len(index.keys) >= count
        and {(key.column or "").lower() for key in index.keys[:count]} == wanted
        for index in context.indexes
    )


def _chosen_share(query: TableQuery, statement: StatementStat, table: Table) -> float | None:
    """Return the share of the rows read that the conditions choose.

    None if neither the rows sent nor the statistics tell.
    """
    if query.counts_rows:
        return statement.rows / max(statement.rows_examined or 0, 1)
    distinct = [column.distinct for column in table.columns if column.name in query.equal and column.distinct]
    return 1.0 / max(distinct) if distinct else None


def _serves(wide: _Candidate, narrow: _Candidate) -> bool:
    return wide.context is narrow.context and wide.columns[: len(narrow.columns)] == narrow.columns


def _finding(catalog: Catalog, group: Sequence[_Candidate], total_ms: float) -> Finding:
    first, context = group[0], group[0].context
    name = _name(context, first.columns)
    table = f"{quoted(context.table.schema)}.{quoted(context.table.name)}"
    fitted = fit_keys(context.table, first.columns, page_bytes=catalog.server.block_bytes)
    keys = ", ".join(quoted(column) + (f"({prefix})" if prefix else "") for column, prefix in fitted.items())
    known = all(candidate.chosen_share is not None for candidate in group)
    share = sum(candidate.statement.total_ms for candidate in group) / total_ms
    doubt = "" if known else " It is unknown how many rows remain to be read: check the plan first."
    count = f"{len(group)} statements" if len(group) > 1 else "A statement"
    return about_table(
        catalog,
        context.table,
        Kind.MISSING_INDEX,
        Action.CREATE if known else Action.ASK,
        f"{count} with {share:.0%} of the time of all statements would find rows by {', '.join(first.columns)} "
        f"instead of reading the whole table {context.table.name}.{doubt}",
        Risk.MEDIUM,
        statement=f"ALTER TABLE {table} ADD INDEX {quoted(name)} ({keys})",
        evidence={
            "name": name,
            "columns": list(first.columns),
            "load_share": round(share, 4),
            "table_rows": context.table.rows,
            "table_writes": sum(
                value or 0 for value in (context.table.inserted, context.table.updated, context.table.deleted)
            ),
            "statements": [
                {
                    "text": candidate.statement.text,
                    "calls": candidate.statement.calls,
                    "mean_ms": round(candidate.statement.mean_ms, 3),
                    "rows_examined_call": round(
                        (candidate.statement.rows_examined or 0) / candidate.statement.calls, 1
                    ),
                    "rows_call": round(candidate.statement.rows / candidate.statement.calls, 1),
                    "chosen_share": candidate.chosen_share,
                }
                for candidate in group
            ],
        },
    )


def _name(context: TableContext, columns: Sequence[str]) -> str:
    """Return a name of at most 64 characters that no index of the table has yet."""
    used_names = {index.name.lower() for index in context.indexes}
    base = "_".join(["idx", *columns])[:_LONGEST_NAME]
    name, number = base, 2
    while name.lower() in used_names:
        suffix = f"_{number}"
        name, number = base[: _LONGEST_NAME - len(suffix)] + suffix, number + 1
    return name
