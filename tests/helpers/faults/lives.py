"""Drive the lives of changes as change.asl.json does."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from local_account.next_step import NEXT_STEP
from optimizer.core import canonical_json
from optimizer.core.change import Change, Status
from optimizer.policy.model import Policy

from tests.helpers.faults.stage import NOW, Clock, PutBack, Stage, Step

RUN = "run-1"


def _nothing(_stage: Stage, _step: str) -> None:
    pass


@dataclass(frozen=True)
class Life:
    """A change and the world it comes into.

    `begin` puts that world into the account. `in_force` reads the state that the change is about. `between` runs before
    each step. `ends` is the last outcome. `waits` is the least duration of its observation where it is kept. For
    `on_the_way` see Stage, for `reported` see Step.
    """

    function: str
    change: Change
    policy: Mapping[str, Any] | Policy
    begin: Callable[[Stage], None]
    in_force: Callable[[Stage], Any]
    ends: str
    waits: timedelta
    between: Callable[[Stage, str], None] = _nothing
    on_the_way: str = "(?!)"
    reported: Callable[[dict[str, Any]], bool] | None = None

    def start(self, stage: Stage) -> None:
        """Record the change as a run leaves it that may apply it."""
        self.begin(stage)
        stage.on_the_way = re.compile(self.on_the_way)
        stage.documents.write(f"runs/{RUN}/policy.json", canonical_json.plain(self.policy))
        stage.store.record_change(self.change, Status.APPROVED, NOW)

    def step(self, name: str, verification: int = 0, reason: str = "") -> Step:
        """Return an invocation."""
        event: dict[str, Any] = {"step": name, "run_id": RUN, "change_id": self.change.id}
        event |= {"verification": verification} if name == "verify" else {}
        made = Step(self.function, event | ({"reason": reason} if reason else {}))
        return replace(made, reported=self.reported) if self.reported else made

    def with_every_fault(self, stage: Stage) -> list[str]:
        """Run all steps, with every call of every step gone wrong on the way; return their outcomes."""
        former = self.in_force(stage)
        back = PutBack(self.step("revert", reason="a step failed"), lambda: self.in_force(stage), former)
        return self.go(stage, lambda step: stage.every_fault(step, back))

    def go(self, stage: Stage, run: Callable[[Step], dict[str, Any]], set_clock: bool = True) -> list[str]:
        """Run from apply to the end; return the outcomes of the steps."""
        outcomes: list[str] = []
        step, verification = "apply", 0
        while len(outcomes) < 60:
            self.between(stage, step)
            verification += step == "verify"
            answer = run(self.step(step, verification))
            outcomes.append(answer["outcome"])
            following = NEXT_STEP.get((step, answer["outcome"]))
            if following is None:
                return outcomes
            step = following
            if set_clock:
                Clock.at += timedelta(seconds=answer.get("wait_s", 0))
        raise AssertionError(f"no end: {outcomes}")
