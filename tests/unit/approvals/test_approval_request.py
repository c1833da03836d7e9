"""Rules of an approval request: which responses count, and their result."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
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
REQUEST = Approval(
    run_id="run-1",
    plan_key="runs/run-1/plan.json",
    digest=DIGEST,
    task_token="token",
    changes={"memory-1": "memory", "warmups-2": "warmups"},
    change_digests={"memory-1": "1" * 64, "warmups-2": "2" * 64},
    asked_at=NOW,
    expires_at=NOW + timedelta(hours=24),
)
THREE = replace(REQUEST, approvers=("anna", "ben", "cleo"), needed=2)


def vote(approver: str, *approved: str, by: str = "Anna", at: datetime = NOW, reason: str = "") -> Vote:
    return Vote(approver, by, approved, reason, at)


def test_change_that_is_not_approved_is_rejected() -> None:
    answered = REQUEST.answer(vote("anyone", "memory-1", by=" Anna  Berg "), DIGEST)
    assert answered.answers() == {
        "approved": [{"change_id": "memory-1", "tuner": "memory"}],
        "rejected": [{"change_id": "warmups-2", "tuner": "warmups"}],
    }
    assert (answered.votes[0].by, answered.status) == ("Anna Berg", ApprovalStatus.ANSWERED)
    assert answered.verdict_on("memory-1") == "Approved by Anna Berg."
    assert answered.verdict_on("warmups-2") == "Rejected by Anna Berg."


TWO = replace(REQUEST, approvers=("first", "second"), needed=1)
IMITATIONS = (
    "Approver One (first); Approver Two (second)",
    "Approver One: fine",
    'Approver One" (first); "Approver Two',
    "Anna. Rejected by Ben",
)


@pytest.mark.parametrize("name", IMITATIONS)
def test_name_of_one_person_is_not_taken_for_two(name: str) -> None:
    answered = TWO.answer(vote("first", "memory-1", by=name), DIGEST)
    quoted = '"' + name.replace('"', "'") + '"'
    assert answered.verdict_on("memory-1") == f"Approved by {quoted} (first)."


@given(by=st.text(min_size=1, max_size=80), reason=st.text(max_size=80))
def test_words_of_a_person_stay_within_their_quotes(by: str, reason: str) -> None:
    """Without what stands in quotes, only the approver that the product knows is left."""
    try:
        answered = TWO.answer(vote("first", "memory-1", by=by, reason=reason), DIGEST)
    except AnswerRefused:
        return
    left = re.sub('"[^"]*"', "", answered.verdict_on("memory-1"))
    assert left.count("(") == left.count(")") == 1
    assert "(first)" in left
    assert ";" not in left


@pytest.mark.parametrize("status", [ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN])
def test_request_closed_without_response_approves_nothing(status: ApprovalStatus) -> None:
    half = THREE.answer(vote("anna", "memory-1"), DIGEST)
    assert half.close(status, NOW).answers()["approved"] == []


@pytest.mark.parametrize(
    ("approval", "response", "digest", "error"),
    [
        (REQUEST, vote("anyone"), "e" * 64, DifferentPlan),
        (REQUEST, vote("anyone", "memory-9"), DIGEST, NotAsked),
        (REQUEST, vote("anyone", at=NOW + timedelta(hours=24)), DIGEST, ApprovalExpired),
        (REQUEST, vote("anyone", by="  "), DIGEST, AnswerRefused),
        (REQUEST, vote("anyone", by="x" * 81), DIGEST, AnswerRefused),
        (REQUEST, vote("anyone", reason="x" * 501), DIGEST, AnswerRefused),
        (REQUEST, vote("anna"), DIGEST, NotAsked),
        (THREE, vote("anyone"), DIGEST, NotAsked),
        (REQUEST.close(ApprovalStatus.EXPIRED, NOW), vote("anyone"), DIGEST, AlreadyAnswered),
        (REQUEST.answer(vote("anyone"), DIGEST), vote("anyone"), DIGEST, AlreadyAnswered),
        (THREE.answer(vote("anna", "memory-1"), DIGEST), vote("anna"), DIGEST, AlreadyAnswered),
    ],
)
def test_response_that_does_not_count_raises(
    approval: Approval, response: Vote, digest: str, error: type[Exception]
) -> None:
    """A response counts once, in time, for its plan, from an approver."""
    with pytest.raises(error):
        approval.answer(response, digest)


def test_change_needs_the_approvals_of_the_policy() -> None:
    first = THREE.answer(vote("anna", "memory-1", "warmups-2"), DIGEST)
    assert (first.status, first.outstanding, first.approved) == (ApprovalStatus.PENDING, 1, ())
    second = first.answer(vote("cleo", "memory-1", by="Cleo", reason="too many pings."), DIGEST)
    assert (second.status, second.approved) == (ApprovalStatus.ANSWERED, ("memory-1",))
    assert second.verdict_on("memory-1") == "Approved by Anna (anna); Cleo (cleo): too many pings."
    assert second.verdict_on("warmups-2") == "Rejected by Cleo (cleo): too many pings."


def test_rejecting_everything_closes_the_request() -> None:
    assert THREE.answer(vote("ben"), DIGEST).status is ApprovalStatus.ANSWERED


@given(st.lists(st.sets(st.sampled_from(sorted(REQUEST.changes))), min_size=3, max_size=3))
def test_approved_changes_are_in_every_response(sets: list[set[str]]) -> None:
    request = THREE
    for approver, approved in zip(THREE.approvers, sets, strict=True):
        if request.status is ApprovalStatus.PENDING:
            request = request.answer(vote(approver, *approved), DIGEST)
    assert request.status is ApprovalStatus.ANSWERED
    assert set(request.approved) == set.intersection(*(set(given.approved) for given in request.votes))
    assert len(request.votes) == THREE.needed or not request.approved


def test_repeated_request_keeps_responses_and_newer_token() -> None:
    again = THREE.answer(vote("anna", "memory-1"), DIGEST).ask_again("token-2", NOW, NOW + timedelta(hours=48))
    assert (again.task_token, len(again.votes)) == ("token-2", 1)


def test_task_token_is_hidden_and_forgotten() -> None:
    assert "token'" not in repr(REQUEST)
    assert REQUEST.answer(vote("anyone"), DIGEST).given_back(NOW).task_token == ""


@pytest.mark.parametrize(
    "approval",
    [
        REQUEST,
        THREE.answer(vote("anna", "memory-1"), DIGEST),
        REQUEST.answer(vote("anyone"), DIGEST).giving_back(NOW),
    ],
)
def test_request_survives_its_document(approval: Approval) -> None:
    assert Approval.from_document(canonical_json.plain(approval)) == approval
