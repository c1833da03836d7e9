"""What the steps of a Change answer the state machine; docs/architecture.md says which outcomes there are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from optimizer.aws import InvalidEvent
from optimizer.core import StoredChange
from optimizer.lifecycle.outcomes import Answer, answer
from optimizer.store import Overtaken

# As long as the other call may take, at the most a few times over.
_OVERTAKEN_S = 30


class Life(Protocol):
    """The steps in the life of a change of one tuner; docs/architecture.md gives their answers."""

    def apply(self, change_id: str, now: datetime, /) -> Answer:
        """Make it."""

    def poll(self, change_id: str, now: datetime, /) -> Answer:
        """Go on making it."""

    def verify(self, change_id: str, now: datetime, verification: int | None = None, /) -> Answer:
        """Look what it did; `verification` counts from 1."""

    def keep(self, change_id: str, now: datetime, /) -> Answer:
        """The watch is over."""

    def revert(self, change_id: str, now: datetime, reason: str = "", /) -> Answer:
        """Take it back."""


def take(life: Life, event: Mapping[str, Any], now: datetime) -> Answer:
    """Take the step of the event. While another call is at work on the change, this one asks to be called again."""
    change_id, step = event["change_id"], event["step"]
    try:
        match step:
            case "apply":
                return life.apply(change_id, now)
            case "poll":
                return life.poll(change_id, now)
            case "verify":
                return life.verify(change_id, now, event.get("verification"))
            case "keep":
                return life.keep(change_id, now)
            case "revert":
                return life.revert(change_id, now, event.get("reason", ""))
    except Overtaken as overtaken:
        return answer("watch" if step == "verify" else "pending", change_id, str(overtaken), wait_s=_OVERTAKEN_S)
    raise InvalidEvent(f"{step!r} is no step in the life of a change")


def applied_at(stored: StoredChange, now: datetime) -> str:
    """When the change was applied, for the record: not before anything that had to come first, even if the clock here
    is behind. A watch that began too early would take for its effect what was before it."""
    return max([now, *stored.times.values()]).isoformat()


def look_number(progress: Mapping[str, Any], verification: int | None) -> int:
    """Which look a verification is, from 0. `progress` holds how many looks there were (`verified`) and the number of
    the verification that the last one was (`verification`): one that is asked for again, because its answer was lost,
    looks at the same again, and does not take the place of a later one."""
    number = int(progress["verified"])
    asked_again = verification is not None and progress.get("verification") == verification
    return max(0, number - 1) if asked_again else number
