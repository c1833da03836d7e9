"""Record that nobody responds to an approval request any more."""

from datetime import datetime
from typing import Any

from optimizer.approvals.respond import UNANSWERED, close, reject
from optimizer.core import ApprovalStatus
from optimizer.store import RunStore


def expire_approval_request(store: RunStore, run_id: str, now: datetime, reason: str = "") -> dict[str, Any]:
    """Record that nobody can respond any more, which rejects all changes of the approval request.

    `reason` says why; without one nobody responded in time."""
    approval, message = store.approval(run_id), reason or UNANSWERED
    if approval is None:
        return {"outcome": "expired", "run_id": run_id, "rejected": reject(store, run_id, (), now, message)}
    # A response of the last second that did not reach the run does not count.
    close(store, approval, ApprovalStatus.EXPIRED, now, message)
    return {"outcome": "expired", "run_id": run_id, "rejected": len(approval.changes)}
