"""Drive the deployed application: start it, follow its states, and read its messages and the state that it leaves."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from local_account.fleet import TargetFunction

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# Half of the calls are canary calls in a change of memory as a planner would propose it.
MEMORY_EVIDENCE = {
    "canary_weight": 0.5,
    "provisioned_environments": 0,
    "samples": 10_000,
    "max_memory_used_mb": 80,
    "price_ratio": 0.8,
    "duration_ratio": 1.0,
}
_POLICY_KEY = "policy/policy.json"
# The minute in the name of a schedule, in UTC.
_DUE = re.compile(r"-(\d{8}T\d{4})-\d+$")


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution that has ended; `states` are in the order in which they were entered."""

    name: str
    status: str
    error: str
    states: list[str]
    cause: str = ""


class Running:
    """The state machines of the deployed application."""

    def __init__(self, deployed: Any) -> None:
        self.account = deployed.account
        self.application = deployed.application
        self.fleet: tuple[TargetFunction, ...] = deployed.account.fleet
        session = deployed.account.session
        self.sfn: SFNClient = session.client("stepfunctions")
        self.lambda_: Any = session.client("lambda")
        self.s3: Any = session.client("s3")
        self.iam: Any = session.client("iam")
        self.dynamodb: Any = session.client("dynamodb")
        self.scheduler: Any = session.client("scheduler")

    @property
    def machines(self) -> tuple[str, str, str]:
        """Return the state machines in the order in which they start each other."""
        return self.application.optimize_arn, self.application.approve_arn, self.application.change_arn

    def approval_of(self, run: str) -> str:
        """Return the execution that asks people about the changes of a run."""
        return f"{self.application.approve_arn.replace(':stateMachine:', ':execution:')}:{run}"

    def store_policy(self, policy: Mapping[str, Any]) -> None:
        self.s3.put_object(Bucket=self.application.bucket, Key=_POLICY_KEY, Body=json.dumps(policy))

    def forget_policy(self) -> None:
        self.s3.delete_object(Bucket=self.application.bucket, Key=_POLICY_KEY)

    def start(self, machine: str, name: str, request: Any) -> str:
        started = self.sfn.start_execution(stateMachineArn=machine, name=name, input=json.dumps(request))
        return started["executionArn"]

    def optimize(self, name: str, request: Any) -> Execution:
        """Run the application from start to end."""
        return self.ended(self.start(self.application.optimize_arn, name, request))

    def ended(self, arn: str, within_s: float = 240) -> Execution:
        deadline = time.monotonic() + within_s
        while (said := self.sfn.describe_execution(executionArn=arn))["status"] == "RUNNING":
            assert time.monotonic() < deadline, f"{arn} still runs: {self.entered(arn)[-5:]}"
            time.sleep(0.3)
        return Execution(said["name"], said["status"], said.get("error", ""), self.entered(arn), said.get("cause", ""))

    def invoke(self, function: str, event: Any) -> Any:
        """Return the response of one of our Lambdas."""
        response = self.lambda_.invoke(FunctionName=f"optimizer-{function}", Payload=json.dumps(event))
        answer = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, answer
        return answer

    def asked(self, run: str, within_s: float = 180) -> Any:
        """Return the approval request of a run, once it is recorded, as answer_approval shows it to IAM callers."""
        deadline = time.monotonic() + within_s
        while (shown := self.invoke("answer_approval", {"step": "show", "run_id": run}))["outcome"] != "shown":
            assert time.monotonic() < deadline, shown
            time.sleep(0.3)
        return shown

    def until(self, arns: list[str], state: str, within_s: float = 180) -> None:
        """Wait until one of the executions has entered the state."""
        deadline = time.monotonic() + within_s
        while not any(state in self.entered(arn) for arn in arns):
            assert time.monotonic() < deadline, f"none came to {state}: {[self.entered(arn)[-4:] for arn in arns]}"
            time.sleep(0.3)

    def entered(self, arn: str) -> list[str]:
        """Return the states that an execution and the children of its map runs have entered so far."""
        pages = self.sfn.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = [event for page in pages for event in page["events"]]
        own = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
        if ":stateMachine/" in arn or "optimize" not in arn:
            return own
        runs = self.sfn.list_map_runs(executionArn=arn)["mapRuns"]
        children = [self.sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"] for run in runs]
        return own + [state for batch in children for child in batch for state in self.entered(child["executionArn"])]

    def executions(self, machine: str, **which: Any) -> list[str]:
        pages = self.sfn.get_paginator("list_executions").paginate(stateMachineArn=machine, **which)
        return [execution["executionArn"] for page in pages for execution in page["executions"]]

    def changes_of(self, run: str) -> list[str]:
        """Return the executions of the changes that a run started."""
        answer = self.dynamodb.query(
            TableName=self.application.table,
            KeyConditionExpression="pk = :run AND begins_with(sk, :change)",
            ExpressionAttributeValues={":run": {"S": f"RUN#{run}"}, ":change": {"S": "CHANGE#"}},
        )
        ids = {item["change_id"]["S"] for item in answer["Items"]}
        return [arn for arn in self.executions(self.application.change_arn) if arn.rpartition(":")[2] in ids]

    def settle(self) -> None:
        """Wait until nothing runs that an earlier test began, and forget what it made of its targets."""
        self.wait_for_executions()
        self.forget_targets()

    def wait_for_executions(self) -> None:
        for machine in self.machines:
            for arn in self.executions(machine, statusFilter="RUNNING"):
                self.ended(arn)

    def forget_targets(self) -> None:
        """Forget changes and turns of targets, what people rejected, and which requests are open."""
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=self.application.table)
        for item in (item for page in pages for item in page["Items"]):
            if item["sk"]["S"].startswith(("LAST#", "TURN#", "REJECTED#", "REPLACED#", "ASKED#")):
                key = {"pk": item["pk"], "sk": item["sk"]}
                self.dynamodb.delete_item(TableName=self.application.table, Key=key)

    def document(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=self.application.bucket, Key=key)["Body"].read())

    def keys(self, prefix: str) -> list[str]:
        listed = self.s3.list_objects_v2(Bucket=self.application.bucket, Prefix=prefix)
        return [item["Key"] for item in listed.get("Contents", [])]

    def lock_holder(self) -> str | None:
        key = {"pk": {"S": "LOCK"}, "sk": {"S": "RUN"}}
        item = self.dynamodb.get_item(TableName=self.application.table, Key=key).get("Item")
        return item["run_id"]["S"] if item else None

    def live_state(self) -> dict[str, Any]:
        """Return everything that a run could change: functions, versions, aliases, bounds of scaling, schedules."""
        scaling = self.account.session.client("application-autoscaling")
        bounds = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
        return {
            "functions": {target.name: self.function(target) for target in self.fleet},
            "scaling": [(found["ResourceId"], found["MinCapacity"], found["MaxCapacity"]) for found in bounds],
            "schedules": self.schedules(),
        }

    def schedules(self) -> list[str]:
        pages = self.scheduler.get_paginator("list_schedules").paginate(GroupName=self.application.schedule_group)
        return sorted(schedule["Name"] for page in pages for schedule in page["Schedules"])

    def function(self, target: TargetFunction) -> dict[str, Any]:
        """Return its memory by version, and its aliases with their weights and provisioned concurrency."""
        name = target.name
        versions = self.lambda_.list_versions_by_function(FunctionName=name)["Versions"]
        aliases = self.lambda_.list_aliases(FunctionName=name)["Aliases"]
        return {
            "memory_mb": {version["Version"]: version["MemorySize"] for version in versions},
            "aliases": {alias["Name"]: (alias["FunctionVersion"], alias.get("RoutingConfig")) for alias in aliases},
            "provisioned": {alias["Name"]: self._provisioned(name, alias["Name"]) for alias in aliases},
        }

    def _provisioned(self, name: str, alias: str) -> int:
        try:
            found = self.lambda_.get_provisioned_concurrency_config(FunctionName=name, Qualifier=alias)
        except self.lambda_.exceptions.ProvisionedConcurrencyConfigNotFoundException:
            return 0
        return found["RequestedProvisionedConcurrentExecutions"]


@dataclass(frozen=True, slots=True)
class Message:
    """A message for programs; in `text` every run of white space is one space, however the lines were broken."""

    subject: str
    text: str
    attributes: Mapping[str, str]
    document: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Inbox:
    """A queue that gets every message for programs."""

    sqs: Any
    url: str
    received: list[Message] = field(default_factory=list)

    def about(self, run: str) -> list[Message]:
        """Return the messages about a run that have come so far."""
        return [message for message in self.everything() if _is_about(message, run)]

    def everything(self) -> list[Message]:
        """Return all messages that have come so far."""
        while batch := self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                self.received.append(_message(json.loads(message["Body"])))
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return self.received


@contextmanager
def subscribed(session: Any, topic_arn: str) -> Iterator[Inbox]:
    """Yield a queue of its own on the topic, for the length of a `with`."""
    sqs, sns = session.client("sqs"), session.client("sns")
    url = sqs.create_queue(QueueName=f"inbox-{time.monotonic_ns()}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic_arn}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})
    subscription = sns.subscribe(TopicArn=topic_arn, Protocol="sqs", Endpoint=arn)["SubscriptionArn"]
    try:
        yield Inbox(sqs, str(url))
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)
        sqs.delete_queue(QueueUrl=url)


def _is_about(message: Message, run: str) -> bool:
    """Return whether the message is about the run.

    The emulator drops the attributes of messages that a state machine publishes; their subjects name the run.
    """
    return message.attributes.get("run") == run or f" run {run} " in f"{message.subject} "


def _message(notification: Mapping[str, Any]) -> Message:
    attributes = {name: one["Value"] for name, one in notification.get("MessageAttributes", {}).items()}
    document = json.loads(notification["Message"])
    # A message about a link of one approver has no text.
    said = " ".join(document.get("text", "").split())
    return Message(notification.get("Subject", ""), said, attributes, document)


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the parts of two live states that differ, each before and after.

    Schedules that have come due are left out: they are deleted as they fire, whatever else happens.
    """
    now = f"{datetime.now(UTC):%Y%m%dT%H%M}"

    def standing(state: Mapping[str, Any]) -> dict[str, Any]:
        due = {name: match[1] for name in state["schedules"] if (match := _DUE.search(name))}
        return {**state, "schedules": [name for name in state["schedules"] if due.get(name, "Z") > now]}

    then, since = standing(before), standing(after)
    return {part: (then[part], since[part]) for part in then if then[part] != since[part]}
