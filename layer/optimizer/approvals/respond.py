"""Take the answer of one approver, whichever way it came."""

from optimizer.approvals.settle import ApprovalContended, GiveBack, settle
from optimizer.core import Approval, ApprovalStatus, DifferentPlan, NotAsked, StoredChange, Vote
from optimizer.store import RunStore


def answer(store: RunStore, run_id: str, vote: Vote, digest: str, give_back: GiveBack) -> Approval:
    """Record the answer once, and tell the run when nobody else has to answer; returns the question as it then is.
    AnswerRefused says why an answer does not count.

    Whoever comes to an answer that was recorded and did not reach the run, because this died in between, finishes it.
    """
    for _ in range(5):
        asked = store.approval(run_id)
        if asked is None:
            raise NotAsked(f"Run {run_id} asks nothing.")
        if asked.status is ApprovalStatus.ANSWERED:
            asked = settle(store, asked, vote.at, give_back)
        check_unchanged(asked, store.changes(asked.changes))
        voted = asked.answer(vote, digest)
        if store.replace_approval(asked, voted):
            return settle(store, voted, vote.at, give_back)
    raise ApprovalContended(f"the question of run {run_id} changed again and again; try again")


def check_unchanged(asked: Approval, changes: list[StoredChange]) -> None:
    """DifferentPlan unless these changes are, to the last digit, those that were asked about."""
    if not asked.shows({stored.change.id: stored.change.digest for stored in changes}):
        raise DifferentPlan(f"The changes of run {asked.run_id} are not those that were asked about.")
