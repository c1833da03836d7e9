"""Reads the counters of MySQL and MariaDB: sizes, statistics and use of tables and indexes.

What cannot be read is None and is listed; a count is zero only where the server really counts.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

from pymysql import MySQLError

from optimizer.indexes.model.catalog import Engine
from optimizer.indexes.mysql.session import Session, message

type Name = tuple[str, str]

_PARTITION = re.compile("#[pP]#")

# The queries that end with AND are completed by Session.scoped.
_INDEX_STATISTICS = """
SELECT database_name, table_name, index_name, stat_name, stat_value, stat_description
FROM mysql.innodb_index_stats
WHERE stat_name IN ('size', 'n_diff_pfx01')
  AND
"""
# MySQL joins these views without an index, so they are read one by one.
_MYSQL_SPACES = "SELECT space, name FROM information_schema.innodb_tablespaces WHERE"
_MYSQL_TABLES = "SELECT table_id, space FROM information_schema.innodb_tables WHERE space_type = 'Single'"
_MYSQL_LIVE_ROWS = "SELECT table_id, num_rows, modified_counter FROM information_schema.innodb_tablestats"


def decoded(name: str) -> str:
    """Return the expression for a name that MariaDB's InnoDB encodes as in file names."""
    return f"CONVERT(CONVERT(CAST({name} AS BINARY) USING filename) USING utf8mb4)"


_MARIADB_LIVE_ROWS = f"""
SELECT {decoded("SUBSTRING_INDEX(t.name, '/', 1)")} AS table_schema,
       {decoded("SUBSTRING_INDEX(SUBSTRING_INDEX(t.name, '/', -1), '#P#', 1)")} AS table_name,
       t.space,
       x.num_rows,
       x.modified_counter
FROM information_schema.innodb_sys_tables t
JOIN information_schema.innodb_sys_tablestats x USING (table_id)
WHERE
"""  # noqa: S608 - constants
_INDEX_USES = """
SELECT object_schema, object_name, index_name, count_star
FROM performance_schema.table_io_waits_summary_by_index_usage
WHERE object_type = 'TABLE'
  AND
"""
_TABLE_USES = """
SELECT object_schema, object_name, count_read, count_insert, count_update, count_delete
FROM performance_schema.table_io_waits_summary_by_table
WHERE object_type = 'TABLE'
  AND
"""
_COUNTED_OBJECTS = """
SELECT object_schema, object_name, enabled
FROM performance_schema.setup_objects
WHERE object_type = 'TABLE'
"""


@dataclass(slots=True)
class Counters:
    """The counters of a server, by (schema, table) or (schema, table, index).

    tables: n_rows, last_update, num_rows, modified, shares_tablespace.
    work: the rows that were scanned, read by_index, inserted, updated and deleted.
    index_pages: the sizes of indexes in pages.
    distinct: the number of different values in the first column (in lower case) of an index.
    uses: the reads through each index; None where they are not counted.
    uncounted: returns True for a table whose uses are not counted.
    """

    page_bytes: int
    tables: dict[Name, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    work: dict[Name, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    index_pages: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    distinct: dict[tuple[str, str, str], float] = field(default_factory=dict)
    uses: dict[tuple[str, str, str], int] | None = None
    uncounted: Callable[[str, str], bool] = lambda _schema, _table: False

    def scans(self, schema: str, table: str, index: str) -> int | None:
        """Return the number of reads through the index since the counters were reset; None if they are not counted."""
        if self.uses is None or self.uncounted(schema, table):
            return None
        return self.uses.get((schema, table, index), 0)


def read_counters(
    session: Session, variables: Mapping[str, str], status: Mapping[str, str], not_read: dict[str, str]
) -> Counters:
    """Return all counters; add those that cannot be read to `not_read`: `sizes`, `table_statistics`, `usage`."""
    counters = Counters(page_bytes=int(variables.get("innodb_page_size", 16384)))

    def attempt(name: str, read: Callable[[], None]) -> None:
        try:
            read()
        except MySQLError as error:
            not_read[name] = message(error)

    query = "SELECT table_schema, table_name FROM information_schema.tables WHERE"
    names = {(row["table_schema"], row["table_name"]) for row in session.scoped(query, "table_schema")}
    attempt("sizes", lambda: _sizes(session, counters, names))
    attempt("table_statistics", lambda: _innodb_tables(session, counters, names))
    why_not = _why_uncounted(variables, status)
    if why_not is None:
        attempt("usage", lambda: _usage(session, counters))
    elif variables.get("userstat") == "ON":
        attempt("usage", lambda: _userstat(session, counters))
    else:
        not_read["usage"] = why_not
    return counters


def find_owner(name: Name, names: Collection[Name]) -> Name:
    """Return the table that a partition belongs to; a table that is only named like a partition is itself."""
    starts = [mark.start() for mark in _PARTITION.finditer(name[1])] if name not in names else []
    owners = ((name[0], name[1][:start]) for start in reversed(starts))
    return next((owner for owner in owners if owner in names), name)


def _sizes(session: Session, counters: Counters, names: set[Name]) -> None:
    for row in session.scoped("SELECT * FROM mysql.innodb_table_stats WHERE", "database_name"):
        table = counters.tables[find_owner((row["database_name"], row["table_name"]), names)]
        table["n_rows"] = table.get("n_rows", 0) + int(row["n_rows"])
        updated = row["last_update"].replace(tzinfo=UTC)
        table["last_update"] = min(table.get("last_update", updated), updated)
    for row in session.scoped(_INDEX_STATISTICS, "database_name"):
        name = find_owner((row["database_name"], row["table_name"]), names)
        if row["stat_name"] == "n_diff_pfx01":
            column = (*name, str(row["stat_description"]).lower())
            counters.distinct[column] = max(counters.distinct.get(column, 0.0), float(row["stat_value"]))
            continue
        counters.index_pages[*name, row["index_name"]] += int(row["stat_value"])


def _innodb_tables(session: Session, counters: Counters, names: set[Name]) -> None:
    """Read the live number of rows, and the rows modified since the last statistics. Needs PROCESS."""
    if session.engine is Engine.MYSQL:
        # INNODB_TABLES encodes its names as in file names; the names of tablespaces are plain and equal the table's.
        paths = {
            row["space"]: str(row["name"]) for row in session.scoped(_MYSQL_SPACES, "SUBSTRING_INDEX(name, '/', 1)")
        }
        found = {row["table_id"]: paths[row["space"]] for row in session.rows(_MYSQL_TABLES) if row["space"] in paths}
        for row in session.rows(_MYSQL_LIVE_ROWS) if found else ():
            schema, _, table = found.get(row["table_id"], "").partition("/")
            name = find_owner((schema, table), names)
            if name in names:
                _add_live(counters, name, row, shares=False)
        # Tables in general tablespaces and in the system's cannot be found by name: all other tables share one.
        for name in names - counters.tables.keys():
            counters.tables[name]["shares_tablespace"] = True
        for name in names:
            counters.tables[name].setdefault("shares_tablespace", True)
        return
    for row in session.scoped(_MARIADB_LIVE_ROWS, decoded("SUBSTRING_INDEX(t.name, '/', 1)")):
        name = row["table_schema"], row["table_name"]
        if name in names:
            _add_live(counters, name, row, shares=int(row["space"]) == 0)


def _add_live(counters: Counters, name: Name, row: Mapping[str, Any], *, shares: bool) -> None:
    table = counters.tables[name]
    table["shares_tablespace"] = shares
    # MySQL does not count the rows of partitions.
    if row["num_rows"] is not None:
        table["num_rows"] = table.get("num_rows", 0) + int(row["num_rows"])
        table["modified"] = table.get("modified", 0) + int(row["modified_counter"])


def _why_uncounted(variables: Mapping[str, str], status: Mapping[str, str]) -> str | None:
    if variables.get("performance_schema") != "ON":
        return "performance_schema is off"
    lost = [
        name
        for name in ("index_stat_lost", "table_instances_lost")
        if status.get(f"performance_schema_{name}", "0") != "0"
    ]
    return f"performance_schema ran out of room ({', '.join(lost)})" if lost else None


def _usage(session: Session, counters: Counters) -> None:
    instruments = session.rows(
        "SELECT enabled FROM performance_schema.setup_instruments WHERE name = 'wait/io/table/sql/handler'"
    )
    consumers = session.rows(
        "SELECT enabled FROM performance_schema.setup_consumers WHERE name = 'global_instrumentation'"
    )
    if not all(row["enabled"] == "YES" for row in (*instruments, *consumers)):
        raise MySQLError(0, "performance_schema does not count reads of tables: wait/io/table/sql/handler is off")
    counters.uncounted = _objects(session)
    counters.uses = {}
    for row in session.scoped(_INDEX_USES, "object_schema"):
        name, uses = (row["object_schema"], row["object_name"]), int(row["count_star"])
        if row["index_name"] is not None:
            counters.uses[*name, row["index_name"]] = uses
            counters.work[name]["by_index"] = counters.work[name].get("by_index", 0) + uses
    for row in session.scoped(_TABLE_USES, "object_schema"):
        work = counters.work[row["object_schema"], row["object_name"]]
        work["inserted"], work["updated"] = int(row["count_insert"]), int(row["count_update"])
        work["deleted"] = int(row["count_delete"])
        work["scanned"] = max(0, int(row["count_read"]) - work.get("by_index", 0))


def _objects(session: Session) -> Callable[[str, str], bool]:
    """Return a test for tables that are not counted, which the most specific row of the setup decides."""
    rows = session.rows(_COUNTED_OBJECTS)
    enabled = {(row["object_schema"], row["object_name"]): row["enabled"] == "YES" for row in rows}

    def uncounted(schema: str, table: str) -> bool:
        fitting = [enabled[key] for key in ((schema, table), (schema, "%"), ("%", "%")) if key in enabled]
        return not fitting or not fitting[0]

    return uncounted


def _userstat(session: Session, counters: Counters) -> None:
    """Read MariaDB's own counters, which have no row for an index that was never read."""
    query = "SELECT table_schema, table_name, index_name, rows_read FROM information_schema.index_statistics WHERE"
    rows = session.scoped(query, "table_schema")
    counters.uses = {(row["table_schema"], row["table_name"], row["index_name"]): int(row["rows_read"]) for row in rows}
    query = "SELECT table_schema, table_name, rows_read, rows_changed FROM information_schema.table_statistics WHERE"
    for row in session.scoped(query, "table_schema"):
        work = counters.work[row["table_schema"], row["table_name"]]
        work["updated"], work["scanned"] = int(row["rows_changed"]), int(row["rows_read"])
