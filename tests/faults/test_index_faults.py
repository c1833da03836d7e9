"""Disturbances of a running build: each ends without leftovers and with a correct record."""

import json
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from local_account.servers import mariadb, postgresql
from optimizer.core.change import Status
from optimizer.indexes.change import job

TABLE = '"Shop""s"."Ta ble"'


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the call that starts a build return at once, so that the test can disturb the build."""
    monkeypatch.setattr(job, "_SEND_S", 0.2)


def writer(one: Any) -> Any:
    """Open a transaction that has written to the table."""
    session = one.session()
    session.run("BEGIN")
    session.run(f"UPDATE {TABLE} SET a = a + 1 WHERE id = 1")  # noqa: S608 - a constant
    return session


def started(one: Any, change: Any) -> dict[str, Any]:
    """Start a rebuild that waits for an open transaction."""
    answer = one.step("apply", change)
    assert answer["outcome"] == "pending", answer
    assert one.store.change(change.id).progress["job"]["phase"] == "working"
    return answer


def patient(one: Any) -> None:
    one.limits = replace(one.limits, lock_timeout_ms=20_000, max_transaction_s=3600)


def test_three_lock_timeouts_fail_the_change_without_leftovers(either_way: Any) -> None:
    one = either_way(postgresql.WHEEL_18, rows=200)
    one.limits = replace(one.limits, lock_timeout_ms=150)
    before = one.look()
    change = one.change("rebuild")
    held, left, step = writer(one), set[str](), "apply"
    answer = {"outcome": "pending", "wait_s": 0}
    while answer["outcome"] == "pending":
        one.pause(answer["wait_s"])
        answer = one.step(step, change)
        step = "poll"
        left |= set(one.invalid())
        # What a try has left can be dropped only while no writer is there, and then the next try meets another one.
        held.run("ROLLBACK")
        held.close()
        if answer["outcome"] == "pending" and one.store.change(change.id).progress["job"]["phase"] == "cleaning":
            answer = one.step(step, change)
        held = writer(one)
    held.run("ROLLBACK")
    held.close()
    assert left == {"I ndex_ccnew"}
    assert answer["outcome"] == "failed"
    assert "in 3 attempts" in answer["message"]
    assert one.status(change) is Status.FAILED
    assert one.invalid() == []
    assert one.look() == before


def test_build_continues_when_its_connection_is_cut(scene: Any) -> None:
    one = scene(postgresql.WHEEL_18, rows=200)
    patient(one)
    before = one.look()
    change = one.change("rebuild")
    held = writer(one)
    started(one, change)
    cut_connections()
    held.run("ROLLBACK")
    held.close()
    assert one.until("apply", change)["outcome"] == "applied"
    assert one.look().mark != before.mark
    assert one.invalid() == []


def test_build_continues_when_its_process_is_killed(scene: Any, tmp_path: Path) -> None:
    """The process is killed with SIGKILL; the next one knows only what was recorded until then."""
    one = scene(postgresql.WHEEL_18, rows=200)
    patient(one)
    before = one.look()
    change = one.change("rebuild")
    held = writer(one)
    record, given = tmp_path / "record.json", tmp_path / "given.json"
    database = {name: value for name, value in asdict(one.database).items() if value is not None}
    limits = {"lock_timeout_ms": one.limits.lock_timeout_ms}
    parts = {"change": change.to_document(), "database": database, "limits": limits, "login": one.secret.text}
    given.write_text(json.dumps({**parts, "record": str(record)}))
    program = [sys.executable, "-m", "tests.helpers.apply_in_a_process", str(given)]
    child = subprocess.Popen(program, cwd=Path(__file__).parents[2])  # noqa: S603 - our own
    deadline = time.monotonic() + 60
    while one.invalid() != ["I ndex_ccnew"] and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    assert one.invalid() == ["I ndex_ccnew"]
    one.store.move(change.id, Status.APPLYING, one.now, from_any={Status.APPROVED})
    one.store.save_progress(change.id, json.loads(record.read_text()))
    held.run("ROLLBACK")
    held.close()
    assert one.until("apply", change)["outcome"] == "applied"
    assert one.look().mark != before.mark
    assert one.invalid() == []
    assert one.store.change(change.id).progress["job"]["attempt"] == 1


def test_dropped_table_fails_the_change(scene: Any) -> None:
    one = scene(postgresql.WHEEL_18, rows=200)
    patient(one)
    change = one.change("rebuild")
    held = writer(one)
    pid = started_pid(one, change)
    held.run("ROLLBACK")
    one.run(f"SELECT pg_terminate_backend({pid})")
    one.run(f"DROP TABLE {TABLE} CASCADE")
    answer = one.until("apply", change)
    held.close()
    assert answer["outcome"] == "failed"
    assert "dropped meanwhile" in answer["message"]
    assert one.invalid() == []


def test_build_is_repeated_after_a_server_restart(scene: Any) -> None:
    one = scene(postgresql.WHEEL_18, rows=200)
    patient(one)
    before = one.look()
    change = one.change("rebuild")
    held = writer(one)
    started(one, change)
    one.running.restart(crash=True)
    assert one.invalid() == ["I ndex_ccnew"]
    answer = one.until("apply", change)
    held.close()
    assert answer["outcome"] == "applied", answer
    assert one.look().mark != before.mark
    assert one.invalid() == []
    assert one.store.change(change.id).progress["job"]["attempt"] == 2


def test_change_waits_for_an_unreachable_server(scene: Any) -> None:
    one = scene(postgresql.WHEEL_18, rows=200)
    change = one.change("rebuild")
    real, one.database = one.database, replace(one.database, port=1)
    answer = one.step("apply", change)
    assert answer["outcome"] == "pending"
    assert "cannot be reached" in answer["message"]
    one.database = real
    assert one.until("apply", change)["outcome"] == "applied"


def test_build_that_takes_too_long_is_cancelled(either_way: Any) -> None:
    one = either_way(postgresql.WHEEL_18, rows=200)
    patient(one)
    one.limits = replace(one.limits, max_build_minutes=1)
    before = one.look()
    change = one.change("rebuild")
    held = writer(one)
    started(one, change)
    one.pause(90)
    answer = one.step("poll", change)
    assert answer["outcome"] == "pending"
    held.run("ROLLBACK")
    held.close()
    answer = one.until("apply", change)
    if answer["outcome"] == "failed":
        assert "longer than 1 minutes" in answer["message"]
        assert one.look() == before
    assert one.invalid() == []


def test_rolling_back_a_running_build_stops_it(either_way: Any) -> None:
    one = either_way(postgresql.WHEEL_18, rows=200)
    patient(one)
    change = one.change(
        "create_index", index="Ne w", after={"definition": f'CREATE INDEX "Ne w" ON {TABLE} USING btree (b)'}
    )
    held = writer(one)
    started(one, change)
    answer = one.step("revert", change)
    assert answer["outcome"] == "pending"
    held.run("ROLLBACK")
    held.close()
    assert one.until("revert", change)["outcome"] == "reverted"
    assert one.look("Ne w") is None
    assert one.invalid() == []


def test_waiting_change_delays_no_other_statement(scene: Any) -> None:
    """MariaDB's ALTER needs the table exclusively at its end: while it waits, later statements wait, too."""
    one = scene(mariadb.PLAIN, rows=200)
    one.limits = replace(one.limits, lock_timeout_ms=1000, lock_attempts=1)
    change = one.change("drop_index")
    held = one.session()
    held.begin()
    with held.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM `Ta ble`")
    waited: list[float] = []
    ended = threading.Event()

    def others() -> None:
        session = one.session()
        with session.cursor() as cursor:
            while not ended.is_set():
                began = time.monotonic()
                cursor.execute("SELECT 1 FROM `Ta ble` LIMIT 1")
                waited.append(time.monotonic() - began)
                ended.wait(0.1)
        session.close()

    thread = threading.Thread(target=others)
    thread.start()
    answer = one.until("apply", change)
    ended.set()
    thread.join()
    held.rollback()
    held.close()
    assert max(waited) < 1.5
    assert answer["outcome"] in ("failed", "applied")
    assert one.look() is not None


def started_pid(one: Any, change: Any) -> int:
    started(one, change)
    return int(one.store.change(change.id).progress["job"]["session"]["pid"])


def cut_connections() -> None:
    """Close the sockets without a farewell, as if the execution environment had vanished."""
    from optimizer.indexes.change import session as worker

    for left in worker._unfinished:
        left._connection._usock.close()
    worker._unfinished.clear()
