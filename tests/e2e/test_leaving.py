"""Test leaving before the stack is deleted: open changes and everything paid by the hour are rolled back."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.helpers.e2e.approvers import add_approver
from tests.helpers.e2e.cloudformation import deletion
from tests.helpers.e2e.on_trial import OnTrial
from tests.helpers.e2e.running import Execution, Running

pytestmark = [pytest.mark.e2e, pytest.mark.looks_back, pytest.mark.timeout(300)]
RUN = "leaving"


@dataclass(frozen=True, slots=True)
class Left:
    """The state before the changes, during their observation and after leaving; both messages of leaving.

    Also a run that was in progress, one that was started afterwards, and the number of schedules before and after. And
    if an approver had a topic before leaving, after leaving by hand and after CloudFormation's request, and what
    CloudFormation was told.
    """

    before: dict[str, Any]
    during: dict[str, Any]
    after: dict[str, Any]
    said: dict[str, Any]
    again: dict[str, Any]
    interrupted: Execution
    late: Execution
    schedules: tuple[int, int]
    topics: list[bool]
    answers: list[dict[str, Any]]


@pytest.fixture(scope="module")
def left(deployed: Any) -> Left:
    running = Running(deployed)
    running.settle()
    on_trial = OnTrial(running, RUN)
    small, kept_small, filled, kept, scaled, timed, warm = targets = [
        on_trial.function(name, scaled=name == "scaled")
        for name in ("small", "kept-small", "filled", "kept", "scaled", "timed", "warm")
    ]
    first, second = on_trial.provisioned(kept, 0, 2), on_trial.provisioned(kept, 2, 3)
    memory, timetable = on_trial.memory(kept_small), on_trial.timetable(timed)
    changes = [
        on_trial.memory(small),
        memory,
        on_trial.provisioned(filled, 0, 2),
        first,
        timetable,
        on_trial.provisioned(scaled, 10, 5),
        on_trial.warmups(warm),
        on_trial.ttls(),
    ]
    before = on_trial.state(targets)
    on_trial.put_in_place(changes)
    for change in (memory, first, timetable):
        on_trial.keep(change)
    # Where a change was kept and then followed by another, the second is rolled back before the first.
    second = on_trial.again(second)
    on_trial.put_in_place([second])
    on_trial.keep(second)
    assert on_trial.step(timetable, timed) == "held"
    during, schedules = on_trial.state(targets), len(schedules_of(running))
    running.forget_policy()
    # The run holds the lock, without which it would end early; a memory planner would go on for a minute longer.
    interrupted = running.start(running.application.optimize_arn, "interrupted", {"tuners": ["warmups"]})
    running.until([interrupted], "WasStarted")
    said = running.invoke("leave_account", {"RequestType": "Delete"})
    again = running.invoke("leave_account", {"RequestType": "Delete"})
    add_approver(running, "leaver")
    with deletion() as (request, answers):
        topics = [topics_of(running)]
        running.invoke("leave_account", {"RequestType": "Delete"})
        topics.append(topics_of(running))
        running.invoke("leave_account", request)
        topics.append(topics_of(running))
    late = running.optimize("late", {})
    running.dynamodb.delete_item(TableName=running.application.table, Key={"pk": {"S": "LOCK"}, "sk": {"S": "RUN"}})
    return Left(
        before=before,
        during=during,
        after=on_trial.state(targets),
        said=said,
        again=again,
        interrupted=running.ended(interrupted),
        late=late,
        schedules=(schedules, len(schedules_of(running))),
        topics=topics,
        answers=answers,
    )


def topics_of(running: Running) -> bool:
    """Return True if the approver who was added has a topic."""
    pages = running.account.session.client("sns").get_paginator("list_topics").paginate()
    return any(topic["TopicArn"].endswith("_approver_leaver") for page in pages for topic in page["Topics"])


def schedules_of(running: Running) -> list[str]:
    """Return the names of schedules of pings and of timetables."""
    groups = (running.application.schedule_group, running.application.timetable_group)
    pages = [running.scheduler.list_schedules(GroupName=group, NamePrefix=RUN) for group in groups]
    return [schedule["Name"] for page in pages for schedule in page["Schedules"]]


def test_leaving_rolls_every_change_back(left: Left) -> None:
    assert (left.said["outcome"], left.said["remaining"]) == ("left", {})
    assert len(left.said["taken_back"]) >= 8


@pytest.mark.parametrize(
    "what", ["leaving-small", "leaving-filled", "leaving-kept", "leaving-timed", "bounds", "ttl_s"]
)
def test_leaving_restores_the_state_before(left: Left, what: str) -> None:
    assert left.during[what] != left.before[what]
    assert left.after[what] == left.before[what]


def test_schedules_are_gone(left: Left) -> None:
    assert left.schedules == (2 + 2, 0)


def test_kept_memory_size_survives_leaving(left: Left) -> None:
    assert left.after["leaving-kept-small"] == left.during["leaving-kept-small"] != left.before["leaving-kept-small"]


def test_leaving_ends_the_current_run_and_admits_no_other(left: Left) -> None:
    assert (left.interrupted.status, left.interrupted.error) == ("ABORTED", "Leaving")
    assert left.late.states == ["StartRun", "WasStarted", "TellBusy", "Skipped"]


def test_topics_of_approvers_go_with_the_stack_alone(left: Left) -> None:
    assert left.topics == [True, True, False]
    assert [answer["Status"] for answer in left.answers] == ["SUCCESS"]


def test_second_leaving_finds_nothing_to_do(left: Left) -> None:
    assert left.again == {"outcome": "left", "taken_back": [], "remaining": {}}


@pytest.mark.usefixtures("left")
def test_no_execution_continues_after_leaving(deployed: Any) -> None:
    running = Running(deployed)
    for machine in running.machines:
        assert running.executions(machine, statusFilter="RUNNING") == []
