"""Which answers to an approval count."""

from datetime import UTC, datetime, timedelta

import pytest
from optimizer import canonical
from optimizer.approvals import (
    AlreadyAnswered,
    AnswerRefused,
    Approval,
    ApprovalExpired,
    ApprovalStatus,
    DifferentPlan,
    NotAsked,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
QUESTION = Approval(
    run_id="run-1",
    plan_key="runs/run-1/plan.json",
    digest="d" * 64,
    task_token="token",
    changes={"memory-1": "memory", "warmups-2": "warmups"},
    asked_at=NOW,
    expires_at=NOW + timedelta(hours=24),
)


def test_what_is_not_approved_is_rejected() -> None:
    answered = QUESTION.answer(["memory-1"], by=" Anna ", reason="fine", digest=QUESTION.digest, now=NOW)
    assert answered.answers() == {
        "approved": [{"change_id": "memory-1", "tuner": "memory"}],
        "rejected": [{"change_id": "warmups-2", "tuner": "warmups"}],
    }
    assert (answered.answered_by, answered.status) == ("Anna", ApprovalStatus.ANSWERED)


def test_nobody_answering_rejects_everything() -> None:
    assert QUESTION.expire(NOW).answers()["approved"] == []


@pytest.mark.parametrize(
    ("question", "approved", "by", "digest", "after", "error"),
    [
        (QUESTION, [], "Anna", "e" * 64, timedelta(0), DifferentPlan),
        (QUESTION, ["memory-9"], "Anna", "d" * 64, timedelta(0), NotAsked),
        (QUESTION, [], "Anna", "d" * 64, timedelta(hours=24), ApprovalExpired),
        (QUESTION, [], "  ", "d" * 64, timedelta(0), AnswerRefused),
        (QUESTION.expire(NOW), [], "Anna", "d" * 64, timedelta(0), AlreadyAnswered),
    ],
)
def test_an_answer_counts_once_in_time_for_its_plan_by_name(
    question: Approval, approved: list[str], by: str, digest: str, after: timedelta, error: type[Exception]
) -> None:
    with pytest.raises(error):
        question.answer(approved, by=by, reason="", digest=digest, now=NOW + after)


@pytest.mark.parametrize(
    "approval", [QUESTION, QUESTION.answer(["memory-1"], by="Anna", reason="", digest="d" * 64, now=NOW)]
)
def test_an_approval_is_read_back_as_it_was_stored(approval: Approval) -> None:
    assert Approval.from_document(canonical.plain(approval)) == approval
