"""What the steps of a Change answer the state machine; docs/architecture.md says which outcomes there are."""

from collections.abc import Mapping
from typing import Any, Protocol

from optimizer.changes import Status
from optimizer.runs import StoredChange

type Answer = dict[str, Any]

_NEVER_STARTED = {Status.REJECTED: "refused", Status.RECOMMENDED: "refused"}


class Refusal(Protocol):
    """A guardrail that does not hold."""

    @property
    def rule(self) -> str:
        """Its name."""

    @property
    def message(self) -> str:
        """What does not hold, in one sentence."""


def answer(outcome: str, change_id: str, message: str = "", **more: Any) -> Answer:
    """An answer; `message` is left out where there is nothing to say."""
    return {"outcome": outcome, "change_id": change_id, **({"message": message} if message else {}), **more}


def look_number(progress: Mapping[str, Any], verification: int | None) -> int:
    """Which look a verification is, from 0. `progress` holds how many looks there were (`verified`) and the number of
    the verification that the last one was (`verification`): one that is asked for again, because its answer was lost,
    looks at the same again, and does not take the place of a later one."""
    number = int(progress["verified"])
    asked_again = verification is not None and progress.get("verification") == verification
    return max(0, number - 1) if asked_again else number


def ended(stored: StoredChange) -> Answer:
    """What to answer where the change is past the step that was asked for."""
    outcome = _NEVER_STARTED.get(stored.status, stored.status.value)
    return answer(outcome, stored.change.id, stored.message)
