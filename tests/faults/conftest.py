"""Provide one table on a real server, and changes of its indexes run by the code of the acting Lambda."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from local_account.memory_run_store import MemoryRunStore
from local_account.servers.mysql_family import PASSWORD as MYSQL_PASSWORD, USER
from local_account.servers.postgresql import PASSWORD, SUPERUSER
from optimizer import guardrails
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.guardrails import calendar
from optimizer.indexes.change import job as jobs, server_for
from optimizer.indexes.change.change import IndexHooks
from optimizer.indexes.change.progress import IndexProgress
from optimizer.indexes.change.server import Job, Machine
from optimizer.indexes.connect import drivers
from optimizer.indexes.connect.pool import Connections
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Database, Indexes, Policy

from tests.helpers.data_api_twin import DataApiTwin
from tests.helpers.faults.samples import VARIABLES
from tests.helpers.faults.stage import Stage, stage

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIMITS = Indexes(lock_timeout_ms=300, max_transaction_s=3600, watch_minutes=(30,), hidden_days=1)
TABLE = {
    "postgresql": (
        'CREATE SCHEMA "Shop""s"',
        'CREATE TABLE "Shop""s"."Ta ble" (id int PRIMARY KEY, a int, b text)',
        'INSERT INTO "Shop""s"."Ta ble" SELECT n, n % 1000, md5(n::text) FROM generate_series(1, {rows}) n',
        'CREATE INDEX "I ndex" ON "Shop""s"."Ta ble" (a, b)',
    ),
    "mysql": (
        "CREATE TABLE `Ta ble` (id int PRIMARY KEY, a int, b varchar(40))",
        "INSERT INTO `Ta ble` WITH RECURSIVE n AS (SELECT 1 AS v UNION ALL SELECT v + 1 FROM n WHERE v < {rows})"
        " SELECT v, v % 1000, LEFT(SHA2(v, 256), 40) FROM n",
        "CREATE INDEX `I ndex` ON `Ta ble` (a, b)",
    ),
}


RECURSION = {"mysql": "cte_max_recursion_depth", "mariadb": "max_recursive_iterations"}


class Killed(BaseException):
    """The end of the process, which no code under test may catch."""


@dataclass
class Turns:
    """A stand-in for ActingRecords, in memory."""

    holder: dict[str, str] = field(default_factory=dict)
    builds: set[tuple[str, str, int]] = field(default_factory=set)

    def take_turn(self, cluster: str, change_id: str, _now: datetime) -> bool:
        return self.holder.setdefault(cluster, change_id) == change_id

    def end_turn(self, cluster: str, change_id: str, _now: datetime) -> None:
        if self.holder.get(cluster) == change_id:
            del self.holder[cluster]

    def record_build(self, database: str, shape: str, table_oid: int, _change_id: str, _now: datetime) -> None:
        self.builds.add((database, shape, table_oid))

    def began(self, database: str, shape: str, table_oid: int) -> bool:
        return (database, shape, table_oid) in self.builds


class Secret:
    """A stand-in for Secrets Manager."""

    def __init__(self, user: str, password: str) -> None:
        self.text, self.asked = json.dumps({"username": user, "password": password, "host": "127.0.0.1"}), 0

    def get_secret_value(self, **_: str) -> dict[str, str]:
        self.asked += 1
        return {"SecretString": self.text}


@dataclass
class Scene:
    """A database with one table and one index, and the life of changes on it. `now` is the clock of the changes."""

    running: Any
    database: Database
    schema: str
    limits: Indexes = LIMITS
    table: str = "Ta ble"
    index: str = "I ndex"
    now: datetime = NOW
    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    turns: Turns = field(default_factory=Turns)
    machine: Machine = field(default_factory=Machine)
    pool: Connections = field(init=False)

    def __post_init__(self) -> None:
        user = (SUPERUSER, PASSWORD) if self.is_postgresql else (USER, MYSQL_PASSWORD)
        self.secret = Secret(*user)
        self.pool = Connections(lambda: self.secret, lambda: None, lambda _key: "")

    @property
    def is_postgresql(self) -> bool:
        return self.database.engine == "postgresql"

    @property
    def server(self) -> Any:
        return server_for(self.database, self.pool)

    def environment(self) -> Lifecycle[IndexProgress]:
        """Return the acting code in a new execution environment, which knows only the records."""
        self.pool.forget(self.database)
        policy = Policy(indexes=self.limits)
        hooks = IndexHooks(
            store=self.store,
            records=self.turns,
            server=self.server,
            database=self.database,
            limits=self.limits,
            recheck=lambda change, live, now: guardrails.recheck(change, live, policy, now),
            may_start=lambda now: calendar.closed(policy, now, Tuner.INDEXES),
            machine=lambda _now: self.machine,
            remaining_ms=lambda: 300_000.0,
        )
        return Lifecycle(self.store, hooks)

    def look(self, index: str | None = None, job: Job = Job.DROP) -> Any:
        return self.server.look(self.schema, self.table, self.index if index is None else index, job)

    def change(self, action: str, *, index: str | None = None, run_id: str = "run-1", **parts: Any) -> Change:
        """Record an approved change as a run would."""
        index = self.index if index is None else index
        live = self.look(index, Job.REBUILD if action == "rebuild" else Job.DROP)
        before = {"database": self.database.name, "schema": self.schema, "table": self.table, "index": index}
        before |= {"size_bytes": live.size_bytes, "mark": live.mark} if live else {"size_bytes": 0}
        if live and index:
            before |= {"definition": live.definition, "oid": live.oid}
        evidence = {"special": False, "saves_bytes": 1 << 40, "bloat_share": 0.9, "runs_seen": 9, "observed_days": 99}
        evidence["finding"] = "bloated" if action == "rebuild" else "duplicate"
        change = Change(
            run_id=run_id,
            tuner=Tuner.INDEXES,
            action=action,
            target=f"{self.database.name}/{self.schema}.{self.table}.{index}",
            before=before | parts.get("before", {}),
            after=parts.get("after", {}),
            reason="Because.",
            undo={"definition": before.get("definition", "")},
            risk=Risk.LOW,
            evidence={
                "finding": "bloated" if action == "rebuild" else "duplicate",
                **evidence,
                **parts.get("evidence", {}),
            },
        )
        self.store.record_change(change, Status.APPROVED, self.now)
        return change

    def through_data_api(self) -> None:
        """Use the Data API from now on.

        The role waits for locks as long as the policy says, and looks names up in pg_catalog alone, as a team would
        have set it.
        """

        def connect(database: str) -> Any:
            session = self.running.connect(database, startup_params={"search_path": "pg_catalog, pg_temp"})
            session.run(f"SET lock_timeout = {self.limits.lock_timeout_ms}")
            return session

        twin = DataApiTwin(connect, goes_on_after_s=jobs._SEND_S)
        self.pool.forget(self.database)
        self.pool.data_api = lambda _once: twin
        self.database = replace(
            self.database,
            data_api_arn="arn:aws:rds:eu-central-1:123456789012:cluster:shop",
            secret_arn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop",
        )

    def step(self, name: str, change: Change) -> dict[str, Any]:
        """Call the acting Lambda once, in a new environment."""
        return self.environment().take({"step": name, "change_id": change.id}, self.now)

    def until(self, name: str, change: Change, most: int = 400) -> dict[str, Any]:
        """Repeat the step as the state machine does; the clock moves by the wait that it asks for."""
        answer = self.step(name, change)
        for _ in range(most):
            if answer["outcome"] != "pending":
                break
            self.pause(answer["wait_s"])
            answer = self.step("poll" if name == "apply" else name, change)
        return answer

    def whole(self, change: Change) -> dict[str, Any]:
        """Run from apply to the end."""
        answer = self.until("apply", change)
        while answer["outcome"] in ("applied", "watch"):
            self.pause(answer["wait_s"])
            answer = self.step("verify", change)
        if answer["outcome"] in ("keep", "revert"):
            answer = self.until(answer["outcome"], change)
        return answer

    def pause(self, seconds: float) -> None:
        """End the wait of the state machine at once, but give a working server a moment."""
        self.now += timedelta(seconds=seconds)
        if seconds <= 2:
            import time

            time.sleep(0.1)

    def status(self, change: Change) -> Status:
        return self.store.change(change.id).status

    def run(self, statement: str) -> None:
        """Run a statement as the team would, where names are looked up as usual."""
        if self.is_postgresql:
            with self.running.session(self.database.database) as session:
                session.run(statement)
            return
        connection = self.pool.open(self.database)
        try:
            drivers.rows(connection, statement)
        finally:
            drivers.close(connection)

    def invalid(self) -> list[str]:
        """Return everything that interrupted builds have left in the database."""
        query = "SELECT i.relname AS name FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid WHERE NOT indisvalid"
        if not self.is_postgresql:
            return []
        return [row["name"] for row in drivers.rows(self.pool.get(self.database), query)]

    def session(self) -> Any:
        """Return a connection of somebody else, which the test closes."""
        if self.is_postgresql:
            return self.running.connect(self.database.database)
        return self.running.connect(self.database.database)


@pytest.fixture
def staged(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Provide an account in which every call to AWS can go wrong."""
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    with stage(request, monkeypatch) as made:
        yield made


@pytest.fixture
def scene(server: Callable[..., Any]) -> Iterator[Callable[..., Scene]]:
    """Provide a function that makes a scene on an installation, with so many rows in its table."""
    with ExitStack() as stack:

        def make(installation: Any, rows: int = 2000, limits: Indexes = LIMITS, **options: Any) -> Scene:
            running = server(installation)
            engine = _engine(installation)
            statements = TABLE["postgresql" if engine == "postgresql" else "mysql"]
            if rows > 1000 and engine != "postgresql":
                with running.session() as session, session.cursor() as cursor:
                    cursor.execute(f"SET GLOBAL {RECURSION[engine]} = 10000000")
            name = stack.enter_context(running.database(*(one.format(rows=rows) for one in statements)))
            database = Database(
                name="shop",
                engine=engine,
                host="127.0.0.1",
                port=running.port,
                database=name,
                secret_arn="arn",
                tls="off",
            )
            made = Scene(running, database, 'Shop"s' if engine == "postgresql" else name, limits, **options)
            stack.callback(partial(made.pool.forget, database))
            return made

        yield make


@pytest.fixture(params=["connection", "Data API"])
def either_way(scene: Callable[..., Scene], request: pytest.FixtureRequest) -> Callable[..., Scene]:
    """Provide a function that makes a scene on a PostgreSQL that is reached either way."""

    def make(*arguments: Any, **options: Any) -> Scene:
        made = scene(*arguments, **options)
        if request.param == "Data API":
            made.through_data_api()
        return made

    return make


def _engine(installation: Any) -> str:
    return next(engine for engine in ("PostgreSQL", "MySQL", "MariaDB") if installation.name.startswith(engine)).lower()


__all__ = ["Killed", "Scene", "replace"]
