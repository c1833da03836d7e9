"""The whole stack in the local account: beside another, anew after its deletion, rolled back, and without pages."""

import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from local_account.account import LocalAccount
from local_account.fleet import FleetSource
from shipped_template import ROOT

from tests.helpers.small_stacks import make_role, may
from tests.helpers.whole_stacks import Stack, WholeStacks, left_of, logical_ids

pytestmark = [pytest.mark.slow, pytest.mark.starts_servers]
HOME, WITHOUT_URLS = "eu-central-1", "eu-central-2"
LATE_S = 1.0


@pytest.fixture(scope="module")
def in_region() -> Iterator[Callable[[str], WholeStacks]]:
    """Provide an account of the tests' own, by Region; the last lines of calls are late, as on AWS."""
    source = FleetSource(datetime.now(UTC), functions=1)
    made: dict[str, WholeStacks] = {}
    with LocalAccount(source, wait_scale=0.01, targets=False) as account, account.switched(late_log_lines_s=LATE_S):

        def get(region: str) -> WholeStacks:
            if region not in made:
                made[region] = WholeStacks(account, region)
            return made[region]

        yield get


@pytest.fixture
def stacks(in_region: Callable[[str], WholeStacks]) -> WholeStacks:
    return in_region(HOME)


def test_two_stacks_stand_beside_each_other(stacks: WholeStacks) -> None:
    first, second = stacks.create("optimizer"), stacks.create("optimizer-staging")
    assert (first.status, first.failures) == ("CREATE_COMPLETE", "")
    assert (second.status, second.failures) == ("CREATE_COMPLETE", "")
    assert set(first.ids) == set(second.ids) == logical_ids(HOME)
    # Schedules have the same names in different groups.
    schedules = {id_ for id_, name in first.ids.items() if name in ("daily", "weekly", "monthly", "prices", "warmups")}
    same = {logical_id for logical_id, name in first.ids.items() if name == second.ids[logical_id]}
    assert len(schedules) == 5
    assert same == {*schedules, "Leaving"}
    groups = [stack.outputs["RunScheduleGroup"] for stack in (first, second)]
    listed = stacks.client("scheduler").get_paginator("list_schedules").paginate
    for group in groups:
        names = sorted(one["Name"] for page in listed(GroupName=group) for one in page["Schedules"])
        assert names == ["daily", "monthly", "prices", "warmups", "weekly"]
    assert len(set(groups)) == 2


def test_a_deleted_stack_can_be_created_anew(stacks: WholeStacks) -> None:
    """Leaving logs while the stack is deleted; its last lines come when the log group is gone, and must not make it."""
    assert stacks.create("anew").status == "CREATE_COMPLETE"
    assert stacks.delete("anew").status == "DELETE_COMPLETE"
    time.sleep(2 * LATE_S)
    assert set(left_of(stacks, "anew")) == {"tables", "buckets"}
    again = stacks.create("anew")
    assert (again.status, again.failures) == ("CREATE_COMPLETE", "")


def test_a_creation_that_is_rolled_back_leaves_nothing(stacks: WholeStacks) -> None:
    """A new account cannot reserve concurrency; all else has been created when that fails."""
    with stacks.account.switched(account_concurrency=10, late_log_lines_s=LATE_S):
        failed = stacks.create("too-much", ApprovalConcurrency="5")
    assert failed.status == "ROLLBACK_COMPLETE"
    assert "UnreservedConcurrentExecution below its minimum value" in failed.failures
    time.sleep(2 * LATE_S)
    assert left_of(stacks, "too-much") == {}


def test_a_new_account_needs_no_parameter(stacks: WholeStacks) -> None:
    with stacks.account.switched(account_concurrency=10, late_log_lines_s=LATE_S):
        assert stacks.create("new-account").status == "CREATE_COMPLETE"


def test_zero_closes_both_pages(stacks: WholeStacks) -> None:
    assert stacks.create("closed", ApprovalConcurrency="0", ReportConcurrency="0").status == "CREATE_COMPLETE"
    lambda_ = stacks.client("lambda")
    for function in ("answer_approval", "show_report"):
        reserved = lambda_.get_function_concurrency(FunctionName=f"closed-{function}")
        assert reserved["ReservedConcurrentExecutions"] == 0


def public(stacks: WholeStacks, stack: Stack) -> dict[str, bool]:
    """Return for each of the two functions of pages, if it exists, whether everybody may call it."""
    found = {}
    lambda_ = stacks.client("lambda")
    for logical_id in ("AnswerApproval", "ShowReport"):
        if logical_id in stack.ids:
            try:
                policy = json.loads(lambda_.get_policy(FunctionName=stack.ids[logical_id])["Policy"])
            except lambda_.exceptions.ResourceNotFoundException:
                policy = {"Statement": []}
            found[logical_id] = "*" in json.dumps([one["Principal"] for one in policy["Statement"]])
    return found


def test_without_pages_nothing_is_public(stacks: WholeStacks) -> None:
    with stacks.account.switched(function_urls=False, late_log_lines_s=LATE_S):
        stack = stacks.create("no-pages", PublicPages="none")
    assert (stack.status, stack.failures) == ("CREATE_COMPLETE", "")
    assert public(stacks, stack) == {"AnswerApproval": False}
    assert not {"ApprovalUrl", "ReportUrl", "ReportKey"} & set(stack.outputs)
    assert stack.outputs["PublicPages"] == "none"
    assert public(stacks, stacks.create("pages")) == {"AnswerApproval": True, "ShowReport": True}


def test_a_region_without_function_urls_needs_no_parameter(in_region: Callable[[str], WholeStacks]) -> None:
    stacks = in_region(WITHOUT_URLS)
    with stacks.account.switched(function_urls=False, late_log_lines_s=LATE_S):
        stack = stacks.create("elsewhere", PublicPages="both")
    assert (stack.status, stack.failures) == ("CREATE_COMPLETE", "")
    assert public(stacks, stack) == {"AnswerApproval": False}
    assert stack.outputs["PublicPages"].startswith("none, because this Region has no Lambda function URLs")


@pytest.mark.parametrize("name", sorted(path.name.partition(".")[0] for path in (ROOT / "statemachine").glob("*.json")))
def test_state_machines_are_accepted_in_every_partition(stacks: WholeStacks, name: str) -> None:
    """The integrations of a state machine must be of its own partition."""
    text = (ROOT / "statemachine" / f"{name}.asl.json").read_text().replace("${Partition}", "aws-us-gov")
    text = re.sub(r"\$\{\w+\}", "1", text)
    states = stacks.client("stepfunctions")
    role = make_role(stacks.account, "machine", may("lambda:InvokeFunction"))
    with stacks.account.switched(partition="aws-us-gov"):
        states.create_state_machine(name=f"gov-{name}", definition=text, roleArn=role)
        with pytest.raises(states.exceptions.InvalidDefinition):
            states.create_state_machine(name=f"{name}-2", definition=text.replace("-us-gov", ""), roleArn=role)
