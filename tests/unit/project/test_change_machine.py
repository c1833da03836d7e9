"""The state machine of a change, with its shipped expressions."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.helpers.asl_player import Player, TaskFailed

WAITS = {"outcome": "pending", "message": "Waits.", "wait_s": 18_000, "waits_until": "2026-12-01T09:00:00Z"}
APPLIED = {"outcome": "applied", "wait_s": 900}
INPUT = {"run_id": "run-1", "change_id": "memory-1", "tuner": "memory"}


class Steps:
    """The services of a change: each call of a step takes its next answer."""

    def __init__(self, **answers: list[dict[str, Any]]) -> None:
        self.answers = answers
        self.taken: list[str] = []
        self.told: list[Mapping[str, Any]] = []
        self.is_run_gone = False

    def act(self, resource: str, arguments: Mapping[str, Any]) -> Any:
        if resource.endswith("sendTaskSuccess"):
            self.told.append(arguments)
            if self.is_run_gone:
                raise TaskFailed("Sfn.TaskTimedOutException")
            return {}
        step = str(arguments.get("Payload", {}).get("step", resource))
        self.taken.append(step)
        return {"Payload": self.answers[step].pop(0)} if step in self.answers else {}


def steps(apply: list[dict[str, Any]]) -> Steps:
    kept = [{"outcome": "keep"}], [{"outcome": "kept"}], [{"outcome": "published"}]
    return Steps(apply=apply, verify=kept[0], keep=kept[1], change=kept[2])


@pytest.mark.parametrize("is_run_gone", [False, True])
@pytest.mark.parametrize("token", ["", "token-of-the-run"])
def test_a_change_that_waits_for_its_window_gives_the_token_back(token: str, is_run_gone: bool) -> None:
    """The run ends at once, and the change is applied when its window opens."""
    made = steps([WAITS, APPLIED])
    made.is_run_gone = is_run_gone
    waited: list[float] = []
    player = Player("change", made.act, wait=waited.append)
    assert player.play({**INPUT, **({"task_token": token} if token else {})}) == "SUCCEEDED"
    assert made.taken == ["apply", "apply", "verify", "keep", "change"]
    assert waited == [18_000, 900]
    assert [told["TaskToken"] for told in made.told] == ([token] if token else [])
    assert all('"outcome":"waits"' in told["Output"] and "Waits." in told["Output"] for told in made.told)


def test_a_change_that_is_rolled_back_while_it_waits_ends_well() -> None:
    made = steps([WAITS, {"outcome": "reverted", "message": "not now"}])
    player = Player("change", made.act)
    assert player.play(INPUT) == "SUCCEEDED"
    assert made.taken == ["apply", "apply", "change"]


def test_a_window_that_is_closed_again_is_waited_for_again() -> None:
    made = steps([WAITS, WAITS, APPLIED])
    assert Player("change", made.act).play(INPUT) == "SUCCEEDED"
    assert made.taken[:3] == ["apply"] * 3


def test_a_window_that_never_opens_is_a_failure() -> None:
    made = Steps(apply=[WAITS] * 30, revert=[{"outcome": "reverted"}])
    player = Player("change", made.act)
    assert player.play(INPUT) == "FAILED"
    assert made.taken[:22] == ["apply"] * 21 + ["revert"]
    assert player.states[-1] == "ChangeFailed"
