"""What rebuilds, builds and drops of indexes cost those who use the database meanwhile.

    python bench/indexes.py [--seconds 15] [--rounds 4] [--rate 200] [--scale 5] [--json OUT]

pgbench (two clients, its own mix of reads and writes; --rate 0 for as fast as it can) on a PostgreSQL of its own.
Rounds without anything alternate with rounds in which the acting code of the application rebuilds, builds and drops
indexes of the busiest table one after another. Printed: the 99th percentile of the transactions' latency with and
without, their ratio (goal: at most 1.2), and the longest any transaction took beside the lock timeout.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from local_account.memory_run_store import MemoryRunStore
from optimizer.changes import Change, Risk, Status, Tuner
from optimizer.indexes.acting import servers
from optimizer.indexes.acting.life import ChangeIndexes
from optimizer.indexes.acting.server import Job
from optimizer.indexes.connections import Connections
from optimizer.policy.model import Database, Indexes
from servers import postgresql

GOAL_RATIO = 1.2
TABLE, PRIMARY, OTHER = "pgbench_accounts", "pgbench_accounts_pkey", "accounts_by_branch"
# As a team runs it: the servers of the tests write nothing to the disk in earnest.
DURABLE = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "256MB"}
LIMITS = Indexes(watch_minutes=(1,), hidden_days=0)


class Everybody:
    """Gives the turn on a cluster to whoever asks: there is but one change at a time here."""

    def take_turn(self, *_: Any) -> bool:
        return True

    def end_turn(self, *_: Any) -> None:
        return None

    def record_build(self, *_: Any) -> None:
        return None


@dataclass
class Maintenance:
    """Changes of the same table, one after another, as long as it is on."""

    server: postgresql.PostgresServer
    done: int = 0
    numbers: int = 0

    def __post_init__(self) -> None:
        self.store = MemoryRunStore()
        self.database = Database(
            "bench", "postgresql", "127.0.0.1", "postgres", port=self.server.port, user=postgresql.SUPERUSER, tls="off"
        )
        self.pool = Connections(lambda: None, lambda: self, str)
        self.acting = servers.of(self.database, self.pool)
        self.now = datetime.now(UTC)

    def generate_db_auth_token(self, **_: Any) -> str:
        """Stands for RDS, whose tokens are passwords to the server."""
        return postgresql.PASSWORD

    def once(self) -> None:
        """A rebuild, a build and a drop."""
        create = f"CREATE INDEX {OTHER} ON public.{TABLE} USING btree (bid, aid)"
        for action, index, after in (
            ("rebuild", PRIMARY, {}),
            ("create_index", OTHER, {"definition": create}),
            ("drop_index", OTHER, {}),
        ):
            self._make(action, index, after)
            self.done += 1

    def _make(self, action: str, index: str, after: dict[str, Any]) -> None:
        live = self.acting.look("public", TABLE, index, Job.REBUILD)
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
            after=after,
            reason="Benchmark.",
            undo={},
            risk=Risk.LOW,
            evidence={"finding": "bloated"},
        )
        self.store.record_change(change, Status.APPROVED, self.now)
        life = ChangeIndexes(
            store=self.store,  # type: ignore[arg-type]
            records=Everybody(),  # type: ignore[arg-type]
            server=self.acting,
            database=self.database,
            limits=LIMITS,
            recheck=lambda *_: None,
            may_start=lambda _now: None,
            remaining_ms=lambda: 300_000.0,
        )
        step = "apply"
        while True:
            answer = getattr(life, step)(change.id, self.now)
            outcome = answer["outcome"]
            if outcome in ("kept", "failed", "refused", "stale", "reverted"):
                if outcome != "kept":
                    raise RuntimeError(f"{action} {outcome}: {answer.get('message')}")
                return
            self.now += timedelta(seconds=answer.get("wait_s", 0))
            if outcome == "pending":
                time.sleep(min(1.0, answer["wait_s"]))
                step = "poll" if step == "apply" else step
            else:
                step = {"applied": "verify", "watch": "verify", "keep": "keep"}[outcome]


def main() -> int:
    """Run it; 1 if a goal is missed."""
    arguments = _arguments()
    # Debian's pgbench in the path is a wrapper that looks for a server of Debian's.
    own = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    program = str(own[-1]) if own else shutil.which("pgbench")
    if program is None:
        sys.exit("pgbench is not installed: apt-get install postgresql")
    settings = {} if arguments.fast else DURABLE
    with postgresql.start_wheel_16(settings) as server, tempfile.TemporaryDirectory() as folder:
        environment = {"PGPASSWORD": postgresql.PASSWORD, "PGDATABASE": "postgres", "PATH": "/usr/bin:/bin"}
        base = [program, "-h", "127.0.0.1", "-p", str(server.port), "-U", postgresql.SUPERUSER]
        subprocess.run(
            [*base, "-i", "-q", "-s", str(arguments.scale)], env=environment, check=True, stdout=subprocess.DEVNULL
        )
        seconds = arguments.seconds * arguments.rounds * 2 + 2
        load = [*base, "-c", "2", "-j", "2", "-T", str(int(seconds)), "-l", "-n"]
        load += ["--rate", str(arguments.rate)] if arguments.rate else []
        process = subprocess.Popen(load, env=environment, cwd=folder, stdout=subprocess.DEVNULL)
        maintenance = Maintenance(server)
        spans = list(_rounds(maintenance, arguments.seconds, arguments.rounds))
        process.wait()
        result = _judge(np.vstack([_read(path) for path in Path(folder).glob("pgbench_log*")]), spans)
    result |= {"changes": maintenance.done, "lock_timeout_ms": LIMITS.lock_timeout_ms, "rate": arguments.rate}
    for name, value in result.items():
        print(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value}")
    good = result["p99_ratio"] <= GOAL_RATIO and result["longest_ms"] <= LIMITS.lock_timeout_ms
    print(f"goal: p99_ratio <= {GOAL_RATIO}, longest_ms <= lock_timeout_ms: {'met' if good else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))
    return 0 if good else 1


def _rounds(maintenance: Maintenance, seconds: float, rounds: int) -> Iterator[tuple[float, float, bool]]:
    """Spans of time in which nothing is done, and in which indexes are changed all the time."""
    for _ in range(rounds):
        began = time.time()
        time.sleep(seconds)
        yield began, time.time(), False
        began, problem = time.time(), list[BaseException]()

        def work(until: float = began + seconds, problem: list[BaseException] = problem) -> None:
            try:
                while time.time() < until:
                    maintenance.once()
            except Exception as error:  # noqa: BLE001 - raised below, in the thread that waits
                problem.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if problem:
            raise problem[0]
        yield began, time.time(), True


def _read(path: Path) -> Any:
    """(end in seconds since 1970, latency in ms) of each transaction; the lag of a schedule counts as latency."""
    rows = [line.split() for line in path.read_text().splitlines() if " failed " not in line]
    return np.array([(float(row[4]) + float(row[5]) / 1e6, float(row[2]) / 1e3) for row in rows])


def _judge(calls: Any, spans: list[tuple[float, float, bool]]) -> dict[str, Any]:
    def of(busy: bool) -> Any:
        parts = [calls[(calls[:, 0] > a) & (calls[:, 0] <= b), 1] for a, b, kind in spans if kind is busy]
        return np.concatenate(parts)

    without, with_changes = of(False), of(True)
    p99 = float(np.percentile(without, 99)), float(np.percentile(with_changes, 99))
    return {
        "transactions_without": len(without),
        "transactions_with": len(with_changes),
        "p50_ms_without": float(np.percentile(without, 50)),
        "p50_ms_with": float(np.percentile(with_changes, 50)),
        "p99_ms_without": p99[0],
        "p99_ms_with": p99[1],
        "p99_ratio": p99[1] / p99[0],
        "longest_ms": float(with_changes.max()),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=15.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=4, help="rounds of each kind")
    parser.add_argument("--rate", type=int, default=200, help="transactions a second; 0: as fast as it can")
    parser.add_argument("--scale", type=int, default=5, help="100,000 accounts each")
    parser.add_argument("--fast", action="store_true", help="no fsync")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
