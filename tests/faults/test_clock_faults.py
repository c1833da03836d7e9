"""Let the clock of one Lambda after the other jump, by a month, two hours, or the hour of daylight saving.

It jumps for one invocation or for good. The world's own clock goes on as it should, and so do the waits of Step
Functions.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count, product
from typing import Any

import pytest
from optimizer.aws import clients
from optimizer.core.change import Status

from tests.faults.test_run_faults import RUN, STEPS, called_by_day
from tests.helpers.faults.lives import Life
from tests.helpers.faults.samples import LIVES
from tests.helpers.faults.stage import NOW, Clock, Stage, Step
from tests.helpers.own_account import TABLE
from tests.helpers.release_lock import release_lock

__all__ = ["called_by_day"]
JUMPS = [timedelta(days=30), timedelta(hours=-2), timedelta(hours=1), timedelta(hours=-1), timedelta(days=-30)]
# The longest wait that a step asks for: an index is hidden for a week.
LONGEST = timedelta(days=7)
ENDED = {"kept": Status.KEPT, "reverted": Status.REVERTED, "stale": Status.STALE, "refused": Status.REFUSED}


@pytest.mark.parametrize("name", LIVES)
def test_change_is_not_kept_before_its_observation_ends(staged: Stage, name: str) -> None:
    life = LIVES[name]()
    life.start(staged)
    former, before = life.in_force(staged), staged.save()
    steps = len(_go(staged, life, timedelta(), lambda _taken: False)[0])
    for jump, jumps_at, for_good in product(JUMPS, range(steps), (False, True)):
        staged.restore(before)
        outcomes, watched = _go(
            staged, life, jump, lambda taken, at=jumps_at, good=for_good: taken == at or (good and taken > at)
        )
        where = f"{jump} at step {jumps_at}{' for good' if for_good else ''}: {outcomes}"
        assert staged.store.change(life.change.id).status is ENDED[outcomes[-1]], where
        if outcomes[-1] == "kept":
            assert life.ends == "kept", where
            assert watched >= life.waits, where
        else:
            assert life.in_force(staged) == former, where


def _go(staged: Stage, life: Life, jump: timedelta, jumped: Callable[[int], bool]) -> tuple[list[str], timedelta]:
    """Return the outcomes of the steps, and the true duration of the observation.

    `jumped` returns whether the clock of the Lambda that takes a step is off.
    """
    applied_at, ended_at, taken = NOW, NOW, count()
    staged.world["true_now"] = NOW

    def run(step: Step) -> dict[str, Any]:
        nonlocal applied_at, ended_at
        true_now = staged.world["true_now"]
        Clock.at = true_now + (jump if jumped(next(taken)) else timedelta())
        answer = staged.run(step)
        wait_s = answer.get("wait_s", 0)
        assert 0 <= wait_s <= LONGEST.total_seconds(), (step.name, answer)
        applied_at = true_now if answer["outcome"] == "applied" else applied_at
        ended_at = true_now
        staged.world["true_now"] = true_now + timedelta(seconds=wait_s)
        return answer

    return life.go(staged, run, set_clock=False), ended_at - applied_at


@pytest.mark.parametrize("jump", [jump for jump in JUMPS if jump < timedelta(hours=8)], ids=str)
def test_lock_survives_clock_jumps_shorter_than_its_lease(called_by_day: Stage, jump: timedelta) -> None:
    assert called_by_day.run(STEPS[0])["outcome"] == "started"
    Clock.at = NOW + jump
    other = replace(STEPS[0], event={**STEPS[0].event, "run_id": "other"})
    assert called_by_day.run(other)["outcome"] == "busy"
    # The run that holds the lock continues when it is started again.
    assert called_by_day.run(STEPS[0])["outcome"] == "started"
    Clock.at = NOW
    assert called_by_day.run(other)["outcome"] == "busy"


def test_run_that_lost_its_lock_does_not_release_it(called_by_day: Stage) -> None:
    called_by_day.run(STEPS[0])
    Clock.at = NOW + timedelta(days=30)
    other = replace(STEPS[0], event={**STEPS[0].event, "run_id": "other"})
    assert called_by_day.run(other)["outcome"] == "started"
    release_lock(clients.client("dynamodb"), TABLE, RUN)
    assert called_by_day.store.lock_holder(NOW) == "other"


@pytest.mark.parametrize("jump", [timedelta(days=30), timedelta(hours=-2), timedelta(hours=-1)], ids=str)
def test_steps_ask_for_periods_that_start_before_they_end(called_by_day: Stage, jump: timedelta) -> None:
    """Metrics and log queries keep their start before their end although the clock jumps between any two steps."""
    asked: list[tuple[Any, Any]] = []

    def noted(operation: str, start: str, end: str) -> None:
        answer = called_by_day.calls.answers[operation]

        def note(request: dict[str, Any]) -> Any:
            asked.append((request[start], request[end]))
            return answer(request)

        called_by_day.calls.answers[operation] = note

    noted("GetMetricData", "StartTime", "EndTime")
    noted("StartQuery", "startTime", "endTime")
    for step in STEPS[:4]:
        called_by_day.run(step)
    before = called_by_day.save()
    for jumps_at in range(len(STEPS)):
        called_by_day.restore(before)
        for number, step in enumerate(STEPS):
            Clock.at = NOW + (jump if number >= jumps_at else timedelta())
            answer = called_by_day.run(step)
            assert not answer.get("failed"), (jumps_at, step.name, answer)
    assert all(start < end for start, end in asked)
