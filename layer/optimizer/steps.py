"""What the steps of a Change answer the state machine; docs/architecture.md says which outcomes there are."""

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


def ended(stored: StoredChange) -> Answer:
    """What to answer where the change is past the step that was asked for."""
    outcome = _NEVER_STARTED.get(stored.status, stored.status.value)
    return answer(outcome, stored.change.id, stored.message)
