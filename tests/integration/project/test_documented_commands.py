"""The commands of README.md and docs/ that look at files, caches and databases, as they stand there."""

import csv
import gzip
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from local_account.servers import HOST, Installation, mariadb, postgresql, valkey

from tests.helpers.documents import Shown, commands, run

START = datetime(2026, 10, 1, tzinfo=UTC)
CURVE = "".join(f"set,waits,x86_64,{mb},100.0,100\n" for mb in (128, 256, 512, 1024, 2048, 3008))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the documents speak of."""
    folder = tmp_path_factory.mktemp("documents")
    traffic, memory = folder / "path/to/traffic", folder / "path/to/memory"
    traffic.mkdir(parents=True)
    memory.mkdir()
    facts = {"period_s": 60, "timezone": "UTC", "duration_ms": 100.0}
    (traffic / "series.json").write_text(json.dumps({"busy": facts}))
    calls = ([(START + timedelta(minutes=m)).isoformat(), 30 * (8 <= m // 60 % 24 < 18)] for m in range(8 * 1440))
    write(traffic / "busy.csv.gz", ("timestamp", "invocations"), calls)
    (memory / "curves.csv").write_text(f"dataset,function,arch,memory_mb,duration_ms,n_invocations\n{CURVE}")
    reads = ([second, "price", second * 7919 % 97] for second in range(4 * 3600))
    write(folder / "path/to/reads.csv.gz", ("time_s", "namespace", "key"), reads)
    return folder


def write(path: Path, names: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    with gzip.open(path, "wt", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


@pytest.mark.parametrize("shown", list(commands("optimizer backtest")), ids=str)
def test_what_is_played_on_files(shown: Shown, files: Path) -> None:
    done = run(shown.text, files, {})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) > 3


@pytest.fixture(scope="module")
def addresses(server: Callable[[Installation[Any]], Any]) -> Iterator[dict[str, str]]:
    """What stands in the documents, and what is here."""
    make = ("CREATE TABLE orders (id int PRIMARY KEY, a int)", "CREATE INDEX one ON orders (a)")
    cache, of_maria, of_postgresql = server(valkey.VALKEY_9), server(mariadb.PLAIN), server(postgresql.WHEEL_16)
    with closing(cache.client()) as client:
        # Other tests use the server too, and every key takes its time.
        client.flushall()
        client.mset({f"session:{n}": "x" * 100 for n in range(40)})
    with ExitStack() as stack:
        yield {
            "rediss://:password@cache.example:6379": cache.url,
            "postgresql://user:password@db.example/shop": of_postgresql.dsn(
                stack.enter_context(of_postgresql.database(*make))
            ),
            "mysql://user:password@db.example/shop": of_maria.dsn(stack.enter_context(of_maria.database(*make))),
            "replica.example": f"{HOST}:{of_maria.port}",
        }


@pytest.mark.parametrize("shown", list(commands("optimizer inspect")), ids=str)
def test_what_looks_at_a_server(shown: Shown, addresses: dict[str, str], tmp_path: Path) -> None:
    command = shown.text
    for there, here in addresses.items():
        command = command.replace(there, here)
    assert command != shown.text
    done = run(command, tmp_path, {})
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.strip()
