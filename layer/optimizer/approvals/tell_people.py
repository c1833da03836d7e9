"""Tell people of the responses to an approval request, so that a link that was misused is noticed by somebody."""

from datetime import datetime
from typing import Any

from optimizer.approvals.message import response_message
from optimizer.approvals.send import RequestSender
from optimizer.approvals.topics import NO_TOPIC, topic_of, unreached
from optimizer.core import ANYONE
from optimizer.report import mail_once, publish_once
from optimizer.store import RunStore


def tell_answers(store: RunStore, sender: RequestSender, run_id: str, now: datetime) -> dict[str, Any]:
    """Publish each response of a run's approval request once: on the topics, on the bus, and to every approver.

    Whoever is an approver and has the messages for people gets two mails: neither way may depend on the other.
    """
    approval = store.approval(run_id)
    if approval is None:
        return {"outcome": "unknown", "run_id": run_id, "responses": 0}
    changes = store.changes(approval.changes)
    named = [approver for approver in approval.approvers if approver != ANYONE]
    lost = unreached(sender.channels.sns, sender.topics, named)
    for vote in approval.votes:
        message, about = response_message(approval, vote, changes, sender.stack), f"ANSWER#{run_id}#{vote.approver}"
        publish_once(sender.channels, store, about, message, now)
        for approver in named:
            if lost.get(approver) != NO_TOPIC:
                channels = sender.channels.of_one_approver(topic_of(sender.topics, approver))
                mail_once(channels, store, f"{about}#{approver}", message, now)
    return {"outcome": "told", "run_id": run_id, "responses": len(approval.votes)}
