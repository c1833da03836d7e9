"""The Lambda that applies changes is killed after each write and statement; the result is always the same."""

from collections.abc import Callable
from typing import Any

import pytest
from local_account.servers import mariadb, mysql, postgresql
from optimizer.core.change import Change, Status
from optimizer.indexes.change.session import SessionWorker


def on(*installations: Any) -> pytest.MarkDecorator:
    """Run the test on each of the servers."""
    return pytest.mark.parametrize("installation", installations, ids=lambda known: known.name)


class Killed(BaseException):
    """The end of the process, which no code under test may catch."""


class Death:
    """The death after a number of writes and statements, which `past` counts."""

    def __init__(self, after: int) -> None:
        self.after, self.past = after, 0

    def __call__(self, _what: str = "") -> None:
        self.past += 1
        if self.past == self.after:
            raise Killed


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any, int], Death]:
    """Let the code of a scene die after a number of writes and statements."""
    send = SessionWorker.send

    def prepare(one: Any, after: int) -> Death:
        death = Death(after)
        one.store._called = death

        def sent(self: SessionWorker, statement: str, within_s: float) -> bool:
            death("about to send")
            done = send(self, statement, within_s)
            death("sent")
            return done

        monkeypatch.setattr(SessionWorker, "send", sent)
        return death

    return prepare


def whole(one: Any, change: Change) -> dict[str, Any]:
    """Take the change from apply to its end; repeat each step that dies in a new environment."""
    step, answer = "apply", None
    for _ in range(200):
        try:
            answer = one.step(step, change)
        except Killed:
            continue
        if answer["outcome"] == "pending":
            step = "poll" if step == "apply" else step
        elif answer["outcome"] in ("applied", "watch"):
            step = "verify"
        elif answer["outcome"] in ("keep", "revert"):
            step = answer["outcome"]
        else:
            return answer
        one.pause(answer.get("wait_s", 0))
    raise AssertionError(f"it does not end: {answer}")


def deaths(
    one: Any, dying: Callable[[Any, int], Death], make: Callable[[int], Change], check: Callable[[Change], None]
) -> int:
    """Apply one change for each moment of death until one survives; return their number."""
    for after in range(1, 100):
        change = make(after)
        death = dying(one, after)
        answer = whole(one, change)
        one.store._called = lambda _what: None
        assert answer["outcome"] == "kept", (after, answer)
        assert one.status(change) is Status.KEPT
        assert one.invalid() == []
        assert one.turns.holder == {}, after
        check(change)
        if death.past < after:
            return after
    raise AssertionError("it never ends")


def test_rebuild_succeeds_wherever_it_is_killed(scene: Any, dying: Any) -> None:
    one = scene(postgresql.WHEEL_18, rows=200)
    marks = {one.look().mark}

    def check(_change: Change) -> None:
        live = one.look()
        assert live.is_valid
        assert live.mark not in marks
        marks.add(live.mark)

    assert deaths(one, dying, lambda n: one.change("rebuild", run_id=f"run-{n}"), check) > 8


@on(postgresql.WHEEL_18, mariadb.PLAIN)
def test_new_index_exists_once_wherever_it_is_killed(scene: Any, dying: Any, installation: Any) -> None:
    one = scene(installation, rows=200)

    def make(number: int) -> Change:
        definition = f'CREATE INDEX "n{number}" ON "Shop""s"."Ta ble" (b)'
        if not one.is_postgresql:
            definition = f"INDEX `n{number}` (`b`)"
        return one.change("create_index", index=f"n{number}", run_id=f"run-{number}", after={"definition": definition})

    def check(change: Change) -> None:
        assert one.look(change.before["index"]).is_valid

    assert deaths(one, dying, make, check) > 8


@on(postgresql.WHEEL_18)
def test_drop_succeeds_wherever_it_is_killed(scene: Any, dying: Any, installation: Any) -> None:
    one = scene(installation, rows=200)

    def make(number: int) -> Change:
        if one.look() is None:
            one.run(create(one))
        return one.change("drop_index", run_id=f"run-{number}")

    def check(change: Change) -> None:
        assert one.look() is None
        assert one.store.change(change.id).progress["definition"] == change.before["definition"]

    assert deaths(one, dying, make, check) > 8


@on(postgresql.WHEEL_18, mysql.MYSQL, mariadb.PLAIN)
def test_drop_is_rolled_back_wherever_it_is_killed(scene: Any, dying: Any, installation: Any) -> None:
    one = scene(installation, rows=200)
    before = one.look()
    for after in range(1, 100):
        change = one.change("drop_index", run_id=f"run-{after}")
        assert one.whole(change)["outcome"] == "kept"
        death = dying(one, after)
        answer = {"outcome": "pending", "wait_s": 0}
        while answer["outcome"] == "pending":
            one.pause(answer["wait_s"])
            try:
                answer = one.step("revert", change)
            except Killed:
                continue
        one.store._called = lambda _what: None
        assert answer["outcome"] == "reverted", (after, answer)
        assert (one.look().definition, one.look().is_visible) == (before.definition, True)
        assert one.invalid() == []
        if death.past < after:
            return
    raise AssertionError("it never ends")


def create(one: Any) -> str:
    return (
        'CREATE INDEX "I ndex" ON "Shop""s"."Ta ble" (a, b)'
        if one.is_postgresql
        else "CREATE INDEX `I ndex` ON `Ta ble` (a, b)"
    )
