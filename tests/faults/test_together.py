"""Overlap an event with itself, and one run with another: one comes in between before each call of the other."""

from dataclasses import replace

import pytest
from optimizer.core.change import FINAL

from tests.faults.test_people_faults import ASK, CHANGES, asking, says, told
from tests.faults.test_run_faults import RUN, STEPS, called_by_day
from tests.helpers.faults.samples import LIVES
from tests.helpers.faults.stage import Clock, Stage, Step, different

__all__ = ["asking", "called_by_day"]


def test_one_of_two_simultaneous_runs_takes_the_lock(called_by_day: Stage) -> None:
    first, second = (replace(STEPS[0], event={**STEPS[0].event, "run_id": run}) for run in ("one", "two"))
    for where, *answers in called_by_day.overlaps(first, second):
        outcomes = sorted(answer["outcome"] for answer in answers if answer)
        assert outcomes == ["busy", "started"], (where, outcomes)
        (started,) = (answer["run_id"] for answer in answers if answer and answer["outcome"] == "started")
        assert called_by_day.store.lock_holder(Clock.at) == started, where
        assert {key.split("/")[1] for key in called_by_day.services.objects if key.startswith("runs/")} == {started}


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step.function for step in STEPS])
def test_overlapping_steps_of_a_run_leave_the_state_of_one(called_by_day: Stage, number: int) -> None:
    """A step that runs twice at once leaves the state that one, or two in turn, would leave."""
    for earlier in (*STEPS[:2], *STEPS[:number]):
        if number:
            called_by_day.run(earlier)
    step, before = STEPS[number], called_by_day.save()
    states = [(called_by_day.run(step), called_by_day.state())[1] for _ in range(2)]
    called_by_day.restore(before)
    for where, *answers in called_by_day.overlaps(step, step):
        assert all(answers), where
        assert not different(called_by_day.state(), (states[0], states[1])), where
        assert max(called_by_day.services.sent().values(), default=0) <= 2, where


@pytest.mark.parametrize("name", [name for name in LIVES if "that" not in name])
def test_change_applied_twice_at_once_reaches_its_usual_end(staged: Stage, name: str) -> None:
    life, apply = LIVES[name](), LIVES[name]().step("apply")
    life.start(staged)
    begun = Clock.at
    for where, *_ in staged.overlaps(apply, apply):
        outcomes = life.go(staged, staged.run)
        Clock.at = begun
        assert outcomes[-1] == life.ends, (where, outcomes)
        assert staged.store.change(life.change.id).status in FINAL, where


def test_first_of_two_responses_of_one_approver_counts(asking: Stage) -> None:
    asking.run(ASK)
    all_of_it = says("anna")
    nothing = replace(all_of_it, event={**all_of_it.event, "approved": []})
    for where, *answers in asking.overlaps(all_of_it, nothing):
        outcomes = sorted(answer["outcome"] for answer in answers if answer)
        assert outcomes[-1] == "refused", (where, outcomes)
        (vote,) = asking.run(Step("answer_approval", {"step": "show", "run_id": RUN}))["votes"]
        counted = next(answer for answer in answers if answer and answer["outcome"] != "refused")
        assert [vote] == counted["votes"], where


def test_two_last_responses_at_once_resume_the_run_once(asking: Stage) -> None:
    asking.run(ASK)
    for where, *answers in asking.overlaps(says("anna"), says("ben")):
        assert all(answer and answer["outcome"] in ("recorded", "answered") for answer in answers), (where, answers)
        assert [pair["change_id"] for pair in told(asking)["approved"]] == [CHANGES[0].id], where
