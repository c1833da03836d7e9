"""Reads tables, indexes and foreign keys of MySQL and MariaDB from information_schema."""

import contextlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymysql import MySQLError

from optimizer.indexes.model.catalog import Column, Constraint, Engine, ForeignKey, Index, KeyPart, Table
from optimizer.indexes.mysql.counters import Counters, decoded
from optimizer.indexes.mysql.create_table import IndexClause, UnreadableDefinition, quoted, read_index_clauses
from optimizer.indexes.mysql.session import Session, message

type Name = tuple[str, str]

_STRINGS = ("char", "varchar", "binary", "varbinary")
# A DECIMAL of 65 digits takes 30 bytes.
_OF_DECIMAL = 30
_OF_OTHER_TYPES = 16
_OPTION = re.compile(r"([\w ]+)=(?:\"([^\"]*)\"|'([^']*)'|(\S+))")


def read_tables(session: Session, counters: Counters) -> tuple[Table, ...]:
    """Read the tables with their columns, without views."""
    columns: dict[Name, list[Column]] = defaultdict(list)
    query = "SELECT * FROM information_schema.columns WHERE"
    for row in sorted(session.scoped(query, "table_schema"), key=lambda each: int(each["ordinal_position"])):
        name = row["table_schema"], row["table_name"]
        columns[name].append(_column(row, counters.distinct.get((*name, row["column_name"].lower()))))
    query = "SELECT * FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND"
    rows = session.scoped(query, "table_schema")
    return tuple(_table(row, columns[row["table_schema"], row["table_name"]], counters) for row in rows)


def _column(row: Mapping[str, Any], distinct: float | None) -> Column:
    return Column(
        name=row["column_name"],
        data_type=str(row["column_type"]),
        not_null=row["is_nullable"] == "NO",
        distinct=distinct,
        collation=row["collation_name"],
        auto_increment="auto_increment" in str(row["extra"]).lower(),
        most_bytes=_most_bytes(row),
    )


def _most_bytes(row: Mapping[str, Any]) -> int:
    """Return the most bytes of a value as a key of an index; numbers, times and enumerations take few."""
    kind = str(row["data_type"]).lower()
    if kind in _STRINGS:
        return int(row["character_octet_length"])
    return _OF_DECIMAL if kind == "decimal" else _OF_OTHER_TYPES


def _table(row: Mapping[str, Any], columns: Sequence[Column], counters: Counters) -> Table:
    name = row["table_schema"], row["table_name"]
    statistics = counters.tables.get(name, {})
    work = counters.work.get(name, {})
    options = {
        found[1].strip().lower(): found[2] or found[3] or found[4] or ""
        for found in _OPTION.finditer(row["create_options"] or "")
    }
    options.setdefault("row_format", str(row["row_format"] or ""))
    return Table(
        schema=name[0],
        name=name[1],
        storage_engine=row["engine"],
        columns=tuple(columns),
        size_bytes=_sum(row["data_length"], row["index_length"]),
        free_bytes=_int(row["data_free"]),
        rows=statistics.get("n_rows", _int(row["table_rows"])),
        live_rows=statistics.get("num_rows"),
        modified_since_analyze=statistics.get("modified"),
        last_analyze_at=statistics.get("last_update"),
        sequential_scans=work.get("scanned"),
        index_scans=work.get("by_index"),
        inserted=work.get("inserted"),
        updated=work.get("updated"),
        deleted=work.get("deleted"),
        options=options,
        created_at=in_utc(row["create_time"]),
        shares_tablespace=statistics.get("shares_tablespace"),
    )


def read_indexes(session: Session, counters: Counters, referenced: Mapping[Name, set[str]]) -> tuple[Index, ...]:
    """Read the indexes, those of each table in the order of the server.

    referenced: for each table the names of the indexes that foreign keys refer to.
    """
    parts: dict[Name, dict[str, list[dict[str, Any]]]] = defaultdict(lambda: defaultdict(list))
    query = "SELECT * FROM information_schema.statistics WHERE"
    for row in session.scoped(query, "table_schema"):
        parts[row["table_schema"], row["table_name"]][row["index_name"]].append(row)
    found: list[Index] = []
    for name, indexes_of_table in parts.items():
        clauses = _clauses(session, name)
        of_table = list(indexes_of_table.items())
        order = {index: number for number, index in enumerate(clauses)}
        of_table.sort(key=lambda pair: order.get(pair[0], len(order)))
        clustering = _clustering([rows for _, rows in of_table], clauses)
        for index, rows in of_table:
            rows.sort(key=lambda each: int(each["seq_in_index"]))
            is_referenced = index in referenced.get(name, ())
            found.append(_index(rows, clauses.get(index), counters, index == clustering, is_referenced))
    return tuple(found)


def _clauses(session: Session, name: Name) -> dict[str, IndexClause]:
    """Return the clauses of the table's indexes; nothing if the table no longer exists or cannot be taken apart.

    An index without a clause has no definition, so nothing proposes to drop it.
    """
    with contextlib.suppress(MySQLError, UnreadableDefinition):
        rows = session.rows(f"SHOW CREATE TABLE {quoted(name[0])}.{quoted(name[1])}")
        return read_index_clauses(str(rows[0].get("create table", "")))
    return {}


def _clustering(
    indexes_of_table: Sequence[Sequence[Mapping[str, Any]]], clauses: Mapping[str, IndexClause]
) -> str | None:
    """Return the index in which InnoDB stores the rows.

    It is the primary key, else the first unique index without NULLs in the order of the server.
    """
    names = {rows[0]["index_name"]: rows for rows in indexes_of_table}
    if "PRIMARY" in names:
        return "PRIMARY"
    for name in [*clauses, *(name for name in names if name not in clauses)]:
        rows = names.get(name, [])
        if rows and all(
            not int(row["non_unique"]) and row["nullable"] != "YES" and not row["sub_part"] and row["column_name"]
            for row in rows
        ):
            return str(name)
    return None


def _index(
    rows: Sequence[Mapping[str, Any]],
    clause: IndexClause | None,
    counters: Counters,
    is_clustered: bool,
    is_referenced: bool,
) -> Index:
    first = rows[0]
    schema, table, name = first["table_schema"], first["table_name"], first["index_name"]
    pages = counters.index_pages.get((schema, table, name))
    is_unique = not int(first["non_unique"])
    constraint = Constraint.PRIMARY if name == "PRIMARY" else Constraint.UNIQUE if is_unique else None
    if clause and clause.has_period:
        constraint = Constraint.EXCLUSION
    return Index(
        schema=schema,
        table=table,
        name=name,
        method=str(first["index_type"]).lower(),
        keys=tuple(_part(row) for row in rows),
        definition=f"ALTER TABLE {quoted(schema)}.{quoted(table)} ADD {clause.text}" if clause else "",
        is_unique=is_unique,
        constraint=constraint,
        is_visible=first.get("is_visible", "YES") != "NO" and first.get("ignored", "NO") != "YES",
        is_clustered=is_clustered,
        is_referenced=is_referenced,
        size_bytes=None if pages is None else pages * counters.page_bytes,
        rows=None,
        scans=counters.scans(schema, table, name),
    )


def _part(row: Mapping[str, Any]) -> KeyPart:
    expression = row.get("expression")
    # information_schema escapes quotes and backslashes in an expression; that makes no difference in a comparison.
    text = row["column_name"] if expression is None else expression
    return KeyPart(
        text=text,
        column=row["column_name"],
        descending=row["collation"] == "D",
        nulls_first=row["collation"] != "D",
        prefix_length=_int(row["sub_part"]),
    )


# MariaDB opens each table of a database whose foreign keys are listed, and all tables of the server if the database of
# the referencing tables is not named. InnoDB's own list names these databases and opens no table; it needs PROCESS.
_REFERENCING = f"""
SELECT DISTINCT {decoded("SUBSTRING_INDEX(f.for_name, '/', 1)")} AS table_schema
FROM information_schema.innodb_sys_foreign f
WHERE
"""  # noqa: S608 - constants
_KEY_COLUMNS = "SELECT * FROM information_schema.key_column_usage WHERE referenced_table_name IS NOT NULL AND"
_RULES = "SELECT * FROM information_schema.referential_constraints WHERE"


def read_foreign_keys(
    session: Session, not_read: dict[str, str]
) -> tuple[tuple[ForeignKey, ...], dict[Name, set[str]]]:
    """Read the foreign keys of and to the tables in scope, and for each referenced table the indexes they refer to.

    Add `foreign_keys_of_other_databases` to `not_read` if those cannot be read.
    """
    key_columns = session.scoped(_KEY_COLUMNS, "table_schema")
    all_rules = session.scoped(_RULES, "constraint_schema")
    if session.database:
        try:
            more_columns, more_rules = _read_referencing(session)
        except MySQLError as error:
            not_read["foreign_keys_of_other_databases"] = message(error)
        else:
            key_columns += more_columns
            all_rules += more_rules
    columns: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in key_columns:
        columns[row["constraint_schema"], row["table_name"], row["constraint_name"]].append(row)
    rules = {(row["constraint_schema"], row["table_name"], row["constraint_name"]): row for row in all_rules}
    keys: list[ForeignKey] = []
    referenced: dict[Name, set[str]] = defaultdict(set)
    for key, rows in columns.items():
        rows.sort(key=lambda each: int(each["ordinal_position"]))
        found = _foreign_key(rows, rules.get(key, {}))
        keys.append(found)
        if key in rules and rules[key]["unique_constraint_name"]:
            referenced[found.parent_schema, found.parent_table].add(rules[key]["unique_constraint_name"])
    return tuple(keys), referenced


def _read_referencing(session: Session) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the columns and rules of foreign keys of other databases to tables of the session's database."""
    found: list[dict[str, Any]] | None = None
    if session.engine is Engine.MARIADB:
        with contextlib.suppress(MySQLError):
            found = session.scoped(_REFERENCING, decoded("SUBSTRING_INDEX(f.ref_name, '/', 1)"))
    if found is not None:
        others = [row["table_schema"] for row in found if row["table_schema"] != session.database]
        if not others:
            return [], []
        places = ", ".join(["%s"] * len(others))
        listed = [*others, session.database]
        return (
            session.rows(f"{_KEY_COLUMNS} table_schema IN ({places}) AND referenced_table_schema = %s", listed),
            session.rows(f"{_RULES} constraint_schema IN ({places}) AND unique_constraint_schema = %s", listed),
        )
    both = [session.database, session.database]
    return (
        session.rows(f"{_KEY_COLUMNS} referenced_table_schema = %s AND table_schema <> %s", both),
        session.rows(f"{_RULES} unique_constraint_schema = %s AND constraint_schema <> %s", both),
    )


def _foreign_key(rows: Sequence[Mapping[str, Any]], rule: Mapping[str, Any]) -> ForeignKey:
    first = rows[0]
    columns = tuple(row["column_name"] for row in rows)
    name = first["constraint_name"]
    listed = ", ".join(quoted(column) for column in columns)
    table = f"{quoted(first['table_schema'])}.{quoted(first['table_name'])}"
    return ForeignKey(
        schema=first["table_schema"],
        table=first["table_name"],
        name=name,
        columns=columns,
        parent_schema=first["referenced_table_schema"],
        parent_table=first["referenced_table_name"],
        parent_columns=tuple(row["referenced_column_name"] for row in rows),
        on_delete=rule.get("delete_rule", "NO ACTION"),
        on_update=rule.get("update_rule", "NO ACTION"),
        index_statement=f"ALTER TABLE {table} ADD INDEX {quoted(name)} ({listed})",
    )


def in_utc(value: datetime | None) -> datetime | None:
    """Return the time, which comes from a session in UTC, with its time zone."""
    return None if value is None else value.replace(tzinfo=UTC)


def _int(value: Any) -> int | None:
    return None if value is None else int(value)


def _sum(*values: Any) -> int | None:
    known = [int(value) for value in values if value is not None]
    return sum(known) if known else None
