"""Disturbances of a running build of MySQL or MariaDB: each ends without leftovers and with a correct record."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
from local_account.servers import mariadb, mysql
from optimizer.core.change import Change, Status
from optimizer.indexes.change import job, session as worker

SERVERS = pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.PLAIN], ids=["MySQL", "MariaDB"])
LEFT = "SELECT NAME AS name FROM information_schema.INNODB_{}TABLES WHERE NAME LIKE '%%#sql%%'"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the call that starts a build return at once, so that the test can disturb the build."""
    monkeypatch.setattr(job, "_SEND_S", 0.2)


@pytest.fixture
def patient(scene: Callable[..., Any], installation: Any) -> Any:
    """A table whose changes wait a long time for locks."""
    one = scene(installation, rows=200)
    one.limits = replace(one.limits, lock_timeout_ms=20_000)
    return one


@contextmanager
def reader(one: Any) -> Iterator[Any]:
    """Open a transaction that has read the table, so that an ALTER waits for it."""
    session = one.session()
    session.begin()
    with session.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM `Ta ble`")
    yield session
    if session.open:
        session.close()


def build(one: Any) -> Change:
    return one.change("create_index", index="n", after={"definition": "INDEX `n` (`b`)"})


def started(one: Any, change: Change) -> int:
    """Start a build that waits for an open transaction; return the id of its connection."""
    answer = one.step("apply", change)
    assert answer["outcome"] == "pending", answer
    job = one.store.change(change.id).progress["job"]
    assert job["phase"] == "working"
    return int(job["session"]["pid"])


def left(one: Any) -> list[str]:
    """List the half-built tables in the server."""
    connection = one.pool.get(one.database)
    with connection.cursor() as cursor:
        cursor.execute(LEFT.format("SYS_" if one.database.engine == "mariadb" else ""))
        return [row[0] for row in cursor.fetchall()]


def ended_well(one: Any, change: Change, attempts: int | None = None) -> None:
    answer = one.until("apply", change)
    assert answer["outcome"] == "applied", answer
    assert one.status(change) is Status.WATCHING
    assert one.look("n").is_visible
    assert left(one) == []
    assert one.turns.holder == {}
    if attempts:
        assert one.store.change(change.id).progress["job"]["attempt"] == attempts


@SERVERS
def test_build_survives_a_cut_connection(patient: Any) -> None:
    change = build(patient)
    with reader(patient):
        started(patient, change)
        for sent in worker._unfinished:
            sent._connection._sock.close()
        worker._unfinished.clear()
    ended_well(patient, change)


@SERVERS
def test_build_is_repeated_after_a_server_crash(patient: Any) -> None:
    change = build(patient)
    with reader(patient):
        started(patient, change)
        patient.running.restart(crash=True)
    ended_well(patient, change, attempts=2)


@SERVERS
def test_three_lock_timeouts_fail_the_build_without_leftovers(scene: Callable[..., Any], installation: Any) -> None:
    one = scene(installation, rows=200)
    change = build(one)
    with reader(one):
        answer = one.until("apply", change)
    assert answer["outcome"] == "failed"
    assert "in 3 attempts" in answer["message"]
    assert one.status(change) is Status.FAILED
    assert (one.look("n"), left(one), one.turns.holder) == (None, [], {})


@SERVERS
def test_dropped_table_fails_the_build(patient: Any) -> None:
    change = build(patient)
    with reader(patient):
        pid = started(patient, change)
        patient.run(f"KILL CONNECTION {pid}")
    patient.run("DROP TABLE `Ta ble`")
    answer = patient.until("apply", change)
    assert answer["outcome"] == "failed"
    assert "dropped meanwhile" in answer["message"]
    assert (patient.status(change), left(patient)) == (Status.FAILED, [])
