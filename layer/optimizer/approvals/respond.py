"""Record the response of one approver, from the page or a direct call."""

from optimizer.approvals.settle import ApprovalContended, TellRun, settle
from optimizer.core import Approval, DifferentPlan, StoredChange, Vote
from optimizer.store import RunStore


def record_response(store: RunStore, approval: Approval, vote: Vote, digest: str, tell_run: TellRun) -> Approval:
    """Record one approver's response to an approval request as it was loaded; return the request as it then is.

    The write is conditional on the request that was loaded; the request is loaded again only if somebody else changed
    it in between. When no other response is needed, the run is told. A response that was recorded earlier and did not
    reach the run, because that call died, is finished first. Raises AnswerRefused, which says why a response does not
    count.
    """
    for _ in range(5):
        approval = settle(store, approval, vote.at, tell_run)
        check_unchanged(approval, store.changes(approval.changes))
        voted = approval.answer(vote, digest)
        if store.replace_approval(approval, voted):
            return settle(store, voted, vote.at, tell_run)
        approval = store.approval(approval.run_id) or approval
    raise ApprovalContended(f"The approval request of run {approval.run_id} changed at each of 5 attempts; try again.")


def check_unchanged(approval: Approval, changes: list[StoredChange]) -> None:
    """Raise DifferentPlan unless these are exactly the changes of the approval request."""
    if not approval.shows({stored.change.id: stored.change.digest for stored in changes}):
        raise DifferentPlan(f"The changes of run {approval.run_id} differ from those of its approval request.")
