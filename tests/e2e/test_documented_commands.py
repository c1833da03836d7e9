"""Run each command of README.md and docs/ for a deployed application once, as it stands there."""

import json
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.helpers.documents import ROOT, Shown, commands, run
from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

POLICY = {
    "version": 1,
    "approvals": {"approvers": [{"name": "anna"}]},
    "warmups": {"mode": "auto", "watch_minutes": [1]},
    "run": {"max_changes": 6, "max_changes_share": 1.0},
}
ASK = {**POLICY, "warmups": {"mode": "approve", "watch_minutes": [1]}}
# Commands that need no application, or an open approval request.
_ELSEWHERE = re.compile("optimizer (assess|demo|backtest|inspect|approve|doctor)")


@dataclass(frozen=True, slots=True)
class Office:
    """The application with a run that has acted, and a folder to work in."""

    running: Running
    folder: Path
    environment: dict[str, str]

    def run(self, command: str, given: str = "") -> CompletedProcess[str]:
        done = run(command, self.folder, self.environment, given)
        assert "Traceback" not in done.stderr
        assert done.stdout.strip(), done.stderr
        return done

    @contextmanager
    def asking(self, run_id: str) -> Iterator[Any]:
        """Provide a run whose approval request is open; nobody has responded, unless the caller did."""
        self.running.store_policy(ASK)
        self.running.settle()
        arn = self.running.start(self.running.application.optimize_arn, run_id, {"tuners": ["warmups"]})
        asked = self.running.asked(run_id)
        try:
            yield asked
        finally:
            answer = {"digest": asked["digest"], "approver": "anna", "by": "test", "approved": []}
            self.running.invoke("answer_approval", {"step": "answer", "run_id": run_id, **answer})
        for execution in (arn, self.running.approval_of(run_id)):
            assert self.running.ended(execution).status == "SUCCEEDED"


@pytest.fixture(scope="module")
def office(deployed: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    running = Running(deployed)
    running.settle()
    folder = tmp_path_factory.mktemp("office")
    (folder / "policy.json").write_text(json.dumps({"version": 1, "mode": "recommend"}))
    shutil.copytree(ROOT / "examples", folder / "examples")
    running.store_policy(POLICY)
    acted = running.optimize("documented", {"tuners": ["warmups"]})
    assert acted.status == "SUCCEEDED", acted.cause
    yield Office(running, folder, deployed.account.environment())
    running.forget_policy()


@pytest.mark.parametrize("shown", [one for one in commands("optimizer ") if not _ELSEWHERE.match(one.text)], ids=str)
def test_documented_command_works(shown: Shown, office: Office) -> None:
    command = shown.text.replace("RUN", "documented")
    if "CHANGE" in command:
        changed = json.loads(office.run("optimizer report documented --json").stdout)["changed"]
        command = command.replace("CHANGE", changed[0]["change_id"])
    done = office.run(command)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("shown", list(commands("optimizer approve")), ids=str)
def test_response_is_given_as_documented(shown: Shown, office: Office) -> None:
    run_id = f"documented-{shown.line}"
    with office.asking(run_id) as asked:
        command = shown.text.replace("RUN", run_id)
        command = re.sub(r"memory-[0-9a-f]{16}", asked["changes"][0]["change_id"], command)
        # Without names the command shows all changes; the answer is no.
        names_something = not command.endswith(run_id)
        done = office.run(command, "y\n" if names_something else "n\n")
        assert done.returncode == (0 if names_something else 1), done.stderr


@pytest.mark.parametrize("shown", list(commands("aws sns ")), ids=str)
def test_documented_subscription_is_accepted_by_the_sdk(shown: Shown, office: Office) -> None:
    subscribe(office, shown.text.replace("PROGRAMS_TOPIC", office.running.application.programs_topic_arn))


def subscribe(office: Office, command: str) -> None:
    """Send the request of `aws sns subscribe` through the SDK."""
    _, service, operation, *words = shlex.split(command)
    assert (service, operation) == ("sns", "subscribe")
    options = dict(zip(words[::2], words[1::2], strict=True))
    session = office.running.account.session
    sns, sqs = session.client("sns"), session.client("sqs")
    queue = sqs.create_queue(QueueName="documented")["QueueUrl"]
    queue_arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    subscribed = sns.subscribe(
        TopicArn=options["--topic-arn"],
        Protocol=options["--protocol"],
        Endpoint=options["--notification-endpoint"].replace("QUEUE_ARN", queue_arn),
        Attributes=json.loads(options["--attributes"]),
        ReturnSubscriptionArn=True,
    )
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscribed["SubscriptionArn"])["Attributes"]
    assert attributes["FilterPolicyScope"] == "MessageBody"
    assert json.loads(attributes["FilterPolicy"]) == {"kind": ["Change finished"]}
