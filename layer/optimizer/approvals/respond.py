"""Take the answer of one approver, whichever way it came."""

from optimizer.approvals.settle import ApprovalContended, TellRun, settle
from optimizer.core import Approval, DifferentPlan, StoredChange, Vote
from optimizer.store import RunStore


def record_response(store: RunStore, asked: Approval, vote: Vote, digest: str, tell_run: TellRun) -> Approval:
    """Record one approver's response to an approval request as it was loaded; return the request as it then is.

    The write is conditional on the request that was loaded; the request is loaded again only if somebody else changed
    it in between. When no other response is needed, the run is told. A response that was recorded earlier and did not
    reach the run, because that call died, is finished first. Raises AnswerRefused, which says why a response does not
    count.
    """
    for _ in range(5):
        asked = settle(store, asked, vote.at, tell_run)
        check_unchanged(asked, store.changes(asked.changes))
        voted = asked.answer(vote, digest)
        if store.replace_approval(asked, voted):
            return settle(store, voted, vote.at, tell_run)
        asked = store.approval(asked.run_id) or asked
    raise ApprovalContended(f"The approval request of run {asked.run_id} changed at each of 5 attempts; try again.")


def check_unchanged(asked: Approval, changes: list[StoredChange]) -> None:
    """DifferentPlan unless these changes are, to the last digit, those that were asked about."""
    if not asked.shows({stored.change.id: stored.change.digest for stored in changes}):
        raise DifferentPlan(f"The changes of run {asked.run_id} are not those that were asked about.")
