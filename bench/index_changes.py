"""Change indexes with the application's own code, for the benchmark: at full speed, or at the pace of a run."""

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from local_account.memory_run_store import MemoryRunStore
from local_account.servers.postgresql import PASSWORD, SUPERUSER, PostgresServer
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.indexes.change import server_for
from optimizer.indexes.change.change import IndexHooks
from optimizer.indexes.change.server import Job, Machine
from optimizer.indexes.connect.pool import Connections
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Database, Indexes

TABLE, PRIMARY = "pgbench_accounts", "pgbench_accounts_pkey"
BY_BRANCH, AGAIN = "accounts_by_branch", "accounts_by_branch_again"
# The observation takes place, but nothing waits for its time to pass.
LIMITS = Indexes(watch_minutes=(1,), hidden_days=0)


def definition(index: str) -> str:
    """Return the definition of an index on columns that pgbench never changes, so that its updates stay cheap."""
    return f"CREATE INDEX {index} ON public.{TABLE} USING btree (bid, aid)"


@dataclass
class Turns:
    """A lock under which one change acts on the cluster at a time."""

    holder: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take_turn(self, _cluster: str, change_id: str, _now: datetime) -> bool:
        with self.lock:
            self.holder = self.holder or change_id
            return self.holder == change_id

    def end_turn(self, _cluster: str, change_id: str, _now: datetime) -> None:
        with self.lock:
            self.holder = "" if self.holder == change_id else self.holder

    def record_build(self, *_: Any) -> None:
        return None


class Tokens:
    """A stand-in for RDS, whose tokens are passwords to the server."""

    def generate_db_auth_token(self, **_: Any) -> str:
        return PASSWORD


@dataclass
class Changes:
    """A maker of changes on the server; `made` counts them."""

    server: PostgresServer
    made: int = 0

    def __post_init__(self) -> None:
        self.store, self.turns, self.numbers = MemoryRunStore(), Turns(), 0
        self.database = Database(
            "bench", "postgresql", "127.0.0.1", "postgres", port=self.server.port, user=SUPERUSER, tls="off"
        )
        self.pool = Connections(lambda: None, Tokens, str)  # type: ignore[arg-type, return-value]

    def back_to_back(self, until: float) -> None:
        """Rebuild, build and drop without a pause until the time `until`, as time.time()."""
        while time.time() < until:
            for action, index in (("rebuild", PRIMARY), ("create_index", AGAIN), ("drop_index", AGAIN)):
                self._live(self._change(action, index), self.pool, patience=0.1)

    def as_a_run(self) -> None:
        """Make the changes of one run, all begun at once as the state machine begins them, with its waits."""
        changes = [self._change("rebuild", PRIMARY), self._change("rebuild", BY_BRANCH)]
        changes.append(self._change("drop_index", AGAIN))
        problems: list[BaseException] = []

        def live(change: Change) -> None:
            # Each in an execution environment of its own.
            pool = Connections(lambda: None, Tokens, str)  # type: ignore[arg-type, return-value]
            try:
                self._live(change, pool, patience=1.0)
            except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
                problems.append(error)
            finally:
                pool.forget(self.database)

        threads = [threading.Thread(target=live, args=[change]) for change in changes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if problems:
            raise problems[0]

    def put_back(self) -> None:
        """Create again the index that a run drops, for the next run."""
        self._live(self._change("create_index", AGAIN), self.pool, patience=0.1)

    def _change(self, action: str, index: str) -> Change:
        live = server_for(self.database, self.pool).look("public", TABLE, index, Job.REBUILD)
        before = {"database": "bench", "schema": "public", "table": TABLE, "index": index, "size_bytes": 0}
        if live:
            before |= {"oid": live.oid, "definition": live.definition, "mark": live.mark}
        self.numbers += 1
        change = Change(
            run_id=f"run-{self.numbers}",
            tuner=Tuner.INDEXES,
            action=action,
            target=f"bench/public.{TABLE}.{index}",
            before=before,
            after={"definition": definition(index)} if action == "create_index" else {},
            reason="Benchmark.",
            undo={},
            risk=Risk.LOW,
            evidence={"finding": "bloated"},
        )
        self.store.record_change(change, Status.APPROVED, datetime.now(UTC))
        return change

    def _live(self, change: Change, pool: Connections, patience: float) -> None:
        """Take a change from apply to its end; really wait for the share `patience` (0 to 1) of each wait."""
        hooks = IndexHooks(
            store=self.store,  # type: ignore[arg-type]
            records=self.turns,  # type: ignore[arg-type]
            server=server_for(self.database, pool),
            database=self.database,
            limits=LIMITS,
            recheck=lambda *_: None,
            may_start=lambda _now: None,
            machine=lambda _now: Machine(),
            remaining_ms=lambda: 300_000.0,
        )
        life = Lifecycle(self.store, hooks)  # type: ignore[arg-type]
        step, now = "apply", datetime.now(UTC)
        while True:
            answer = getattr(life, step)(change.id, now)
            outcome, wait_s = answer["outcome"], answer.get("wait_s", 0)
            if outcome == "kept":
                self.made += 1
                return
            if outcome in ("failed", "refused", "stale", "reverted", "revert"):
                raise RuntimeError(f"{change.action} {outcome}: {answer.get('message')}")
            now += timedelta(seconds=wait_s)
            if outcome == "pending" and answer.get("message") != "the statements are under observation":
                time.sleep(wait_s * patience)
            step = {"pending": "poll" if step == "apply" else step, "keep": "keep"}.get(outcome, "verify")
