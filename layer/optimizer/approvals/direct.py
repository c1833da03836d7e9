"""Answers of callers whom IAM lets invoke the Lambda: the same question, the same rules, without a page."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from optimizer.approvals import describe
from optimizer.approvals.respond import record_response
from optimizer.approvals.settle import TellRun
from optimizer.aws import check_event, digest, list_of, name, one_of, optional, text
from optimizer.core import AnswerRefused, Approval, NotAsked, Vote
from optimizer.store import RunStore

UNKNOWN = {"outcome": "unknown", "message": "This run asks nothing, or there is no such run."}


# What an event that answers must hold.
_ANSWER = {
    "digest": digest,
    "approver": name,
    "by": text,
    "approved": list_of(name),
    "reason": optional(text),
    "principal": optional(text),
}


def direct_step(event: Any) -> str:
    """`show` or `answer`; InvalidEvent where the event cannot be handled."""
    check_event(event, step=one_of("show", "answer"), run_id=name)
    if event["step"] == "answer":
        check_event(event, **_ANSWER)
    return str(event["step"])


def show_approval_request(store: RunStore, run_id: str) -> dict[str, Any]:
    """The question of a run with its answers, or `{"outcome": "unknown"}`. Never the task token."""
    asked = store.approval(run_id)
    if asked is None:
        return {**UNKNOWN, "run_id": run_id}
    return {"outcome": "shown", **_document(asked), "changes": _changes(store, asked)}


def respond_directly(store: RunStore, event: Mapping[str, Any], now: datetime, tell_run: TellRun) -> dict[str, Any]:
    """Take the answer in the event; docs/architecture.md, answer_approval."""
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
        asked = store.approval(event["run_id"])
        if asked is None:
            raise NotAsked(f"Run {event['run_id']} asks nothing.")
        asked = record_response(store, asked, vote, event["digest"], tell_run)
    except AnswerRefused as refused:
        return {"outcome": "refused", "run_id": event["run_id"], "message": str(refused)}
    outcome = "recorded" if asked.outstanding else asked.status.value
    return {"outcome": outcome, **_document(asked)}


def _document(asked: Approval) -> dict[str, Any]:
    answers = asked.answers() if asked.closed_at else {"approved": [], "rejected": []}
    return {
        "run_id": asked.run_id,
        "status": asked.status.value,
        "digest": asked.digest,
        "expires_at": asked.expires_at.isoformat(),
        "approvers": list(asked.approvers),
        "needed": asked.needed,
        "outstanding": asked.outstanding if asked.closed_at is None else 0,
        "votes": [
            {"approver": vote.approver, "by": vote.by, "approved": list(vote.approved), "at": vote.at.isoformat()}
            for vote in asked.votes
        ],
        **{name: [pair["change_id"] for pair in pairs] for name, pairs in answers.items()},
    }


def _changes(store: RunStore, asked: Approval) -> list[dict[str, str]]:
    return [
        {
            "change_id": line.change_id,
            "title": describe.title(line),
            "reason": describe.why(line),
            "price": describe.price(line),
            "risk": describe.risk(line),
        }
        for line in describe.shown(store.changes(asked.changes))
    ]
