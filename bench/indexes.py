"""Measure the cost of rebuilds, builds and drops of indexes to the other users of the database.

    python bench/indexes.py [--seconds 8] [--rounds 10] [--runs 2] [--rate 0] [--scale 5] [--no-fsync] [--json OUT]

pgbench (two clients, its own mix of reads and writes, as fast as it can; --rate 200 for so many transactions a second)
loads a PostgreSQL of its own all the time. Printed: the 99th percentile of its transactions' latency

- without anything else, and while the changes of a run are made as the state machine makes them: rebuilds and a drop,
  one at a time on the cluster, with the waits between them;
- without anything, and with rebuilds, builds and drops back to back: the cost of a build while it lasts, on a server
  with a processor to spare (pgbench and the sessions that serve it have the first one, all else has the others);
- the same where everybody shares all processors, beside one session that only computes: the share of a build's cost
  that is due to the processor alone;

each in alternating rounds, of whose ratios the median is taken, because a machine that others use as well has bad
minutes (goal: at most 1.2 times as much), and the longest duration of any transaction beside the lock timeout.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from index_changes import AGAIN, BY_BRANCH, LIMITS, Changes, definition
from local_account.servers import postgresql
from pg8000.exceptions import DatabaseError
from processors import Processors

GOAL_RATIO = 1.2
# A team's server survives a crash, so the settings of test servers, which need not, are replaced.
SETTINGS = {"fsync": "on", "full_page_writes": "on", "autovacuum": "on", "shared_buffers": "256MB"}
# Each measurement by the one that it is compared with.
BESIDE = {"run": "before", "spare_changes": "spare_nothing", "computing": "nothing", "changes": "nothing"}
CHANGES = ("run", "spare_changes", "changes")
Span = tuple[str, float, float]


def main() -> int:
    """Run the benchmark; return 1 if a goal is missed."""
    arguments = _arguments()
    settings = {**SETTINGS, "fsync": "off"} if arguments.no_fsync else SETTINGS
    with postgresql.start_wheel_16(settings) as server, tempfile.TemporaryDirectory() as folder:
        spans = _measure(server, Path(folder), arguments)
        calls = np.vstack([_read(path) for path in Path(folder).glob("pgbench_log*")])
    found = {kind: _of(calls, spans, kind) for kind in dict.fromkeys(kind for kind, _, _ in spans)}
    longest_ms = max(float(latencies.max()) for kind in CHANGES for latencies in found[kind])
    p99 = {kind: np.array([np.percentile(latencies, 99) for latencies in rounds]) for kind, rounds in found.items()}
    p50 = {kind: np.array([np.median(latencies) for latencies in rounds]) for kind, rounds in found.items()}
    ratios = {kind: p99[kind] / p99[without] for kind, without in BESIDE.items()}
    result = {
        "rate": arguments.rate,
        "lock_timeout_ms": LIMITS.lock_timeout_ms,
        "longest_ms": longest_ms,
        **{f"{kind}_p50_ms": float(np.median(rounds)) for kind, rounds in p50.items()},
        **{f"{kind}_p99_ms": float(np.median(rounds)) for kind, rounds in p99.items()},
        **{f"{kind}_p99_ratio": float(np.median(rounds)) for kind, rounds in ratios.items()},
        **{f"{kind}_p99_ratio_lowest": float(rounds.min()) for kind, rounds in ratios.items()},
        **{f"{kind}_p99_ratio_highest": float(rounds.max()) for kind, rounds in ratios.items()},
    }
    for name, value in result.items():
        print(f"{name:32} {value:,.3f}" if isinstance(value, float) else f"{name:32} {value}")
    goals = {
        **{f"{kind}_p99_ratio <= {GOAL_RATIO}": result[f"{kind}_p99_ratio"] <= GOAL_RATIO for kind in CHANGES},
        "longest_ms <= lock_timeout_ms": longest_ms <= LIMITS.lock_timeout_ms,
    }
    for goal, met in goals.items():
        print(f"goal: {goal}: {'met' if met else 'MISSED'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1))
    return 0 if all(goals.values()) else 1


def _measure(server: postgresql.PostgresServer, folder: Path, arguments: argparse.Namespace) -> list[Span]:
    """Run all rounds, with pgbench's log in `folder`; return the time span of each activity."""
    environment = {"PGPASSWORD": postgresql.PASSWORD, "PGDATABASE": "postgres", "PATH": "/usr/bin:/bin"}
    base = [_pgbench(), "-h", "127.0.0.1", "-p", str(server.port), "-U", postgresql.SUPERUSER]
    made = [*base, "-i", "-q", "-s", str(arguments.scale)]
    subprocess.run(made, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    changes = Changes(server)
    with server.session() as session:
        for index in (BY_BRANCH, AGAIN):
            session.run(definition(index))
        session.run("CHECKPOINT")
    load = [*base, "-c", "2", "-j", "2", "-T", "86400", "-l", "-n"]
    load += ["--rate", str(arguments.rate)] if arguments.rate else []
    process = subprocess.Popen(load, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    # The acting code runs in a Lambda, not on the processors of the database.
    with contextlib.suppress(PermissionError):
        os.nice(19)
    spans: list[Span] = []

    def during(kind: str, work: Callable[[], None]) -> None:
        began = time.time()
        work()
        spans.append((kind, began, time.time()))

    try:
        time.sleep(2)
        processors = Processors.of(server, process.pid, "pgbench")
        for number in range(arguments.runs):
            if number:
                changes.put_back()
            # The round lasts as long as a run, because the server's own upkeep comes every minute or every few.
            during("before", lambda: time.sleep(arguments.seconds * 15))
            during("run", changes.as_a_run)
        for _ in range(arguments.rounds):
            processors.divide()
            during("spare_nothing", lambda: time.sleep(arguments.seconds))
            during("spare_changes", lambda: changes.back_to_back(time.time() + arguments.seconds))
            processors.share()
            during("nothing", lambda: time.sleep(arguments.seconds))
            during("computing", lambda: _compute(server, arguments.seconds))
            during("changes", lambda: changes.back_to_back(time.time() + arguments.seconds))
    finally:
        process.terminate()
        process.wait()
    print(f"{'changes made':32} {changes.made}")
    return spans


def _compute(server: postgresql.PostgresServer, seconds: float) -> None:
    """Keep one session busy without reading anything."""
    with server.session() as session, contextlib.suppress(DatabaseError):
        session.run(f"SET statement_timeout = {int(seconds * 1000)}")
        session.run("DO $$ BEGIN LOOP NULL; END LOOP; END $$")


def _pgbench() -> str:
    # Debian's pgbench in the path is a wrapper that looks for a server of Debian's.
    own = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    program = str(own[-1]) if own else shutil.which("pgbench")
    if program is None:
        sys.exit("pgbench is not installed: apt-get install postgresql")
    return program


def _read(path: Path) -> Any:
    """Return (end in seconds since 1970, latency in ms) of each transaction; latency includes the lag of a schedule."""
    rows = [line.split() for line in path.read_text().splitlines() if " failed " not in line]
    return np.array([(float(row[4]) + float(row[5]) / 1e6, float(row[2]) / 1e3) for row in rows if len(row) > 5])


def _of(calls: Any, spans: list[Span], kind: str) -> list[Any]:
    """Return the latencies in ms of each round of the kind."""
    return [calls[(calls[:, 0] > began) & (calls[:, 0] <= ended), 1] for one, began, ended in spans if one == kind]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="length of a round")
    parser.add_argument("--rounds", type=int, default=10, help="rounds of each kind")
    parser.add_argument("--runs", type=int, default=2, help="runs as the state machine makes them")
    parser.add_argument("--rate", type=int, default=0, help="transactions a second; 0: as fast as it can")
    parser.add_argument("--scale", type=int, default=5, help="100,000 accounts each")
    parser.add_argument("--no-fsync", action="store_true", help="without the disk")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
