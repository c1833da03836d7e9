"""Send the approval request of a run."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from optimizer.approvals.tell_run import ApprovalContended, TellRun
from optimizer.core import Approval, ApprovalStatus, DifferentPlan, approvers_named
from optimizer.policy import Policy
from optimizer.store import RunStore

# Sends these approvers the link to the approval request.
type Send = Callable[[Approval, Sequence[str]], None]


def send_approval_request(
    store: RunStore, policy: Policy, event: Mapping[str, Any], now: datetime, send: Send, tell_run: TellRun
) -> dict[str, Any]:
    """Record the approval request, then send each approver a link. The run waits for its task token, which stays in the
    table.

    If the run waits anew, the newer token counts and approvers who have not responded get a newer link; the run is told
    the result of a closed request at once.
    """
    approval = _recorded(store, request_of(store, policy, event, now))
    if approval.status is not ApprovalStatus.PENDING:
        tell_run(event["task_token"], {"outcome": "answered", **approval.answers()})
        return {"outcome": "answered", "run_id": approval.run_id}
    waiting = [approver for approver in approval.approvers if not approval.vote_of(approver)]
    send(approval, waiting)
    return {"outcome": "asked", "run_id": approval.run_id, "approvers": len(waiting), "changes": len(approval.changes)}


def request_of(store: RunStore, policy: Policy, event: Mapping[str, Any], now: datetime) -> Approval:
    """Return the approval request of an event of request_approval."""
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


def _recorded(store: RunStore, approval: Approval) -> Approval:
    """Return the request as it is in the table, with the newer task token while it is open."""
    for _ in range(5):
        if store.put_approval(approval):
            return approval
        known = store.approval(approval.run_id)
        if known is None:
            continue
        if known.digest != approval.digest:
            raise DifferentPlan(f"run {approval.run_id} has an approval request for another plan")
        if known.status is not ApprovalStatus.PENDING:
            return known
        again = known.ask_again(approval.task_token, approval.asked_at, approval.expires_at)
        if store.replace_approval(known, again):
            return again
    raise ApprovalContended(f"The approval request of run {approval.run_id} changed at each of 5 attempts; try again.")
