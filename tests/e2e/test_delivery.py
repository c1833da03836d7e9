"""Messages of the deployed application reach the mailboxes that they are for, by SNS's documented rules."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import TEAM
from tests.helpers.e2e.approvers import add_approver, address, links_of, mails, optimizer
from tests.helpers.e2e.running import Running, subscribed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ASK = {
    "version": 1,
    "mode": "approve",
    "approvals": {"approvers": [{"name": "dora"}, {"name": "emil"}]},
    "run": {"max_changes": 6, "max_changes_share": 1.0},
    "warmups": {"watch_minutes": [1]},
}
ALARM = "optimizer-failed-runs"


@pytest.fixture(scope="module")
def running(deployed: Any) -> Iterator[Running]:
    found = Running(deployed)
    found.settle()
    found.account.confirm(TEAM)
    yield found
    found.forget_policy()
    found.settle()


def test_alarm_reaches_the_address(running: Running) -> None:
    # Alarms of stacks are in the emulator; the stand-in beside it answers for metrics.
    cloudwatch = running.account.session.client("cloudwatch", endpoint_url=running.account.url)
    cloudwatch.set_alarm_state(AlarmName=ALARM, StateValue="ALARM", StateReason="forced")
    found = [json.loads(mail["text"]) for mail in mails(running, TEAM) if "ALARM" in mail["subject"]]
    assert [one["NewStateValue"] for one in found if one["AlarmName"] == ALARM] == ["ALARM"]


def test_failure_reaches_the_address_as_text(running: Running) -> None:
    run = running.optimize("mailed-failure", {"tuners": ["memry"]})
    assert run.status == "FAILED"
    (mail,) = [mail for mail in mails(running, TEAM) if "mailed-failure" in mail["subject"]]
    assert mail["text"].startswith("The run mailed-failure failed in StartRun: RequestInvalid. ")


def test_link_reaches_its_approver_alone(running: Running) -> None:
    """The other approver has no topic: people are told the name and the command, and nobody gets that link."""
    running.store_policy(ASK)
    add_approver(running, "dora")
    run = "mailed-link"
    with subscribed(running.account.session, running.application.programs_topic_arn) as inbox:
        arn = running.start(running.application.optimize_arn, run, {"tuners": ["warmups"]})
        asked = running.asked(run, within_s=420)
        (link,) = links_of(running, "dora", run)
        answer = {"digest": asked["digest"], "approver": "dora", "by": "Dora", "approved": []}
        assert running.invoke("answer_approval", {"step": "answer", "run_id": run, **answer})["outcome"] == "answered"
        assert running.ended(arn).status == "SUCCEEDED"
        programs = json.dumps([message.document for message in inbox.everything()])
    team = mails(running, TEAM)
    assert "approver=dora" in link
    assert not [mail for mail in team if "mac=" in mail["text"]]
    assert "mac=" not in programs
    assert not mails(running, address("emil"))
    (told,) = [mail["text"] for mail in team if f"Run {run} proposes" in mail["text"]]
    assert f"optimizer approve {run} --as emil" in told.splitlines()
    assert "dora" not in told
    assert [mail["topic_arn"] for mail in team if f"Run {run}, " in mail["text"]] == [running.application.topic_arn]


def test_stored_policy_names_approvers_without_links(running: Running) -> None:
    running.store_policy(ASK)
    add_approver(running, "dora")
    shown = json.loads(optimizer(running, "approvals", "list", "--json"))
    assert [(row["approver"], row["in_policy"], row["state"]) for row in shown if row["in_policy"]] == [
        ("dora", True, "ready"),
        ("emil", True, "no topic of their own"),
    ]
