"""Responses of callers whom IAM lets invoke the Lambda: the same request and rules as on the page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optimizer.approvals import describe
from optimizer.approvals.respond import record_response
from optimizer.approvals.tell_run import TellPeople, TellRun
from optimizer.aws import check_event, digest, list_of, name, one_of, optional, text
from optimizer.core import AnswerRefused, Approval, NotAsked, Vote
from optimizer.store import RunStore

UNKNOWN = {"outcome": "unknown", "message": "This run has no approval request, or does not exist."}
_RESPONSE_EVENT = {
    "digest": digest,
    "approver": name,
    "by": text,
    "approved": list_of(name),
    "reason": optional(text),
    "principal": optional(text),
}


def direct_step(event: Any) -> str:
    """Return `show` or `answer`; raises InvalidEvent if the event cannot be handled."""
    check_event(event, step=one_of("show", "answer"), run_id=name)
    if event["step"] == "answer":
        check_event(event, **_RESPONSE_EVENT)
    return str(event["step"])


def show_approval_request(store: RunStore, run_id: str) -> dict[str, Any]:
    """Return the approval request of a run with its responses, or `{"outcome": "unknown"}`; never the task token."""
    approval = store.approval(run_id)
    if approval is None:
        return {**UNKNOWN, "run_id": run_id}
    return {"outcome": "shown", **_document(approval), "changes": _changes(store, approval)}


def respond_directly(
    store: RunStore, event: Mapping[str, Any], now: datetime, tell_run: TellRun, tell_people: TellPeople
) -> dict[str, Any]:
    """Record the response in the event; docs/architecture.md, answer_approval."""
    vote = Vote(
        approver=str(event["approver"]),
        by=str(event["by"]),
        approved=tuple(event["approved"]),
        reason=str(event.get("reason") or ""),
        at=now,
        channel="iam",
        origin=str(event.get("principal") or "")[:300],
    )
    try:
        approval = store.approval(event["run_id"])
        if approval is None:
            raise NotAsked(f"Run {event['run_id']} has no approval request.")
        approval = record_response(store, approval, vote, event["digest"], tell_run, tell_people)
    except AnswerRefused as refused:
        return {"outcome": "refused", "run_id": event["run_id"], "message": str(refused)}
    outcome = "recorded" if approval.outstanding else approval.status.value
    return {"outcome": outcome, **_document(approval)}


def _document(approval: Approval) -> dict[str, Any]:
    answers = approval.answers() if approval.closed_at else {"approved": [], "rejected": []}
    return {
        "run_id": approval.run_id,
        "status": approval.status.value,
        "digest": approval.digest,
        "expires_at": approval.expires_at.isoformat(),
        "approvers": list(approval.approvers),
        "needed": approval.needed,
        "outstanding": approval.outstanding if approval.closed_at is None else 0,
        "votes": [
            {"approver": vote.approver, "by": vote.by, "approved": list(vote.approved), "at": vote.at.isoformat()}
            for vote in approval.votes
        ],
        **{name: [pair["change_id"] for pair in pairs] for name, pairs in answers.items()},
    }


def _changes(store: RunStore, approval: Approval) -> list[dict[str, str]]:
    return [
        {
            "change_id": line.change_id,
            "title": describe.title(line),
            "reason": describe.why(line),
            "price": describe.price(line),
            "risk": describe.risk(line),
        }
        for line in describe.shown(store.changes(approval.changes))
    ]
