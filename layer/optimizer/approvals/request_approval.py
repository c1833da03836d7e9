"""Ask people about the changes of a run, and record it when they do not answer."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from optimizer.approvals.settle import UNANSWERED, ApprovalContended, TellRun, close, reject
from optimizer.core import Approval, ApprovalStatus, DifferentPlan, approvers_named
from optimizer.policy import Policy
from optimizer.store import RunStore

# Sends one approver the link to the question.
type Send = Callable[[Approval, str], None]


def ask(
    store: RunStore, policy: Policy, event: Mapping[str, Any], now: datetime, send: Send, tell_run: TellRun
) -> dict[str, Any]:
    """Record the question, then send each approver a link. The run waits for its task token, which stays in the table.

    Asked again by a run that waits anew, the newer token counts and whoever has not answered gets a newer link; a
    question that is closed is answered at once, as it was before.
    """
    asked = _recorded(store, question(store, policy, event, now))
    if asked.status is not ApprovalStatus.PENDING:
        tell_run(event["task_token"], {"outcome": "answered", **asked.answers()})
        return {"outcome": "answered", "run_id": asked.run_id}
    waiting = [approver for approver in asked.approvers if not asked.vote_of(approver)]
    for approver in waiting:
        send(asked, approver)
    return {"outcome": "asked", "run_id": asked.run_id, "approvers": len(waiting), "changes": len(asked.changes)}


def question(store: RunStore, policy: Policy, event: Mapping[str, Any], now: datetime) -> Approval:
    """The question that an event of request_approval asks."""
    pairs: Sequence[Mapping[str, str]] = event["ask"]
    changes = {pair["change_id"]: pair["tuner"] for pair in pairs}
    return Approval(
        run_id=event["run_id"],
        plan_key=event["plan_key"],
        digest=event["digest"],
        task_token=event["task_token"],
        changes=changes,
        change_digests={stored.change.id: stored.change.digest for stored in store.changes(changes)},
        asked_at=now,
        expires_at=now + timedelta(seconds=event["timeout_s"]),
        approvers=approvers_named([approver.name for approver in policy.approvals.approvers]),
        needed=policy.approvals.needed,
        time_zone=policy.time_zone,
    )


def expire(store: RunStore, run_id: str, now: datetime) -> dict[str, Any]:
    """Record that the run has stopped waiting, which rejects everything that was asked about."""
    asked = store.approval(run_id)
    if asked is None:
        return {"outcome": "expired", "run_id": run_id, "rejected": reject(store, run_id, (), now, UNANSWERED)}
    # An answer that came in the last second and did not reach the run counts no more.
    close(store, asked, ApprovalStatus.EXPIRED, now, UNANSWERED)
    return {"outcome": "expired", "run_id": run_id, "rejected": len(asked.changes)}


def _recorded(store: RunStore, asked: Approval) -> Approval:
    """The question as it is in the table, with the newer task token while it is open."""
    for _ in range(5):
        if store.put_approval(asked):
            return asked
        known = store.approval(asked.run_id)
        if known is None:
            continue
        if known.digest != asked.digest:
            raise DifferentPlan(f"run {asked.run_id} has asked about another plan before")
        if known.status is not ApprovalStatus.PENDING:
            return known
        again = known.ask_again(asked.task_token, asked.asked_at, asked.expires_at)
        if store.replace_approval(known, again):
            return again
    raise ApprovalContended(f"the question of run {asked.run_id} changed again and again; try again")
