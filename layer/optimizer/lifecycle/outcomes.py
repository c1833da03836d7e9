"""The answers that the steps of a change give to the state machine; docs/architecture.md lists them."""

from enum import StrEnum
from typing import Any

from optimizer.core import Status, StoredChange

type Answer = dict[str, Any]


class Outcome(StrEnum):
    """The outcome of a step. The values are read by change.asl.json."""

    APPLIED = "applied"
    PENDING = "pending"
    STALE = "stale"
    REFUSED = "refused"
    FAILED = "failed"
    WATCH = "watch"
    KEEP = "keep"
    REVERT = "revert"
    KEPT = "kept"
    REVERTED = "reverted"


_NEVER_STARTED = {Status.REJECTED: Outcome.REFUSED, Status.RECOMMENDED: Outcome.REFUSED}


def answer(outcome: str, change_id: str, message: str = "", **more: Any) -> Answer:
    """Return an answer; `message` is left out where there is nothing to say."""
    return {"outcome": str(outcome), "change_id": change_id, **({"message": message} if message else {}), **more}


def ended(stored: StoredChange) -> Answer:
    """Return the answer for a change that is past the step that was asked for."""
    outcome = _NEVER_STARTED.get(stored.status, stored.status)
    return answer(outcome, stored.change.id, stored.message)
