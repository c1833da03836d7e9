"""Record the response of one approver, from the page or a direct call."""

from collections.abc import Collection
from datetime import datetime, timedelta

from optimizer.approvals.tell_run import ApprovalContended, TellPeople, TellRun
from optimizer.core import Approval, ApprovalStatus, DifferentPlan, Status, StoredChange, Vote
from optimizer.store import RunStore

UNANSWERED = "Nobody responded in time."
TOO_LATE = "The run had stopped waiting when the response came."

# Longer than the timeout of answer_approval (template.yaml): a call that began to tell the run before is done or dead.
TELLING = timedelta(minutes=1)


def settle(store: RunStore, answered: Approval, now: datetime, tell_run: TellRun) -> Approval:
    """Record the result of an approval request with its changes and tell the run; return the request as it then is.

    A request that is still open, or whose run has been told, is returned unchanged. One call at a time tells the run,
    and records first that it is about to. If that call dies, a later one cannot distinguish a run that has gone on from
    one that has ended, and lets the responses stand. If nobody had begun to tell it, a run that no longer waits has
    ended: its request is closed and its changes are rejected.
    """
    if answered.status is not ApprovalStatus.ANSWERED or answered.given_back_at is not None:
        return answered
    for change_id in answered.changes:
        to = Status.APPROVED if change_id in answered.approved else Status.REJECTED
        store.move(change_id, to, now, from_any={Status.AWAITING_APPROVAL}, message=answered.verdict_on(change_id))
    for stored in store.changes(change_id for change_id in answered.changes if answered.is_rejected(change_id)):
        store.remember_rejection(stored.change, now, answered.verdict_on(stored.change.id))
    first_time = answered.giving_back_at is None
    if answered.giving_back_at is not None and now < answered.giving_back_at + TELLING:
        return answered
    telling = answered.giving_back(now)
    if not store.replace_approval(answered, telling):
        # Another call settles the same request, or the run's own time limit closed it.
        return store.approval(answered.run_id) or answered
    told = tell_run(telling.task_token, {"outcome": "answered", **telling.answers()})
    if not told and first_time:
        status = ApprovalStatus.EXPIRED if now >= telling.expires_at else ApprovalStatus.WITHDRAWN
        return close(store, telling, status, now, TOO_LATE)
    done = telling.given_back(now)
    store.replace_approval(telling, done)
    return done


def close(store: RunStore, approval: Approval, status: ApprovalStatus, now: datetime, message: str) -> Approval:
    """Close an approval request whose run no longer waits, and reject its changes."""
    for _ in range(5):
        if approval.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
            break
        closed = approval.close(status, now)
        if store.replace_approval(approval, closed):
            approval = closed
            break
        approval = store.approval(approval.run_id) or approval
    else:
        raise ApprovalContended(
            f"The approval request of run {approval.run_id} changed at each of 5 attempts; try again."
        )
    reject(store, approval.run_id, approval.changes, now, message)
    return approval


def reject(store: RunStore, run_id: str, requested: Collection[str], now: datetime, message: str) -> int:
    """Reject the changes of a run that wait for approval, and approved ones of `requested`; return how many."""
    waiting = {
        stored.change.id
        for stored in store.changes_of(run_id)
        if stored.status is Status.AWAITING_APPROVAL
        or (stored.status is Status.APPROVED and stored.change.id in requested)
    }
    for change_id in waiting:
        rejectable = {Status.AWAITING_APPROVAL} | ({Status.APPROVED} if change_id in requested else set())
        store.move(change_id, Status.REJECTED, now, from_any=rejectable, message=message)
    return len(waiting)


def record_response(
    store: RunStore, approval: Approval, vote: Vote, digest: str, tell_run: TellRun, tell_people: TellPeople
) -> Approval:
    """Record one approver's response to an approval request as it was loaded; return the request as it then is.

    The write is conditional on the request that was loaded; the request is loaded again only if somebody else changed
    it in between. People are told of the response; when no other is needed, the run is told. A response that was
    recorded earlier and did not reach the run, because that call died, is finished first. Raises AnswerRefused, which
    says why a response does not count.
    """
    for _ in range(5):
        approval = settle(store, approval, vote.at, tell_run)
        check_unchanged(approval, store.changes(approval.changes))
        voted = approval.answer(vote, digest)
        if store.replace_approval(approval, voted):
            tell_people(approval.run_id)
            return settle(store, voted, vote.at, tell_run)
        approval = store.approval(approval.run_id) or approval
    raise ApprovalContended(f"The approval request of run {approval.run_id} changed at each of 5 attempts; try again.")


def check_unchanged(approval: Approval, changes: list[StoredChange]) -> None:
    """Raise DifferentPlan unless these are exactly the changes of the approval request."""
    if not approval.shows({stored.change.id: stored.change.digest for stored in changes}):
        raise DifferentPlan(f"The changes of run {approval.run_id} differ from those of its approval request.")
