"""Aurora PostgreSQL through the RDS Data API: no network to the database, no driver, no connection.

DataApiConnection looks like a connection of the driver to the code that reads catalogs. It handles two differences.
First, a call has a session of its own unless it is in a transaction: BEGIN and ROLLBACK are calls, and a query outside
a transaction gets one of its own, whose first statement closes the search path. Second, a response holds at most 1 MiB:
in a transaction rows are fetched in parts. Rows are read as the server's JSON, because the API does not know all types
(oid, name). Nothing is retried here: the steps of a change do that.

Source: "Using the Amazon RDS Data API", Amazon Aurora user guide; API reference of rds-data, 2018-08-01.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from pg8000.exceptions import DatabaseError

from optimizer.core import OptimizerError
from optimizer.indexes.connect import search_path
from optimizer.indexes.connect.drivers import AccessDenied, DatabaseUnreachable

# A row may be 64 KiB; most are a tenth of it.
_ROWS_AT_ONCE = 20
# The other statements of this application (SET, PREPARE, DEALLOCATE, ...) look up no names.
_QUERIES = ("SELECT", "WITH")
_STATE = re.compile(r"SQLState: (\w{5})")
_REFUSED = ("AccessDeniedException", "ForbiddenException", "InvalidSecretException", "SecretsErrorException")
# Problems of the response, not of the database: too large, or of a type that the API does not know.
_UNUSABLE_RESPONSE = re.compile(r"size limit|unsupported (data )?type", re.IGNORECASE)
_PROGRAM_LIMIT_EXCEEDED = "54000"


class StillRunning(OptimizerError, TimeoutError):
    """The API no longer waits for a statement that is still running."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one statement, as `execute_unnamed` of the driver returns them."""

    rows: Sequence[Sequence[Any]]


class DataApiConnection:
    """One database of the cluster `cluster_arn`, used with the name and password in the secret.

    Methods raise pg8000's DatabaseError with code and message if the server rejects a statement, AccessDenied, and
    DatabaseUnreachable if the API or the database does not respond (a request resumes a paused database)."""

    def __init__(self, client: Callable[[], Any], cluster_arn: str, secret_arn: str, database: str) -> None:
        self._client = client
        self._where = {"resourceArn": cluster_arn, "secretArn": secret_arn}
        self._database = database
        self._transaction: str | None = None
        self._cursors = count(1)

    def run(self, sql: str, **values: Any) -> list[list[Any]]:
        """Run one statement with `:name` for values and return its rows."""
        command = _command(sql)
        if command == "BEGIN":
            self._begin(sql.split(None, 1)[1])
            return []
        if command == "ROLLBACK":
            self.close()
            return []
        if self._transaction is not None and command in _QUERIES:
            return list(self._in_parts(sql, values))
        return self._execute(sql, values)

    def execute_unnamed(self, sql: str) -> Rows:
        """Run exactly one statement, because the API accepts no more, and return its rows."""
        return Rows(self._execute(sql, {}))

    def records(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Run one statement and return its rows by column; times and names are texts."""
        if not sql.lstrip().upper().startswith("SELECT"):
            self._execute(sql, values)
            return []
        as_json = f"SELECT to_jsonb(q) FROM ({sql}) q"  # noqa: S608 - a constant text of this package in another
        return [row[0] for row in self._execute(as_json, values)]

    def run_long(self, sql: str) -> None:
        """Run a statement that may take hours; raise StillRunning when the API no longer waits for it."""
        self._call("execute_statement", sql=sql, database=self._database, continueAfterTimeout=True)

    def close(self) -> None:
        """End the transaction, if there is one."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._call("rollback_transaction", transactionId=transaction)

    def _begin(self, modes: str = "") -> None:
        self._transaction = self._call("begin_transaction", database=self._database)["transactionId"]
        try:
            # This takes no snapshot, so that the isolation level can still be set.
            self._send(search_path.CLOSE_IN_TRANSACTION, {})
            if modes:
                self._send(f"SET TRANSACTION {modes}", {})
                # The API reuses sessions, which may still hold prepared statements.
                self._send("DEALLOCATE ALL", {})
        except BaseException:
            self.close()
            raise

    def _in_parts(self, sql: str, values: Mapping[str, Any]) -> Iterator[list[Any]]:
        cursor = f"optimizer_{next(self._cursors)}"
        self._execute(f"DECLARE {cursor} NO SCROLL CURSOR FOR {sql}", values)
        while True:
            rows = self._execute(f"FETCH {_ROWS_AT_ONCE} FROM {cursor}", {})
            yield from rows
            if len(rows) < _ROWS_AT_ONCE:
                break
        self._execute(f"CLOSE {cursor}", {})

    def _execute(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        """Run a statement in the open transaction; without one a query gets its own, which is rolled back."""
        if self._transaction is not None or _command(sql) not in _QUERIES:
            return self._send(sql, values)
        self._begin()
        try:
            return self._send(sql, values)
        finally:
            self.close()

    def _send(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        scope = {"transactionId": self._transaction} if self._transaction else {"database": self._database}
        response = self._call(
            "execute_statement",
            sql=sql.strip(),
            parameters=[{"name": name, "value": _field(value)} for name, value in values.items()],
            includeResultMetadata=True,
            **scope,
        )
        types = [column["typeName"] for column in response.get("columnMetadata", ())]
        return [
            [_value(field, kind) for field, kind in zip(record, types, strict=True)]
            for record in response.get("records", ())
        ]

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client(), operation)(**self._where, **request)
        except ClientError as error:
            raise _translated(error) from error
        except BotoCoreError as error:
            raise DatabaseUnreachable(f"the Data API does not respond: {error}") from error


def _command(sql: str) -> str:
    return sql.split(None, 1)[0].upper()


def _translated(error: ClientError) -> Exception:
    code, text = str(error.response["Error"]["Code"]), str(error.response["Error"]["Message"])
    if code == "StatementTimeoutException":
        return StillRunning(text)
    if code in _REFUSED:
        return AccessDenied(f"the Data API does not accept the credentials ({code}): {text}")
    state = _STATE.search(text)
    # States that begin with 08 belong to the connection between the API and the database.
    if state is not None and not state[1].startswith("08"):
        message = text.partition("; SQLState")[0].removeprefix("ERROR: ")
        return _error(state[1], message)
    if _UNUSABLE_RESPONSE.search(text):
        return _error(_PROGRAM_LIMIT_EXCEEDED, text)
    return DatabaseUnreachable(f"the Data API cannot use the database ({code}): {text}")


def _error(state: str, message: str) -> Exception:
    """Return the error that the driver raises for a rejected statement."""
    error: Exception = DatabaseError({"S": "ERROR", "C": state, "M": message})
    return error


def _field(value: Any) -> Any:
    if value is None:
        return {"isNull": True}
    # The order matters: a bool is an int in Python.
    for kind, name in ((bool, "booleanValue"), (int, "longValue"), (float, "doubleValue"), (str, "stringValue")):
        if isinstance(value, kind):
            return {name: value}
    return {"stringValue": _array(value)}


def _array(values: Sequence[Any]) -> str:
    """Return the text of a PostgreSQL array, because the API does not accept arrays."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _value(field: Mapping[str, Any], kind: str) -> Any:
    if field.get("isNull"):
        return None
    (value,) = field.values()
    if kind in ("json", "jsonb"):
        return json.loads(value)
    return Decimal(value) if kind == "numeric" else value
