"""Report what became of the changes that people were asked about, when the approval request of a run has ended."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from optimizer.core import Approval, ApprovalStatus, Status, StoredChange
from optimizer.report import text
from optimizer.report.collect import Published, link_details
from optimizer.report.details import run_details
from optimizer.report.message import Message
from optimizer.report.publish import Channels, publish_once
from optimizer.report.summary import Report, summarise
from optimizer.store import Documents, RunStore

KIND = "Approval finished"
_NEVER_APPLIED = frozenset({Status.REFUSED, Status.STALE, Status.REJECTED})


def publish_approval(
    store: RunStore,
    documents: Documents,
    channels: Channels,
    run_id: str,
    now: datetime,
    link: Callable[[str], tuple[str, datetime | None]] | None = None,
) -> Published:
    """Write the run's report again, and publish a message about a request that people responded to.

    Nothing is sent if nobody responded, because the request said what happens then.
    `link` returns the address of the run's report and until when it can be read, or a command and None."""
    approval = store.approval(run_id)
    if approval is None or approval.status is ApprovalStatus.PENDING:
        return Published("", {})
    # Most calls are about runs and changes, which write no page of a resource.
    from optimizer.report.write_again import write_report_again

    asked = list(store.changes(approval.changes))
    write_report_again(store, documents, run_id, asked)
    if approval.status is not ApprovalStatus.ANSWERED:
        return Published("", {})
    about = f"ANSWERED#{run_id}"
    sent_before = bool(store.start_publication(about, now).message_id)
    shown = summarise(store.run(run_id), asked, [], {}, now)
    found = link(run_id) if link else None
    message = Message(
        KIND,
        text.approval_subject(shown, run_id),
        text.approval_body(shown, _responses(approval), *(found or ())),
        run_id,
        approval.status.value,
        shown.severity,
        shown.tuners,
        {**run_details(shown), **(link_details(*found) if found else {})},
    )
    message_id = publish_once(channels, store, about, message, now)
    return Published(message_id, {} if sent_before else _counted(shown, asked))


def _responses(approval: Approval) -> str:
    return "; ".join(
        f"{vote.by} approved {len(vote.approved)} of {len(approval.changes)}{f': {vote.reason}' if vote.reason else ''}"
        for vote in approval.votes
    )


def _counted(shown: Report, asked: list[StoredChange]) -> dict[str, Any]:
    """Return the metrics: the run counted the changes that it applied itself."""
    made = [stored for stored in asked if stored.status not in _NEVER_APPLIED]
    return {"ChangesMade": float(len(made)), "GuardrailsHit": float(len(shown.refused))}
