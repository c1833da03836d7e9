"""The approval request of a run, and the rules by which a response to it counts. Pure: store.RunStore stores it."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, cast

from optimizer.core import canonical_json
from optimizer.core.errors import OptimizerError

# The approver of the only link if the policy lists none.
ANYONE = "anyone"
LONGEST_NAME = 80
LONGEST_REASON = 500
# The marks that stand between names, approvers and reasons in the record of a response.
_MARKS = re.compile('[();:"]|\\b(?:Approved|Rejected) by\\b', re.IGNORECASE)


class ApprovalStatus(StrEnum):
    """The status of an approval request; it is answered once."""

    PENDING = "pending"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AnswerRefused(OptimizerError, ValueError):
    """A response does not count; the message says why."""


class AlreadyAnswered(AnswerRefused):
    """The approval request is closed, or this approver has responded."""


class ApprovalExpired(AnswerRefused):
    """The time to respond is over."""


class DifferentPlan(AnswerRefused):
    """The response is for another plan than that of the approval request."""


class NotAsked(AnswerRefused):
    """The response names a change outside of the approval request, or comes from somebody who is not an approver."""


@dataclass(frozen=True, slots=True)
class Vote:
    """The response of one approver.

    `approver` is the name in the policy, `by` the name that was typed, `channel` "link" or "iam", `origin` the ARN
    that the caller of the command states; of a page, address and browser are in the log, which has an end.
    """

    approver: str
    by: str
    approved: tuple[str, ...]
    reason: str
    at: datetime
    channel: str = "link"
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """The approval request of a run.

    `digest` is that of the plan: a response counts for exactly that plan. `changes` maps each change's id to its tuner,
    `change_digests` to its digest. `needed` of the `approvers` must approve a change; one rejection rejects it.
    `giving_back_at`: when a call was last about to tell the run; `given_back_at`: when the run was told.
    """

    run_id: str
    plan_key: str
    digest: str
    task_token: str = field(repr=False)
    changes: Mapping[str, str]
    asked_at: datetime
    expires_at: datetime
    change_digests: Mapping[str, str] = field(default_factory=dict)
    approvers: tuple[str, ...] = (ANYONE,)
    needed: int = 1
    time_zone: str = "UTC"
    votes: tuple[Vote, ...] = ()
    status: ApprovalStatus = ApprovalStatus.PENDING
    closed_at: datetime | None = None
    giving_back_at: datetime | None = None
    given_back_at: datetime | None = None

    def answer(self, vote: Vote, digest: str) -> "Approval":
        """Return the request with one more response, which rejects what it does not approve; raises AnswerRefused."""
        if self.status is not ApprovalStatus.PENDING:
            raise AlreadyAnswered(f"The approval request of run {self.run_id} is closed: {self.status.value}.")
        if vote.at >= self.expires_at:
            raise ApprovalExpired(
                f"The approval request of run {self.run_id} expired on {self.expires_at:%Y-%m-%d %H:%M %Z}."
            )
        if digest != self.digest:
            raise DifferentPlan(f"The plan of run {self.run_id} is not the one that the response is for.")
        if vote.approver not in self.approvers:
            raise NotAsked(
                f"{vote.approver} is not an approver of run {self.run_id}; approvers: {', '.join(self.approvers)}."
            )
        if self.vote_of(vote.approver):
            raise AlreadyAnswered(f"{vote.approver} has responded to run {self.run_id}; a response counts once.")
        unknown = sorted(set(vote.approved) - set(self.changes))
        if unknown:
            raise NotAsked(f"The approval request of run {self.run_id} does not contain {', '.join(unknown)}.")
        vote = _checked(vote)
        voted = replace(self, votes=(*self.votes, vote))
        if voted.outstanding == 0:
            return replace(voted, status=ApprovalStatus.ANSWERED, closed_at=vote.at)
        return voted

    def vote_of(self, approver: str) -> Vote | None:
        """Return the response of this approver, or None."""
        return next((vote for vote in self.votes if vote.approver == approver), None)

    @property
    def outstanding(self) -> int:
        """Return how many responses are still needed: none once no change is left that all responses approve."""
        return max(0, self.needed - len(self.votes)) if self._agreed else 0

    @property
    def _agreed(self) -> set[str]:
        return set(self.changes).intersection(*(vote.approved for vote in self.votes))

    @property
    def approved(self) -> tuple[str, ...]:
        """Return the changes that may be applied: those that all needed responses approve."""
        return tuple(sorted(self._agreed)) if self.status is ApprovalStatus.ANSWERED else ()

    def is_rejected(self, change_id: str) -> bool:
        """Return True if somebody rejected the change, and not only too few approved it."""
        return change_id not in self.approved and any(change_id not in vote.approved for vote in self.votes)

    def verdict_on(self, change_id: str) -> str:
        """Return a sentence for the record of a change: who approved or rejected it, and why."""
        if change_id in self.approved:
            return f"Approved by {'; '.join(_name_and_reason(vote) for vote in self.votes)}."
        against = [_name_and_reason(vote) for vote in self.votes if change_id not in vote.approved]
        return f"Rejected by {'; '.join(against)}." if against else "Approved by too few approvers."

    def ask_again(self, task_token: str, asked_at: datetime, expires_at: datetime) -> "Approval":
        """Return the request of a run that waits anew, with its responses and the newer task token."""
        return replace(self, task_token=task_token, asked_at=asked_at, expires_at=expires_at)

    def close(self, status: ApprovalStatus, now: datetime) -> "Approval":
        """Return the request closed without approval, because the run no longer waits."""
        return replace(self, status=status, closed_at=now)

    def giving_back(self, now: datetime) -> "Approval":
        """Return the request with a record that the run is about to be told."""
        return replace(self, giving_back_at=now)

    def given_back(self, now: datetime) -> "Approval":
        """Return the request with a record that the run was told, without the task token."""
        return replace(self, given_back_at=self.given_back_at or now, task_token="")

    def answers(self) -> dict[str, list[dict[str, str]]]:
        """Return `{"approved": [{"change_id", "tuner"}], "rejected": [...]}`, as the state machine reads it."""
        pairs = [{"change_id": change_id, "tuner": tuner} for change_id, tuner in sorted(self.changes.items())]
        return {
            "approved": [pair for pair in pairs if pair["change_id"] in self.approved],
            "rejected": [pair for pair in pairs if pair["change_id"] not in self.approved],
        }

    def shows(self, digests: Mapping[str, str]) -> bool:
        """Return whether changes with these digests are exactly those of the request."""
        return dict(digests) == dict(self.change_digests)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Approval":
        """Read `canonical_json.plain(approval)`."""
        return cast("Approval", canonical_json.read(cls, document))


def _checked(vote: Vote) -> Vote:
    by, reason = " ".join(vote.by.split()), vote.reason.strip()
    if not by:
        raise AnswerRefused("A response needs the name of the person who gives it.")
    if len(by) > LONGEST_NAME or len(reason) > LONGEST_REASON:
        raise AnswerRefused(f"A name has at most {LONGEST_NAME} characters, a reason {LONGEST_REASON}.")
    return replace(vote, by=by, reason=reason, approved=tuple(sorted(set(vote.approved))))


def _name_and_reason(vote: Vote) -> str:
    by = quote_words(vote.by)
    who = by if vote.approver == ANYONE else f"{by} ({vote.approver})"
    return f"{who}: {quote_words(vote.reason.rstrip('.'))}" if vote.reason else who


def quote_words(text: str) -> str:
    """Return what a person typed, in quotes if it could be taken for the names of others around it (CWE-117)."""
    if _MARKS.search(text) is None:
        return text
    inner = text.replace('"', "'")
    return f'"{inner}"'


def approvers_named(approvers: Collection[str]) -> tuple[str, ...]:
    """Return the approvers of a request if the policy lists these."""
    return tuple(approvers) or (ANYONE,)
