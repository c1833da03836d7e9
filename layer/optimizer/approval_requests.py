"""Ask people about the changes of a run, and record what became of the question."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from optimizer.approvals import Approval
from optimizer.changes import Status
from optimizer.runs import RunStore

NOT_OFFERED = "approvals cannot be given in this version: set the tuner's mode to auto or recommend"
UNANSWERED = "nobody answered in time"


def ask(
    store: RunStore,
    event: Mapping[str, Any],
    now: datetime,
    give_back: Callable[[str, Mapping[str, Any]], None],
) -> dict[str, Any]:
    """Record the question and reject everything in it: there is no way to answer yet, and a run must not wait for
    one. `give_back(task_token, answer)` wakes the run. Asked again, the first answer is given again."""
    asked = question(event, now)
    if store.put_approval(asked):
        store.answer_approval(asked.answer((), by="optimizer", reason=NOT_OFFERED, digest=asked.digest, now=now))
    answered = store.approval(asked.run_id) or asked
    _reject_waiting(store, asked.run_id, answered.approved, now, NOT_OFFERED)
    give_back(asked.task_token, {"outcome": "answered", **answered.answers()})
    return {"outcome": "answered", "run_id": asked.run_id}


def question(event: Mapping[str, Any], now: datetime) -> Approval:
    """The question that an event of request_approval asks."""
    changes: Sequence[Mapping[str, str]] = event["ask"]
    return Approval(
        run_id=event["run_id"],
        plan_key=event["plan_key"],
        digest=event["digest"],
        task_token=event["task_token"],
        changes={change["change_id"]: change["tuner"] for change in changes},
        asked_at=now,
        expires_at=now + timedelta(seconds=event["timeout_s"]),
    )


def expire(store: RunStore, run_id: str, now: datetime) -> dict[str, Any]:
    """Record that nobody answered, which rejects everything that was asked about."""
    asked = store.approval(run_id)
    # The run has stopped waiting, so an answer that came in the last second counts no more either.
    if asked is not None:
        store.answer_approval(asked.expire(now))
    rejected = _reject_waiting(store, run_id, (), now, UNANSWERED)
    return {"outcome": "expired", "run_id": run_id, "rejected": rejected}


def _reject_waiting(store: RunStore, run_id: str, approved: Collection[str], now: datetime, message: str) -> int:
    """Reject the run's changes that wait for a person and were not approved. Returns how many those are."""
    waiting = [
        stored.change.id
        for stored in store.changes_of(run_id)
        if stored.status is Status.AWAITING_APPROVAL and stored.change.id not in approved
    ]
    for change_id in waiting:
        store.move(change_id, Status.REJECTED, now, frm={Status.AWAITING_APPROVAL}, message=message)
    return len(waiting)
