"""Lives of changes, driven as change.asl.json does, with every call of every step gone wrong on the way."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from optimizer import canonical
from optimizer.changes import Change, Status
from optimizer.policy import Policy
from stage import NOW, Clock, PutBack, Stage, Step

RUN = "run-1"
# What follows, by the step and its answer.
_NEXT = {
    ("apply", "pending"): "poll",
    ("poll", "pending"): "poll",
    ("apply", "applied"): "verify",
    ("poll", "applied"): "verify",
    ("poll", "failed"): "revert",
    ("verify", "watch"): "verify",
    ("verify", "keep"): "keep",
    ("verify", "revert"): "revert",
    ("keep", "pending"): "keep",
    ("revert", "pending"): "revert",
}


def record(stage: Stage, change: Change, policy: Mapping[str, Any] | Policy) -> None:
    """The change as a run leaves it that may make it."""
    stage.documents.write(f"runs/{RUN}/policy.json", canonical.plain(policy))
    stage.store.record_change(change, Status.APPROVED, NOW)


def live_through(
    stage: Stage,
    function: str,
    change: Change,
    in_force: Callable[[], Any],
    between: Callable[[str], None] = lambda _step: None,
) -> list[str]:
    """The whole life with all its faults; the outcomes of its steps. `in_force`: what the change is about as it is in
    the world. `between`: what else happens before a step."""
    reason = {"step": "revert", "run_id": RUN, "change_id": change.id, "reason": "a step failed"}
    back = PutBack(Step(function, reason), in_force, in_force())
    return _life(function, change, between, lambda step: stage.every_fault(step, back))


def live_on(stage: Stage, function: str, change: Change, between: Callable[[str], None], step: str) -> list[str]:
    """The life from a step on, as it is where nothing goes wrong."""
    return _life(function, change, between, stage.run, step)


def _life(
    function: str,
    change: Change,
    between: Callable[[str], None],
    run: Callable[[Step], dict[str, Any]],
    step: str = "apply",
) -> list[str]:
    outcomes: list[str] = []
    while len(outcomes) < 60:
        between(step)
        event: dict[str, Any] = {"step": step, "run_id": RUN, "change_id": change.id}
        if step == "verify":
            event["verification"] = sum(outcome in ("applied", "watch") for outcome in outcomes)
        answer = run(Step(function, event))
        outcomes.append(answer["outcome"])
        following = _NEXT.get((step, answer["outcome"]))
        if following is None:
            return outcomes
        step = following
        Clock.at += timedelta(seconds=answer.get("wait_s", 0))
    raise AssertionError(f"no end: {outcomes}")
