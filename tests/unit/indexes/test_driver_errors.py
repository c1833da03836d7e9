"""A change waits for a broken connection, but a programming error ends the step as it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from optimizer.indexes.change.data_api import DataApiWorker
from optimizer.indexes.change.mysql import MysqlServer
from optimizer.indexes.change.postgresql import PostgresqlServer, explain
from optimizer.indexes.change.session import SessionWorker
from optimizer.indexes.connect.drivers import DatabaseUnreachable


class Failing:
    """A connection whose every use raises `error`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def run(self, *_: Any, **__: Any) -> Any:
        raise self._error

    records = run_long = run

    def close(self) -> None:
        raise self._error


def asked(server: Callable[..., Any], error: Exception) -> None:
    connection: Any = Failing(error)
    server(lambda: connection, lambda: connection).running({"pid": 1, "since": "1", "id": 1, "statement": "x"})


def sent(worker: Callable[[Any], Any], error: Exception) -> None:
    worker(Failing(error)).send("SELECT 1", 5.0)


def session_worker(connection: Any) -> SessionWorker:
    return SessionWorker(connection, {}, explain)


WAYS: list[tuple[Callable[..., None], Callable[..., Any]]] = [
    (asked, PostgresqlServer),
    (asked, partial(MysqlServer, mariadb=False)),
    (sent, session_worker),
    (sent, DataApiWorker),
]


@pytest.mark.parametrize(("use", "made"), WAYS, ids=["PostgreSQL", "MySQL", "session", "Data API"])
def test_programming_error_is_not_a_broken_connection(use: Callable[..., None], made: Callable[..., Any]) -> None:
    with pytest.raises(DatabaseUnreachable, match="the connection broke: cut"):
        use(made, OSError("cut"))
    with pytest.raises(KeyError, match="ours"):
        use(made, KeyError("ours"))
