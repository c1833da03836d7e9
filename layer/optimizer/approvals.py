"""The question that a run asks people, and what makes an answer to it valid. Pure: storing it is `runs.RunStore`."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any


class ApprovalStatus(StrEnum):
    """Where the question is; it is answered once."""

    PENDING = "pending"
    ANSWERED = "answered"
    EXPIRED = "expired"


class AnswerRefused(ValueError):
    """The answer does not count; the message says why."""


class AlreadyAnswered(AnswerRefused):
    """Somebody else answered, or time ran out and that was recorded."""


class ApprovalExpired(AnswerRefused):
    """The time to answer is over."""


class DifferentPlan(AnswerRefused):
    """The answer was given to another plan than the one that is asked about."""


class NotAsked(AnswerRefused):
    """The answer names a change that the question does not hold."""


@dataclass(frozen=True, slots=True)
class Approval:
    """Changes that wait for a person. `digest` is the plan's: an answer counts for exactly that plan.
    `changes` maps each change's id to its tuner. What is not in `approved` after an answer is rejected."""

    run_id: str
    plan_key: str
    digest: str
    task_token: str
    changes: Mapping[str, str]
    asked_at: datetime
    expires_at: datetime
    status: ApprovalStatus = ApprovalStatus.PENDING
    approved: tuple[str, ...] = ()
    answered_by: str = ""
    answered_at: datetime | None = None
    reason: str = ""

    def answer(self, approved: Collection[str], *, by: str, reason: str, digest: str, now: datetime) -> "Approval":
        """The question with its answer: these changes are approved, all others rejected. AnswerRefused otherwise."""
        if self.status is not ApprovalStatus.PENDING:
            raise AlreadyAnswered(f"run {self.run_id} was already {self.status.value}")
        if now >= self.expires_at:
            raise ApprovalExpired(f"run {self.run_id} could be answered until {self.expires_at.isoformat()}")
        if digest != self.digest:
            raise DifferentPlan(f"the plan of run {self.run_id} is not the one that was answered")
        unknown = sorted(set(approved) - set(self.changes))
        if unknown:
            raise NotAsked(f"run {self.run_id} does not ask about {', '.join(unknown)}")
        if not by.strip():
            raise AnswerRefused("an answer needs the name of who gives it")
        return replace(
            self,
            status=ApprovalStatus.ANSWERED,
            approved=tuple(sorted(set(approved))),
            answered_by=by.strip(),
            answered_at=now,
            reason=reason.strip(),
        )

    def expire(self, now: datetime) -> "Approval":
        """The question as nobody answered it: everything is rejected."""
        return replace(self, status=ApprovalStatus.EXPIRED, approved=(), answered_at=now)

    def answers(self) -> dict[str, list[dict[str, str]]]:
        """`{"approved": [{"change_id", "tuner"}], "rejected": [...]}`, as the state machine reads it."""
        pairs = [{"change_id": change_id, "tuner": tuner} for change_id, tuner in sorted(self.changes.items())]
        return {
            "approved": [pair for pair in pairs if pair["change_id"] in self.approved],
            "rejected": [pair for pair in pairs if pair["change_id"] not in self.approved],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Approval":
        """Read `canonical.plain(approval)` back."""
        answered_at = document["answered_at"]
        return cls(
            **{
                **document,
                "asked_at": datetime.fromisoformat(document["asked_at"]),
                "expires_at": datetime.fromisoformat(document["expires_at"]),
                "status": ApprovalStatus(document["status"]),
                "approved": tuple(document["approved"]),
                "answered_at": datetime.fromisoformat(answered_at) if answered_at else None,
            }
        )
