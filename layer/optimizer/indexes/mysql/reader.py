"""Reads the catalog of MySQL 8 and 9 and MariaDB 10.6 and later; changes nothing.

The driver is PyMySQL, which is small and pure Python. The columns that exist decide what is read, not the version. A
reader needs SELECT on the tables and, for sizes and counters, SELECT on mysql.innodb_table_stats,
mysql.innodb_index_stats and performance_schema, and PROCESS. Without these rights the catalog lists what was not read.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from pymysql import MySQLError

from optimizer.core import OptimizerError
from optimizer.indexes.model.catalog import Catalog, CatalogServer, StoredCode
from optimizer.indexes.mysql import schema, workload
from optimizer.indexes.mysql.counters import read_counters
from optimizer.indexes.mysql.schema import in_utc
from optimizer.indexes.mysql.session import MysqlTooOld, Session, message

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymysql.connections import Connection

__all__ = ["MysqlTooOld", "NoSuchDatabase", "message", "read_catalog"]

_SETTINGS = (
    *("innodb_", "max_", "tmp_", "table_", "query_cache", "performance_schema", "lower_case_table_names", "userstat"),
    *("read_only", "super_read_only", "log_bin", "binlog_", "thread_", "join_", "sort_", "restrict_fk"),
)


class NoSuchDatabase(OptimizerError, LookupError):
    """The server has no database of this name, or the role may not see it."""


def read_catalog(
    connection: "Connection[Any]",
    *,
    database: str = "",
    node: str | None = None,
    statement_timeout_s: int = 60,
    most_statements: int = 500,
) -> Catalog:
    """Return the catalog of `database`, or of all databases of the server if it is empty.

    node: the name of the server; its own id if None.

    The settings of the connection's session are changed. Raise MysqlTooOld, NoSuchDatabase, and PyMySQL's MySQLError
    where the catalog itself cannot be read.
    """
    not_read: dict[str, str] = {}
    session = Session(connection, database, statement_timeout_s)
    if database and not session.rows("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [database]):
        raise NoSuchDatabase(f"there is no database {database!r}, or the role may not see it")
    variables = session.values_by_name("SHOW GLOBAL VARIABLES")
    status = session.values_by_name("SHOW GLOBAL STATUS")
    counters = read_counters(session, variables, status, not_read)
    foreign_keys, referenced = schema.read_foreign_keys(session, not_read)
    tables = schema.read_tables(session, counters)
    indexes = schema.read_indexes(session, counters, referenced)

    def optional[T](name: str, read: "Callable[[], tuple[T, ...]]") -> tuple[T, ...]:
        try:
            return read()
        except MySQLError as error:
            not_read[name] = message(error)
            return ()

    statements: tuple[Any, ...] = ()
    prepared: tuple[StoredCode, ...] = ()
    if variables.get("performance_schema") != "ON":
        not_read["statements"] = "performance_schema is off"
    else:
        statements = optional("statements", lambda: workload.read_statements(session, most_statements))
        if "statements" not in not_read and not workload.has_all_statements(session):
            not_read["statements"] = "performance_schema was full: the most recent statements are missing"
        prepared = optional("prepared_statements", lambda: workload.read_prepared_statements(session))
        if unknown := workload.why_prepared_unknown(session, status):
            not_read["prepared_statements"] = unknown
    stored_code = optional("stored_code", lambda: workload.read_stored_code(session))
    if "stored_code" not in not_read and (unknown := workload.why_routines_unknown(session)):
        not_read["stored_code"] = unknown
    return Catalog(
        server=_server(session, variables, status, node, uses_userstat=variables.get("performance_schema") != "ON"),
        tables=tables,
        indexes=indexes,
        foreign_keys=foreign_keys,
        statements=statements,
        stored_code=(*stored_code, *prepared),
        not_read=not_read,
    )


def _server(
    session: Session,
    variables: "Mapping[str, str]",
    status: "Mapping[str, str]",
    node: str | None,
    *,
    uses_userstat: bool,
) -> CatalogServer:
    read_at = in_utc(session.rows("SELECT UTC_TIMESTAMP(3) AS now")[0]["now"])
    assert isinstance(read_at, datetime)  # noqa: S101  UTC_TIMESTAMP() is never NULL
    started_at = read_at - timedelta(seconds=int(status["uptime"]))
    own = variables.get("aurora_server_id") or variables.get("server_uuid") or variables.get("server_uid")
    return CatalogServer(
        engine=session.engine,
        version=session.version,
        database=session.database,
        node=node or own or f"{variables.get('hostname')}:{variables.get('port')}",
        read_at=read_at,
        is_replica=any(variables.get(name) == "ON" for name in ("read_only", "super_read_only", "innodb_read_only")),
        is_aurora="aurora_version" in variables,
        started_at=started_at,
        # userstat can be switched on at any time and has not counted before.
        counted_since=None if uses_userstat else started_at,
        block_bytes=int(variables.get("innodb_page_size", 16384)),
        settings={name: value for name, value in variables.items() if name.startswith(_SETTINGS)},
    )
