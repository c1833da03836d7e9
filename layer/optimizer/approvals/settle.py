"""Carry out what people decided: record it with every change, then tell the run. Each step may be repeated."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import Approval, ApprovalStatus, OptimizerError, Status
from optimizer.store import RunStore

UNANSWERED = "Nobody answered in time."
TOO_LATE = "The run had stopped waiting when the answer came."

# Longer than answer_approval may run (template.yaml): whoever began to tell the run before that is done or dead.
TELLING = timedelta(minutes=1)

# Gives the answer to the run by its task token; False if the run waits no more.
type TellRun = Callable[[str, Mapping[str, Any]], bool]


class ApprovalContended(OptimizerError, RuntimeError):
    """The question was changed by others at every attempt to close it; a later attempt can succeed."""


def settle(store: RunStore, answered: Approval, now: datetime, tell_run: TellRun) -> Approval:
    """Record an answered question with its changes and tell the run; returns the question as it then is.

    One call at a time tells it, and records before that it is about to. If it dies in between, a later call cannot tell
    a run that has gone on from one that has ended, and lets the answer stand. Where nobody had begun to tell it, a run
    that waits no more has ended, and the answer is taken back.
    """
    if answered.status is not ApprovalStatus.ANSWERED or answered.given_back_at is not None:
        return answered
    for change_id in answered.changes:
        to = Status.APPROVED if change_id in answered.approved else Status.REJECTED
        store.move(change_id, to, now, frm={Status.AWAITING_APPROVAL}, message=answered.verdict_on(change_id))
    first_time = answered.giving_back_at is None
    if answered.giving_back_at is not None and now < answered.giving_back_at + TELLING:
        return answered
    telling = answered.giving_back(now)
    if not store.replace_approval(answered, telling):
        # Another call settles the same answer, or the run's own time limit closed it.
        return store.approval(answered.run_id) or answered
    told = tell_run(telling.task_token, {"outcome": "answered", **telling.answers()})
    if not told and first_time:
        status = ApprovalStatus.EXPIRED if now >= telling.expires_at else ApprovalStatus.WITHDRAWN
        return close(store, telling, status, now, TOO_LATE)
    done = telling.given_back(now)
    store.replace_approval(telling, done)
    return done


def close(store: RunStore, asked: Approval, status: ApprovalStatus, now: datetime, message: str) -> Approval:
    """Close a question whose run waits no more: nothing that it asked about is made."""
    for _ in range(5):
        if asked.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
            break
        closed = asked.close(status, now)
        if store.replace_approval(asked, closed):
            asked = closed
            break
        asked = store.approval(asked.run_id) or asked
    else:
        raise ApprovalContended(f"the question of run {asked.run_id} changed again and again; try again")
    reject(store, asked.run_id, asked.changes, now, message)
    return asked


def reject(store: RunStore, run_id: str, asked_about: Collection[str], now: datetime, message: str) -> int:
    """Reject what waits for a person in this run, and of `asked_about` also what was approved. Returns how many."""
    waiting = {
        stored.change.id
        for stored in store.changes_of(run_id)
        if stored.status is Status.AWAITING_APPROVAL
        or (stored.status is Status.APPROVED and stored.change.id in asked_about)
    }
    for change_id in waiting:
        frm = {Status.AWAITING_APPROVAL} | ({Status.APPROVED} if change_id in asked_about else set())
        store.move(change_id, Status.REJECTED, now, frm=frm, message=message)
    return len(waiting)
