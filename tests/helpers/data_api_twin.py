"""Imitate the RDS Data API over a real PostgreSQL, as its user's guide describes it.

Each call outside a transaction has a session of its own; parameters are typed, responses know few types and at most 1
MiB, and statements may continue after their call.
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import botocore.session
from botocore.exceptions import ClientError
from botocore.validate import validate_parameters
from pg8000.exceptions import DatabaseError
from pg8000.native import Connection

_MOST_BYTES = 1 << 20
_ANSWERS_WITHIN_S = 45.0
# OIDs of pg_type: name in the metadata, field.
_TYPES = {
    16: ("bool", "booleanValue"),
    20: ("int8", "longValue"),
    21: ("int2", "longValue"),
    23: ("int4", "longValue"),
    25: ("text", "stringValue"),
    114: ("json", "stringValue"),
    700: ("float4", "doubleValue"),
    701: ("float8", "doubleValue"),
    1043: ("varchar", "stringValue"),
    1184: ("timestamptz", "stringValue"),
    1700: ("numeric", "stringValue"),
    2278: ("void", "stringValue"),
    3802: ("jsonb", "stringValue"),
}
_PARAMETERS = {"stringValue": 1043, "longValue": 20, "doubleValue": 701, "booleanValue": 16, "isNull": 1043}
_MODEL = botocore.session.get_session().get_service_model("rds-data")


@dataclass
class DataApiTwin:
    """A client of the service.

    `connect` opens a new session of a database. `goes_on_after_s` is the wait for the response to a statement that may
    continue (45 s in the real one; others are cancelled then). `calls` holds the operations and statements so far.
    `refuse` is a code that every call fails with.
    """

    connect: Callable[[str], Connection]
    goes_on_after_s: float = _ANSWERS_WITHIN_S
    calls: list[tuple[str, str]] = field(default_factory=list)
    refuse: str = ""
    _sessions: dict[str, Connection] = field(default_factory=dict)

    def begin_transaction(self, **request: Any) -> dict[str, Any]:
        self._check("BeginTransaction", request)
        name = f"transaction-{len(self.calls)}"
        self._sessions[name] = _session(self.connect, request["database"])
        self._sessions[name].run("BEGIN")
        return {"transactionId": name}

    def rollback_transaction(self, **request: Any) -> dict[str, Any]:
        self._check("RollbackTransaction", request)
        session = self._sessions.pop(request["transactionId"])
        session.run("ROLLBACK")
        session.close()
        return {"transactionStatus": "Rollback Complete"}

    def execute_statement(self, **request: Any) -> dict[str, Any]:
        self._check("ExecuteStatement", request)
        if "transactionId" in request:
            return _answer(self._sessions[request["transactionId"]], request)
        session = _session(self.connect, request["database"])
        made: list[Any] = []

        def work() -> None:
            try:
                made.append(_answer(session, request))
            except ClientError as error:
                made.append(error)
            finally:
                session.close()

        thread = threading.Thread(target=work)
        thread.start()
        goes_on = bool(request.get("continueAfterTimeout"))
        thread.join(self.goes_on_after_s if goes_on else _ANSWERS_WITHIN_S)
        if thread.is_alive():
            if not goes_on:
                raise AssertionError(f"this would be cancelled: {request['sql']}")
            raise _error("StatementTimeoutException", "Request timed out", "ExecuteStatement")
        if isinstance(made[0], ClientError):
            raise made[0]
        return dict(made[0])

    def open_transactions(self) -> int:
        """Return the number of transactions that nobody has ended."""
        return len(self._sessions)

    def _check(self, operation: str, request: dict[str, Any]) -> None:
        validate_parameters(request, _MODEL.operation_model(operation).input_shape)
        self.calls.append((operation, request.get("sql", "")))
        if self.refuse:
            raise _error(self.refuse, "the twin was told so", operation)


def _session(connect: Callable[[str], Connection], database: str) -> Connection:
    session = connect(database)
    # Values are sent as text, so that their type alone decides how the server reads them.
    for kind in _TYPES:
        session.register_in_adapter(kind, str)
    return session


def _answer(session: Connection, request: dict[str, Any]) -> dict[str, Any]:
    values = {one["name"]: one["value"] for one in request.get("parameters", ())}
    types = {name: _PARAMETERS[next(iter(value))] for name, value in values.items()}
    given = {name: None if "isNull" in value else next(iter(value.values())) for name, value in values.items()}
    for name, value in given.items():
        if not re.search(rf"(?<!:):{name}\b", request["sql"]):
            raise _error("BadRequestException", f"Named parameter {name} = {value} is not in the statement")
    try:
        rows, columns = _run(session, request["sql"], types, given)
    except DatabaseError as refused:
        says = refused.args[0]
        raise _error("DatabaseErrorException", f"ERROR: {says['M']}; SQLState: {says['C']}") from refused
    for column in columns:
        if column["type_oid"] not in _TYPES and rows:
            raise _error("UnsupportedResultException", f"The result contains the unsupported data type {column}.")
    kinds = [_TYPES.get(column["type_oid"], ("?", "")) for column in columns]
    records = [[_field(value, kind[1]) for value, kind in zip(row, kinds, strict=True)] for row in rows]
    if len(repr(records).encode()) > _MOST_BYTES:
        raise _error("BadRequestException", "Database returned more than the allowed response size limit")
    metadata = [{"name": column["name"], "typeName": kind[0]} for column, kind in zip(columns, kinds, strict=True)]
    return {"records": records, "columnMetadata": metadata, "numberOfRecordsUpdated": 0}


def _run(session: Connection, sql: str, types: dict[str, int], given: dict[str, Any]) -> tuple[list[Any], list[Any]]:
    """Return rows and columns; the extended protocol takes one statement and no more."""
    if given:
        return session.run(sql, types=types, **given) or [], session.columns or []
    answer = session.execute_unnamed(sql)
    return answer.rows or [], answer.columns or []


def _field(text: str | None, name: str) -> dict[str, Any]:
    if text is None:
        return {"isNull": True}
    read: dict[str, Callable[[str], Any]] = {
        "booleanValue": lambda one: one == "t",
        "longValue": int,
        "doubleValue": float,
    }
    return {name: read.get(name, str)(text)}


def _error(code: str, message: str, operation: str = "ExecuteStatement") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)
