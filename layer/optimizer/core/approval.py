"""The question that a run asks people, and what makes an answer to it valid. Pure: storing it is `runs.RunStore`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from optimizer.core.errors import OptimizerError

# Whom the only link is for where the policy lists no approvers.
ANYONE = "anyone"
LONGEST_NAME = 80
LONGEST_REASON = 500


class ApprovalStatus(StrEnum):
    """Where the question is; it is answered once."""

    PENDING = "pending"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class AnswerRefused(OptimizerError, ValueError):
    """The answer does not count; the message says why."""


class AlreadyAnswered(AnswerRefused):
    """The question is closed, or this approver has answered it."""


class ApprovalExpired(AnswerRefused):
    """The time to answer is over."""


class DifferentPlan(AnswerRefused):
    """The answer was given to another plan than the one that is asked about."""


class NotAsked(AnswerRefused):
    """The answer names a change that the question does not hold, or comes from somebody who was not asked."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one approver said. `approver` is whose link or name it was, `by` the name that was typed, `channel` "link"
    or "iam", `origin` where it came from (address and browser, or the ARN of the caller)."""

    approver: str
    by: str
    approved: tuple[str, ...]
    reason: str
    at: datetime
    channel: str = "link"
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Approval:
    """Changes that wait for people. `digest` is the plan's: an answer counts for exactly that plan. `changes` maps each
    change's id to its tuner, `change_digests` to its digest. `needed` of the `approvers` must approve a change; one of
    them rejects it alone. `giving_back_at`: when the run was last about to be told; `given_back_at`: when it was."""

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
        """The question with one more answer: what an approver does not approve is rejected. AnswerRefused otherwise."""
        if self.status is not ApprovalStatus.PENDING:
            raise AlreadyAnswered(f"Run {self.run_id} waits for no answer any more: it was {self.status.value}.")
        if vote.at >= self.expires_at:
            raise ApprovalExpired(f"Run {self.run_id} could be answered until {self.expires_at:%Y-%m-%d %H:%M %Z}.")
        if digest != self.digest:
            raise DifferentPlan(f"The plan of run {self.run_id} is not the one that was answered.")
        if vote.approver not in self.approvers:
            raise NotAsked(f"Run {self.run_id} does not ask {vote.approver}; it asks {', '.join(self.approvers)}.")
        if self.vote_of(vote.approver):
            raise AlreadyAnswered(f"{vote.approver} has answered run {self.run_id}; an answer counts once.")
        unknown = sorted(set(vote.approved) - set(self.changes))
        if unknown:
            raise NotAsked(f"Run {self.run_id} does not ask about {', '.join(unknown)}.")
        vote = _checked(vote)
        voted = replace(self, votes=(*self.votes, vote))
        if voted.outstanding == 0:
            return replace(voted, status=ApprovalStatus.ANSWERED, closed_at=vote.at)
        return voted

    def vote_of(self, approver: str) -> Vote | None:
        """What this approver said, if anything."""
        return next((vote for vote in self.votes if vote.approver == approver), None)

    @property
    def outstanding(self) -> int:
        """How many answers are still wanted: none once nothing is left that everybody so far has approved."""
        return max(0, self.needed - len(self.votes)) if self._agreed else 0

    @property
    def _agreed(self) -> set[str]:
        return set(self.changes).intersection(*(vote.approved for vote in self.votes))

    @property
    def approved(self) -> tuple[str, ...]:
        """The changes that may be made: those that everybody who was needed has approved."""
        return tuple(sorted(self._agreed)) if self.status is ApprovalStatus.ANSWERED else ()

    def verdict_on(self, change_id: str) -> str:
        """One sentence for the record of a change: who approved or rejected it, and why."""
        if change_id in self.approved:
            return f"Approved by {'; '.join(_said(vote) for vote in self.votes)}."
        against = [_said(vote) for vote in self.votes if change_id not in vote.approved]
        return f"Rejected by {'; '.join(against)}." if against else "Not approved by as many as were needed."

    def ask_again(self, task_token: str, asked_at: datetime, expires_at: datetime) -> "Approval":
        """The question of a run that waits anew, with the answers it has: the newer task token counts."""
        return replace(self, task_token=task_token, asked_at=asked_at, expires_at=expires_at)

    def close(self, status: ApprovalStatus, now: datetime) -> "Approval":
        """The question as it is when the run waits no more, for whatever reason: nothing is approved."""
        return replace(self, status=status, closed_at=now)

    def giving_back(self, now: datetime) -> "Approval":
        """The run is about to be told."""
        return replace(self, giving_back_at=now)

    def given_back(self, now: datetime) -> "Approval":
        """The run has been told; its task token has served."""
        return replace(self, given_back_at=self.given_back_at or now, task_token="")

    def answers(self) -> dict[str, list[dict[str, str]]]:
        """`{"approved": [{"change_id", "tuner"}], "rejected": [...]}`, as the state machine reads it."""
        pairs = [{"change_id": change_id, "tuner": tuner} for change_id, tuner in sorted(self.changes.items())]
        return {
            "approved": [pair for pair in pairs if pair["change_id"] in self.approved],
            "rejected": [pair for pair in pairs if pair["change_id"] not in self.approved],
        }

    def shows(self, digests: Mapping[str, str]) -> bool:
        """Whether changes with these digests are exactly those that are asked about."""
        return dict(digests) == dict(self.change_digests)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Approval":
        """Read `canonical.plain(approval)` back."""
        times = {name: document[name] for name in ("closed_at", "giving_back_at", "given_back_at")}
        return cls(
            **{
                **document,
                **{name: datetime.fromisoformat(time) if time else None for name, time in times.items()},
                "asked_at": datetime.fromisoformat(document["asked_at"]),
                "expires_at": datetime.fromisoformat(document["expires_at"]),
                "status": ApprovalStatus(document["status"]),
                "approvers": tuple(document["approvers"]),
                "votes": tuple(_vote(vote) for vote in document["votes"]),
            }
        )


def _checked(vote: Vote) -> Vote:
    by, reason = " ".join(vote.by.split()), vote.reason.strip()
    if not by:
        raise AnswerRefused("An answer needs the name of who gives it.")
    if len(by) > LONGEST_NAME or len(reason) > LONGEST_REASON:
        raise AnswerRefused(f"A name has at most {LONGEST_NAME} characters, a reason {LONGEST_REASON}.")
    return replace(vote, by=by, reason=reason, approved=tuple(sorted(set(vote.approved))))


def _said(vote: Vote) -> str:
    who = vote.by if vote.approver == ANYONE else f"{vote.by} ({vote.approver})"
    return f"{who}: {vote.reason.rstrip('.')}" if vote.reason else who


def _vote(document: Mapping[str, Any]) -> Vote:
    at, approved = datetime.fromisoformat(document["at"]), tuple(document["approved"])
    return Vote(**{**document, "at": at, "approved": approved})


def approvers_named(approvers: Collection[str]) -> tuple[str, ...]:
    """Who is asked, where the policy lists these."""
    return tuple(approvers) or (ANYONE,)
