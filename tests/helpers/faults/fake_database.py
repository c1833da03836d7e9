"""Imitate a database server in memory, for faults outside SQL; those of SQL are tested on real servers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from optimizer.core.change import Change
from optimizer.indexes.change.server import Conditions, Job, State, StatementProgress, StatementTimes
from optimizer.indexes.model.catalog import Catalog, CatalogServer, Engine, Index, KeyPart, Table

from tests.helpers.faults.stage import NOW

NAME = ("shop", "orders")
INDEX = "by_customer"
DEFINITION = "CREATE INDEX by_customer ON orders (customer)"
_STATEMENTS: dict[Job, dict[str, bool]] = {
    Job.HIDE: {"visible": False},
    Job.SHOW: {"visible": True},
    Job.DROP: {"there": False},
    Job.CREATE: {"there": True, "visible": True},
}


@dataclass(frozen=True)
class FakeServer:
    """A MySQL with one table.

    `index` is whether its index exists and is visible; `connect` asks for a connection.
    """

    index: dict[str, bool]
    connect: Callable[[], object]

    def look(self, schema: str, table: str, index: str, _job: Job) -> State | None:
        self.connect()
        if not index:
            return State(schema, table, "", 10**6, "m", table_oid=1)
        if not self.index["there"]:
            return None
        visible = self.index["visible"]
        return State(schema, table, index, 10**6, "m", DEFINITION, DEFINITION, is_visible=visible, table_oid=1)

    def conditions(self, _state: State) -> Conditions:
        return Conditions()

    def statement(self, job: Job, _change: Change, _state: State | None) -> str:
        return job.value

    def worker(self, _lock_timeout_ms: int) -> "FakeServer":
        return self

    def session(self, _statement: str) -> dict[str, Any]:
        return {"id": 1}

    def send(self, statement: str, _within_s: float) -> bool:
        self.index.update(_STATEMENTS[Job(statement)])
        return True

    def close(self) -> None:
        pass

    def running(self, _session: Mapping[str, Any]) -> StatementProgress | None:
        return None

    def cancel(self, _session: Mapping[str, Any]) -> None:
        pass

    def leftovers(self, _state: State, _job: Job) -> list[State]:
        return []

    def times(self, _state: State) -> Mapping[str, StatementTimes]:
        return {}

    def missed(self, _state: State, _max_slowdown: float) -> str:
        return ""


def catalog() -> Catalog:
    """Return the table with its index, and another index that is the same."""
    server = CatalogServer(Engine.MYSQL, (8, 4, 0), "shop", "n", NOW, counted_since=NOW - timedelta(days=99))
    same = [
        Index(*NAME, name, "btree", (KeyPart("customer", "customer"),), DEFINITION, size_bytes=10**6, scans=1)
        for name in (INDEX, "by_customer_too")
    ]
    return Catalog(server, (Table(*NAME, storage_engine="InnoDB", size_bytes=10**7, rows=1e5),), tuple(same))
