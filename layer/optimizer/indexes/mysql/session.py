"""Reads from MySQL or MariaDB over a connection: rows as dictionaries, short waits, times in UTC."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pymysql import MySQLError

from optimizer.core import OptimizerError
from optimizer.indexes.model.catalog import Engine
from optimizer.indexes.mysql.create_table import SYSTEM_SCHEMAS

if TYPE_CHECKING:
    from pymysql.connections import Connection

_OLDEST = {Engine.MYSQL: (8, 0), Engine.MARIADB: (10, 6)}


class MysqlTooOld(OptimizerError, ValueError):
    """The server is older than MySQL 8.0 or MariaDB 10.6."""


class Session:
    """A session that reads one database or, if `database` is empty, all databases except the server's own.

    It raises MysqlTooOld for an unsupported version, and PyMySQL's MySQLError where the server rejects a query or
    does not respond.
    """

    def __init__(self, connection: "Connection[Any]", database: str, statement_timeout_s: int) -> None:
        self._connection = connection
        self.database = database
        text = str(self.rows("SELECT VERSION() AS version")[0]["version"])
        self.engine = Engine.MARIADB if "mariadb" in text.lower() else Engine.MYSQL
        self.version = _version(text)
        if self.version < _OLDEST[self.engine]:
            oldest = ".".join(map(str, _OLDEST[self.engine]))
            raise MysqlTooOld(f"{self.engine} {text} is not supported: {oldest} or later is needed")
        settings = "sql_mode = '', time_zone = '+00:00', sql_quote_show_create = 1, lock_wait_timeout = 3"
        if self.engine is Engine.MARIADB:
            self.rows(f"SET SESSION {settings}, max_statement_time = %s", [statement_timeout_s])
        else:
            # Without this setting the sizes and numbers of rows are up to a day old.
            own = "information_schema_stats_expiry = 0, max_execution_time = %s"
            self.rows(f"SET SESSION {settings}, {own}", [1000 * statement_timeout_s])

    def rows(self, query: str, arguments: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Return the rows, with their column names in lower case."""
        with self._connection.cursor() as cursor:
            cursor.execute(query, list(arguments) or None)
            names = [column[0].lower() for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def scoped(self, query: str, column: str) -> list[dict[str, Any]]:
        """Return the rows of `query` that belong to the session's databases.

        The query ends where the condition on the schema follows, which is in `column`. No part of it comes from outside
        this package.
        """
        names = [self.database] if self.database else list(SYSTEM_SCHEMAS)
        test = "IN" if self.database else "NOT IN"
        places = ", ".join(["%s"] * len(names))
        return self.rows(f"{query} ({column} {test} ({places}))", names)

    def grants(self) -> list[str]:
        """Return the GRANT statements of the session's user, with the rights of its active roles."""
        roles = self.rows("SELECT CURRENT_ROLE() AS roles")[0]["roles"]
        using = f" USING {roles}" if self.engine is Engine.MYSQL and roles not in (None, "NONE") else ""
        return [str(value) for row in self.rows(f"SHOW GRANTS FOR CURRENT_USER(){using}") for value in row.values()]

    def values_by_name(self, query: str) -> Mapping[str, str]:
        """Return the values that SHOW VARIABLES or SHOW STATUS gives, by name in lower case."""
        return {str(row["variable_name"]).lower(): str(row["value"]) for row in self.rows(query)}


def message(error: MySQLError) -> str:
    """Return the server's own message, with its code."""
    return f"{error.args[1]} ({error.args[0]})" if len(error.args) > 1 else str(error)


def _version(text: str) -> tuple[int, ...]:
    """Return the numbers of `8.0.36-28` or `10.11.6-MariaDB-log`, without the prefix 5.5.5- of replication."""
    found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", text)
    return tuple(int(number) for number in found.groups()) if found else ()
