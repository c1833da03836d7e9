"""PostgreSQL of an Aurora cluster through the RDS Data API: no network to the database, no driver, no connection.

It looks like a connection of the driver to those who read catalogs. Two things differ, and are dealt with here: a call
has a session of its own unless it is in a transaction, so BEGIN and ROLLBACK are calls, and a query outside of one gets
one of its own, whose first statement closes the search path; and an answer holds 1 MiB at the most, so in a transaction
what is selected is fetched in parts. Rows come as the server's own JSON, because there
are types that the API does not know (oid, name). Nothing here is tried again: the steps of a change do that.

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
# The others of ours (SET, PREPARE, DEALLOCATE, ...) look no name up.
_QUERIES = ("SELECT", "WITH")
_STATE = re.compile(r"SQLState: (\w{5})")
_REFUSED = ("AccessDeniedException", "ForbiddenException", "InvalidSecretException", "SecretsErrorException")
# Of the answer, not of the database: too large, or of a type that the API does not know.
_NO_ANSWER = re.compile(r"size limit|unsupported (data )?type", re.IGNORECASE)
_PROGRAM_LIMIT_EXCEEDED = "54000"


class StillRunning(OptimizerError, TimeoutError):
    """The API waits no longer; the statement goes on."""


@dataclass(frozen=True, slots=True)
class Rows:
    """As the driver answers `execute_unnamed`."""

    rows: Sequence[Sequence[Any]]


class DataApiConnection:
    """One database of the cluster `cluster_arn`, as the user whose name and password the secret holds.

    Raises pg8000's DatabaseError with code and message where the server refuses a statement, AccessDenied, and
    Unreachable where the API or the database does not answer (a paused one is woken by being asked)."""

    def __init__(self, client: Callable[[], Any], cluster_arn: str, secret_arn: str, database: str) -> None:
        self._client = client
        self._where = {"resourceArn": cluster_arn, "secretArn": secret_arn}
        self._database = database
        self._transaction: str | None = None
        self._cursors = count(1)

    def run(self, sql: str, **values: Any) -> list[list[Any]]:
        """Run one statement with `:name` for values; the rows."""
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
        """Exactly one statement, which is all that the API takes."""
        return Rows(self._execute(sql, {}))

    def records(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """The rows by column; times and names are texts."""
        if not sql.lstrip().upper().startswith("SELECT"):
            self._execute(sql, values)
            return []
        as_json = f"SELECT to_jsonb(q) FROM ({sql}) q"  # noqa: S608 - a constant text of this package in another
        return [row[0] for row in self._execute(as_json, values)]

    def go_on(self, sql: str) -> None:
        """Run a statement that may take hours; StillRunning when the API waits no longer."""
        self._call("execute_statement", sql=sql, database=self._database, continueAfterTimeout=True)

    def close(self) -> None:
        """End the transaction, if there is one."""
        transaction, self._transaction = self._transaction, None
        if transaction is not None:
            self._call("rollback_transaction", transactionId=transaction)

    def _begin(self, modes: str = "") -> None:
        self._transaction = self._call("begin_transaction", database=self._database)["transactionId"]
        try:
            # It needs no snapshot, so that the isolation level can still be set.
            self._send(search_path.CLOSE_IN_TRANSACTION, {})
            if modes:
                self._send(f"SET TRANSACTION {modes}", {})
                # Sessions are used again, and what somebody prepared may still be there.
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
        """In the transaction that is open; without one a query gets its own, which is taken back."""
        if self._transaction is not None or _command(sql) not in _QUERIES:
            return self._send(sql, values)
        self._begin()
        try:
            return self._send(sql, values)
        finally:
            self.close()

    def _send(self, sql: str, values: Mapping[str, Any]) -> list[list[Any]]:
        of_transaction = {"transactionId": self._transaction} if self._transaction else {"database": self._database}
        answer = self._call(
            "execute_statement",
            sql=sql.strip(),
            parameters=[{"name": name, "value": _field(value)} for name, value in values.items()],
            includeResultMetadata=True,
            **of_transaction,
        )
        types = [column["typeName"] for column in answer.get("columnMetadata", ())]
        return [
            [_value(field, kind) for field, kind in zip(record, types, strict=True)]
            for record in answer.get("records", ())
        ]

    def _call(self, operation: str, **request: Any) -> Any:
        try:
            return getattr(self._client(), operation)(**self._where, **request)
        except ClientError as error:
            raise _explained(error) from error
        except BotoCoreError as error:
            raise DatabaseUnreachable(f"the Data API does not answer: {error}") from error


def _command(sql: str) -> str:
    return sql.split(None, 1)[0].upper()


def _explained(error: ClientError) -> Exception:
    code, text = str(error.response["Error"]["Code"]), str(error.response["Error"]["Message"])
    if code == "StatementTimeoutException":
        return StillRunning(text)
    if code in _REFUSED:
        return AccessDenied(f"the Data API does not let us in ({code}): {text}")
    state = _STATE.search(text)
    # Those that begin with 08 are of the connection between the API and the database.
    if state is not None and not state[1].startswith("08"):
        message = text.partition("; SQLState")[0].removeprefix("ERROR: ")
        return _error(state[1], message)
    if _NO_ANSWER.search(text):
        return _error(_PROGRAM_LIMIT_EXCEEDED, text)
    return DatabaseUnreachable(f"the Data API does not serve the database ({code}): {text}")


def _error(state: str, message: str) -> Exception:
    """As the driver raises it."""
    error: Exception = DatabaseError({"S": "ERROR", "C": state, "M": message})
    return error


def _field(value: Any) -> Any:
    if value is None:
        return {"isNull": True}
    # A bool is an int to Python.
    for kind, name in ((bool, "booleanValue"), (int, "longValue"), (float, "doubleValue"), (str, "stringValue")):
        if isinstance(value, kind):
            return {name: value}
    return {"stringValue": _array(value)}


def _array(values: Sequence[Any]) -> str:
    """As PostgreSQL writes an array, since the API takes none."""
    quoted = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in quoted) + "}"


def _value(field: Mapping[str, Any], kind: str) -> Any:
    if field.get("isNull"):
        return None
    (value,) = field.values()
    if kind in ("json", "jsonb"):
        return json.loads(value)
    return Decimal(value) if kind == "numeric" else value
