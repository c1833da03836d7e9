"""Indexes that statements of MySQL and MariaDB would use if they were there. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.core import Risk
from optimizer.indexes.model.catalog import Catalog, Column, Table
from optimizer.indexes.model.finding import Action, Finding, Kind
from optimizer.indexes.model.new_finding import about_table
from optimizer.indexes.model.workload import StatementStat
from optimizer.indexes.mysql.cover import TableContext
from optimizer.indexes.mysql.digests import TableQuery, table_of, wants
from optimizer.indexes.mysql.identifiers import quoted
from optimizer.indexes.mysql.redundant import gather_tables

_MOST_KEYS = 4
_LONGEST_NAME = 64
# Columns of these types cannot be keys as a whole.
_NO_KEYS = tuple(f"{size}{kind}" for size in ("", "tiny", "medium", "long") for kind in ("text", "blob"))


@dataclass(frozen=True, slots=True)
class MysqlMissingLimits:
    """A statement wants an index if it was called `min_calls` times, took `min_load_share` of all statements' time,
    read `min_rows_examined` rows a call of a table of at least `min_table_rows`, and chose at most `max_chosen_share`
    of the rows it read."""

    min_calls: int = 10
    min_load_share: float = 0.01
    min_rows_examined: int = 1000
    min_table_rows: int = 5000
    max_chosen_share: float = 0.1


@dataclass(frozen=True, slots=True)
class _Wish:
    of: TableContext
    columns: tuple[str, ...]
    statement: StatementStat
    chosen_share: float | None


def missing(catalog: Catalog, limits: MysqlMissingLimits | None = None) -> list[Finding]:
    """A finding for each index that would save a statement from reading rows that it does not want; the shorter of two
    wishes that one index grants is part of the longer. CREATE where the rows chosen are known to be few, else ASK."""
    limits = limits or MysqlMissingLimits()
    tables = {(of.table.schema, of.table.name.lower()): of for of in gather_tables(catalog)}
    total_ms = sum(statement.total_ms for statement in catalog.statements) or 1.0
    wishes: list[_Wish] = []
    for statement in catalog.statements:
        of = tables.get((statement.schema or "", (table_of(statement.text or "") or "").lower()))
        if of is None or not _is_costly(statement, of.table, total_ms, limits):
            continue
        asked = wants(statement.text or "", [column.name for column in of.table.columns])
        columns = _columns(asked, of.table) if asked is not None else ()
        if asked is None or not columns or _has_index(of, asked, columns):
            continue
        share = _chosen_share(asked, statement, of.table)
        if share is None or share <= limits.max_chosen_share:
            wishes.append(_Wish(of, columns, statement, share))
    wishes.sort(key=lambda wish: (-len(wish.columns), -wish.statement.total_ms))
    granted: list[list[_Wish]] = []
    for wish in wishes:
        group = next((each for each in granted if _grants(each[0], wish)), None)
        if group is None:
            granted.append([wish])
        else:
            group.append(wish)
    return [_finding(catalog, group, total_ms) for group in granted]


def _is_costly(statement: StatementStat, table: Table, total_ms: float, limits: MysqlMissingLimits) -> bool:
    return (
        statement.calls >= limits.min_calls
        and statement.total_ms >= limits.min_load_share * total_ms
        and (statement.rows_examined or 0) >= limits.min_rows_examined * statement.calls
        and (table.rows or 0) >= limits.min_table_rows
    )


def _columns(asked: TableQuery, table: Table) -> tuple[str, ...]:
    """Those compared with values first, the most distinct foremost, then one range or the order."""
    columns = {column.name: column for column in table.columns}
    equal = [name for name in asked.equal if _can_be_key(columns[name])]
    equal.sort(key=lambda name: -(columns[name].distinct or 0.0))
    after = [name for name in asked.between if _can_be_key(columns[name])][:1]
    if not after and (equal or asked.has_limit) and len(equal) == len(asked.equal):
        after = [name for name in asked.sorted_by if name not in equal and _can_be_key(columns[name])]
    return tuple([*equal, *after][:_MOST_KEYS])


def _can_be_key(column: Column) -> bool:
    return column.data_type.split("(")[0].split()[0].lower() not in (*_NO_KEYS, "json", "geometry")


def _has_index(of: TableContext, asked: TableQuery, columns: Sequence[str]) -> bool:
    """Whether an index already begins with what is compared, in whatever order, or with the whole."""
    count = len([name for name in columns if name in asked.equal]) or 1
    wanted = {name.lower() for name in columns[:count]}
    return any(
        index.is_visible
        and index.method == "btree"
        and len(index.keys) >= count
        and {(key.column or "").lower() for key in index.keys[:count]} == wanted
        for index in of.indexes
    )


def _chosen_share(asked: TableQuery, statement: StatementStat, table: Table) -> float | None:
    """Of the rows read, those that the conditions choose; None if neither the rows sent nor the statistics tell."""
    if asked.counts_rows:
        return statement.rows / max(statement.rows_examined or 0, 1)
    distinct = [column.distinct for column in table.columns if column.name in asked.equal and column.distinct]
    return 1.0 / max(distinct) if distinct else None


def _grants(wide: _Wish, narrow: _Wish) -> bool:
    return wide.of is narrow.of and wide.columns[: len(narrow.columns)] == narrow.columns


def _finding(catalog: Catalog, group: Sequence[_Wish], total_ms: float) -> Finding:
    first, of = group[0], group[0].of
    name = _name(of, first.columns)
    table = f"{quoted(of.table.schema)}.{quoted(of.table.name)}"
    keys = ", ".join(quoted(column) for column in first.columns)
    known = all(wish.chosen_share is not None for wish in group)
    share = sum(wish.statement.total_ms for wish in group) / total_ms
    doubt = "" if known else " How many rows that would leave is not known: look at its plan first."
    count = f"{len(group)} statements" if len(group) > 1 else "A statement"
    return about_table(
        catalog,
        of.table,
        Kind.MISSING_INDEX,
        Action.CREATE if known else Action.ASK,
        f"{count} with {share:.0%} of all statements' time would find rows by {', '.join(first.columns)} instead of "
        f"reading {of.table.name}.{doubt}",
        Risk.MEDIUM,
        statement=f"ALTER TABLE {table} ADD INDEX {quoted(name)} ({keys})",
        evidence={
            "name": name,
            "columns": list(first.columns),
            "load_share": round(share, 4),
            "table_rows": of.table.rows,
            "table_writes": sum(value or 0 for value in (of.table.inserted, of.table.updated, of.table.deleted)),
            "statements": [
                {
                    "text": wish.statement.text,
                    "calls": wish.statement.calls,
                    "mean_ms": round(wish.statement.mean_ms, 3),
                    "rows_examined_call": round((wish.statement.rows_examined or 0) / wish.statement.calls, 1),
                    "rows_call": round(wish.statement.rows / wish.statement.calls, 1),
                    "chosen_share": wish.chosen_share,
                }
                for wish in group
            ],
        },
    )


def _name(of: TableContext, columns: Sequence[str]) -> str:
    """A name that the table does not have yet, of at most 64 characters."""
    taken = {index.name.lower() for index in of.indexes}
    base = "_".join(["idx", *columns])[:_LONGEST_NAME]
    name, number = base, 2
    while name.lower() in taken:
        suffix = f"_{number}"
        name, number = base[: _LONGEST_NAME - len(suffix)] + suffix, number + 1
    return name
