"""Which answers to a question count, and what they add up to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optimizer.core import canonical_json
from optimizer.core.approval import (
    AlreadyAnswered,
    AnswerRefused,
    Approval,
    ApprovalExpired,
    ApprovalStatus,
    DifferentPlan,
    NotAsked,
    Vote,
)

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DIGEST = "d" * 64
QUESTION = Approval(
    run_id="run-1",
    plan_key="runs/run-1/plan.json",
    digest=DIGEST,
    task_token="token",
    changes={"memory-1": "memory", "warmups-2": "warmups"},
    change_digests={"memory-1": "1" * 64, "warmups-2": "2" * 64},
    asked_at=NOW,
    expires_at=NOW + timedelta(hours=24),
)
THREE = replace(QUESTION, approvers=("anna", "ben", "cleo"), needed=2)


def vote(approver: str, *approved: str, by: str = "Anna", at: datetime = NOW, reason: str = "") -> Vote:
    return Vote(approver, by, approved, reason, at)


def test_what_is_not_approved_is_rejected() -> None:
    answered = QUESTION.answer(vote("anyone", "memory-1", by=" Anna  Berg "), DIGEST)
    assert answered.answers() == {
        "approved": [{"change_id": "memory-1", "tuner": "memory"}],
        "rejected": [{"change_id": "warmups-2", "tuner": "warmups"}],
    }
    assert (answered.votes[0].by, answered.status) == ("Anna Berg", ApprovalStatus.ANSWERED)
    assert answered.verdict_on("memory-1") == "Approved by Anna Berg."
    assert answered.verdict_on("warmups-2") == "Rejected by Anna Berg."


@pytest.mark.parametrize("status", [ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN])
def test_a_question_closed_without_an_answer_approves_nothing(status: ApprovalStatus) -> None:
    half = THREE.answer(vote("anna", "memory-1"), DIGEST)
    assert half.close(status, NOW).answers()["approved"] == []


@pytest.mark.parametrize(
    ("question", "answer", "digest", "error"),
    [
        (QUESTION, vote("anyone"), "e" * 64, DifferentPlan),
        (QUESTION, vote("anyone", "memory-9"), DIGEST, NotAsked),
        (QUESTION, vote("anyone", at=NOW + timedelta(hours=24)), DIGEST, ApprovalExpired),
        (QUESTION, vote("anyone", by="  "), DIGEST, AnswerRefused),
        (QUESTION, vote("anyone", by="x" * 81), DIGEST, AnswerRefused),
        (QUESTION, vote("anyone", reason="x" * 501), DIGEST, AnswerRefused),
        (QUESTION, vote("anna"), DIGEST, NotAsked),
        (THREE, vote("anyone"), DIGEST, NotAsked),
        (QUESTION.close(ApprovalStatus.EXPIRED, NOW), vote("anyone"), DIGEST, AlreadyAnswered),
        (QUESTION.answer(vote("anyone"), DIGEST), vote("anyone"), DIGEST, AlreadyAnswered),
        (THREE.answer(vote("anna", "memory-1"), DIGEST), vote("anna"), DIGEST, AlreadyAnswered),
    ],
)
def test_an_answer_counts_once_in_time_for_its_plan_from_who_was_asked(
    question: Approval, answer: Vote, digest: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        question.answer(answer, digest)


def test_a_change_needs_as_many_approvers_as_the_policy_says() -> None:
    first = THREE.answer(vote("anna", "memory-1", "warmups-2"), DIGEST)
    assert (first.status, first.outstanding, first.approved) == (ApprovalStatus.PENDING, 1, ())
    second = first.answer(vote("cleo", "memory-1", by="Cleo", reason="too many pings."), DIGEST)
    assert (second.status, second.approved) == (ApprovalStatus.ANSWERED, ("memory-1",))
    assert second.verdict_on("memory-1") == "Approved by Anna (anna); Cleo (cleo): too many pings."
    assert second.verdict_on("warmups-2") == "Rejected by Cleo (cleo): too many pings."


def test_one_approver_who_rejects_everything_ends_the_question() -> None:
    assert THREE.answer(vote("ben"), DIGEST).status is ApprovalStatus.ANSWERED


@given(st.lists(st.sets(st.sampled_from(sorted(QUESTION.changes))), min_size=3, max_size=3))
def test_nothing_is_approved_that_any_of_those_who_answered_did_not_approve(sets: list[set[str]]) -> None:
    question = THREE
    for approver, approved in zip(THREE.approvers, sets, strict=True):
        if question.status is ApprovalStatus.PENDING:
            question = question.answer(vote(approver, *approved), DIGEST)
    assert question.status is ApprovalStatus.ANSWERED
    assert set(question.approved) == set.intersection(*(set(given.approved) for given in question.votes))
    assert len(question.votes) == THREE.needed or not question.approved


def test_asked_again_a_question_keeps_its_answers_and_takes_the_newer_token() -> None:
    again = THREE.answer(vote("anna", "memory-1"), DIGEST).ask_again("token-2", NOW, NOW + timedelta(hours=48))
    assert (again.task_token, len(again.votes)) == ("token-2", 1)


def test_the_task_token_is_not_shown_and_is_forgotten_once_it_has_served() -> None:
    assert "token'" not in repr(QUESTION)
    assert QUESTION.answer(vote("anyone"), DIGEST).given_back(NOW).task_token == ""


@pytest.mark.parametrize(
    "approval",
    [
        QUESTION,
        THREE.answer(vote("anna", "memory-1"), DIGEST),
        QUESTION.answer(vote("anyone"), DIGEST).giving_back(NOW),
    ],
)
def test_a_question_is_read_back_as_it_was_stored(approval: Approval) -> None:
    assert Approval.from_document(canonical_json.plain(approval)) == approval
