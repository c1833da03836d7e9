"""Upgrade a stack in place: what version 0.1.0 left in the account goes on under this version.

Changes of every tuner are under observation, one was kept, a timetable holds, an approval request is open, and people
are subscribed. A control of the same changes has ended under the old version: the others must end alike.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner
from local_account.account import LocalAccount
from local_account.databases import TeamDatabase
from local_account.deploy import Application, deploy_application
from local_account.fleet import FleetSource
from optimizer_cli.main import main

from tests.helpers.e2e.running import Running
from tests.helpers.upgrade import old_version
from tests.helpers.upgrade.old_version import LeftBehind

pytestmark = [pytest.mark.e2e, pytest.mark.upgrade, pytest.mark.timeout(3600)]
WAIT_SCALE = 0.0007
# An observation of so many minutes lasts six here, in which the new version is deployed.
MINUTES = 8_600
CONTROL_MINUTES = 240
TUNERS = ("memory", "provisioned_concurrency", "timetable", "warmups", "cache_ttls", "indexes")


@dataclass(frozen=True, slots=True)
class Deployed:
    account: LocalAccount
    application: Application


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The stack after the upgrade. `waited` are the changes that were still under observation then."""

    running: Running
    left: LeftBehind
    waited: set[str]
    outputs: Mapping[str, str]

    def status(self, change: str) -> str:
        key = {"pk": {"S": f"CHANGE#{change}"}, "sk": {"S": "CHANGE"}}
        item = self.running.dynamodb.get_item(TableName=self.running.application.table, Key=key)["Item"]
        return str(item["status"]["S"])

    def command(self, *arguments: str) -> Any:
        done = CliRunner().invoke(main, [*arguments, "--json"], env=self.running.account.environment())
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def upgraded() -> Iterator[Upgraded]:
    with (
        LocalAccount(FleetSource(datetime.now(UTC)), wait_scale=WAIT_SCALE) as account,
        TeamDatabase(account) as database,
    ):
        (shop,) = database.policy(ask=False)["databases"]
        left = old_version.leave_behind(account, shop, minutes=MINUTES, control_minutes=CONTROL_MINUTES)
        application = deploy_application(account)
        running = Running(Deployed(account, application))
        waiting = {name for name, arn in left.executions.items() if running.entered(arn)[-1] == "WaitToVerify"}
        yield Upgraded(running, left, waiting, application.outputs)


def test_changes_are_still_under_observation_after_the_upgrade(upgraded: Upgraded) -> None:
    """Else the tests below would show what the old version did. The timetable may be kept at once."""
    assert upgraded.waited | {"timetable"} == set(TUNERS)


def test_old_changes_are_listed_with_their_status(upgraded: Upgraded) -> None:
    listed = {change["change_id"]: change["status"] for change in upgraded.command("changes", "--limit", "1000")}
    assert listed[upgraded.left.kept] == "kept"
    assert set(upgraded.left.changes.values()) <= listed.keys()
    assert "indexes" in {run["run_id"] for run in upgraded.command("runs")}


def test_an_old_report_link_opens_its_page(upgraded: Upgraded) -> None:
    assert "<html" in opened(upgraded.left.report_url)


def test_an_old_approval_link_answers_the_open_request(upgraded: Upgraded) -> None:
    assert "<form" in opened(upgraded.left.link)
    form = urlencode({"decision": "all", "by": "Anna", "reason": "It was planned before the upgrade."}).encode()
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    with urlopen(Request(upgraded.left.link, form, headers), timeout=60) as page:  # noqa: S310 - the account's own
        assert page.status == 200
    ended = upgraded.running.ended(upgraded.left.asked, within_s=900)
    assert (ended.status, ended.error) == ("SUCCEEDED", "")
    changes = upgraded.command("changes", "asked")
    assert {change["status"] for change in changes} & {"watching", "kept"}
    assert "failed" not in {change["status"] for change in changes}


def test_subscriptions_still_get_messages_or_outputs_say_who(upgraded: Upgraded) -> None:
    """The inbox subscribed under the old version; the run that was approved above ended under the new one."""
    sns = upgraded.running.account.session.client("sns")
    listed = sns.list_subscriptions_by_topic(TopicArn=upgraded.left.topic_arn)["Subscriptions"]
    assert {subscription["Protocol"] for subscription in listed} >= {"email", "sqs"}
    subjects = received(upgraded)
    # The run that was approved applied something.
    assert any("applied" in subject for subject in subjects), subjects


def test_a_kept_timetable_goes_on_with_its_old_schedules(upgraded: Upgraded) -> None:
    scheduler, group = upgraded.running.scheduler, upgraded.left.timetable_group
    names = [schedule["Name"] for schedule in scheduler.list_schedules(GroupName=group)["Schedules"]]
    targets = [scheduler.get_schedule(GroupName=group, Name=name)["Target"] for name in names]
    assert len(targets) == 2 * 2
    for target in targets:
        response = upgraded.running.lambda_.invoke(FunctionName=target["Arn"], Payload=target["Input"])
        answer = json.loads(response["Payload"].read())
        assert answer["outcome"] in ("held", "set"), answer
        role = target["RoleArn"].rpartition("/")[2]
        assert upgraded.running.iam.get_role(RoleName=role)["Role"]["Arn"] == target["RoleArn"]


@pytest.mark.parametrize("name", TUNERS)
def test_a_change_under_observation_ends_as_before(upgraded: Upgraded, name: str) -> None:
    ended = upgraded.running.ended(upgraded.left.executions[name], within_s=1800)
    assert ended.status == upgraded.left.control_executions.get(name, "SUCCEEDED"), ended
    expected = upgraded.left.control.get(name, "kept")
    assert upgraded.status(upgraded.left.changes[name]) == expected


def test_an_old_change_is_rolled_back_by_command(upgraded: Upgraded) -> None:
    assert upgraded.command("revert", upgraded.left.kept, "--reason", "Anna wants it back.")["status"] == "reverted"


def opened(link: str) -> str:
    with urlopen(link, timeout=60) as page:  # noqa: S310 - the account's own
        return str(page.read().decode())


def received(upgraded: Upgraded) -> list[str]:
    """Return the subjects of all messages that have come to the old inbox."""
    sqs, subjects = upgraded.running.account.session.client("sqs"), []
    while batch := sqs.receive_message(QueueUrl=upgraded.left.inbox, MaxNumberOfMessages=10).get("Messages"):
        for message in batch:
            subjects.append(str(json.loads(message["Body"]).get("Subject", "")))
            sqs.delete_message(QueueUrl=upgraded.left.inbox, ReceiptHandle=message["ReceiptHandle"])
    return subjects
