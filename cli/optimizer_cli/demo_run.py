"""The steps of the demo: account, deployment, policy, run, and the state of the account afterwards."""

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from local_account.account import LocalAccount
from local_account.caches import TeamCaches
from local_account.databases import TeamDatabase
from local_account.deploy import Application, deploy_application
from local_account.fleet import ALIAS, FleetSource
from rich.console import Console

from optimizer_cli import demo_approval, follow

DEMO_POLICY = Path(__file__).parents[2] / "local" / "local_account" / "demo_policy.json"
# Observations take hours; here they take seconds.
WAIT_SCALE = 0.001
# Eighteen seconds: a busy machine plays the traffic of the caches after a change within them.
_CACHES_WATCHED_MINUTES = 300
RUN_LIMIT = timedelta(minutes=5)
# People who try the page need longer than the demo.
PERSON_LIMIT = timedelta(hours=1)
CHANGES_LIMIT = timedelta(minutes=3)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a demo run.

    `plan` and `report` are the run's own documents; the rest is read from the account and the database. `indexes` are
    sizes in bytes before and after, -1 for invalid ones.
    """

    run_id: str
    status: str
    plan: dict[str, Any]
    report: dict[str, Any]
    outcomes: dict[str, str]
    schedules: list[str]
    timetables: list[str]
    memory_mb: dict[str, tuple[int, int]]
    ttls: dict[str, dict[str, Any]]
    indexes: tuple[dict[str, int], dict[str, int]]
    messages: list[dict[str, str]]
    folder: Path

    def document(self) -> dict[str, Any]:
        """Return the result as JSON."""
        return {
            "run_id": self.run_id,
            "status": self.status,
            "plan": self.plan,
            "report": self.report,
            "outcomes": self.outcomes,
            "schedules": self.schedules,
            "timetables": self.timetables,
            "memory_mb": self.memory_mb,
            "ttls": self.ttls,
            "indexes": {"before": self.indexes[0], "after": self.indexes[1]},
            "messages": self.messages,
            "folder": str(self.folder),
        }


@contextmanager
def account(traces: Path | None, curves: Path | None, now: datetime, progress: Console) -> Iterator[LocalAccount]:
    """Yield a running local account with its functions."""
    source = FleetSource(now=now, traces=traces, curves=curves)
    with _step(progress, f"Local account ({source.says})"):
        running = LocalAccount(source, wait_scale=WAIT_SCALE).start()
    try:
        progress.print(f"  {len(running.fleet)} functions, IAM enforced, {running.url}")
        yield running
    finally:
        running.stop()


def deploy(account: LocalAccount, progress: Console) -> Application:
    """Build and deploy the application with the SAM CLI."""
    with _step(progress, "sam build, sam deploy"):
        return deploy_application(account)


def put_policy(
    account: LocalAccount,
    application: Application,
    policy_file: Path | None,
    caches: TeamCaches,
    database: TeamDatabase,
    progress: Console,
    ask: bool,
) -> None:
    """Store the policy for the application. The demo's own policy names its caches and database, and with `ask` every
    change needs approval."""
    policy = json.loads((policy_file or DEMO_POLICY).read_bytes())
    with _step(progress, "Two hours of reads through the cache client"):
        caches.ready()
    if policy_file is None:
        policy["cache_ttls"] = caches.policy(_CACHES_WATCHED_MINUTES)
        policy["indexes"] = database.policy(ask=ask)
    if policy_file is None and ask:
        own = {
            name: {**part, "mode": "approve"}
            for name, part in policy.items()
            if isinstance(part, dict) and "mode" in part
        }
        policy |= {**own, "mode": "approve"}
    account.session.client("s3").put_object(
        Bucket=application.bucket, Key="policy/policy.json", Body=json.dumps(policy).encode()
    )


def run(
    account: LocalAccount,
    application: Application,
    caches: TeamCaches,
    database: TeamDatabase,
    folder: Path,
    progress: Console,
    approve: bool,
) -> Result:
    """Run the state machine, follow it, and collect the result. If changes need approval, show the link, and with
    `approve` open it and approve everything."""
    sfn, sqs = account.session.client("stepfunctions"), account.session.client("sqs")
    queue = _subscribe(account, application)
    before, indexes = _memory_mb(account), database.indexes()
    execution = sfn.start_execution(stateMachineArn=application.optimize_arn, input="{}")["executionArn"]
    run_id = execution.rsplit(":", 1)[1]
    progress.print(f"Run {run_id}")
    entered: dict[str, float] = {}
    taken: list[Any] = []
    asked = False
    respond = demo_approval.responder(sqs, queue, approve, progress, taken)
    for event in follow.states(sfn, execution, RUN_LIMIT):
        if event.entered:
            entered[event.state] = event.after_s
            if event.state == "StartApproval":
                asked = True
                respond()
        else:
            took_s = event.after_s - entered.get(event.state, event.after_s)
            progress.print(f"  {event.after_s:6.1f} s  {event.state} ({took_s:.1f} s)")
    ended = sfn.describe_execution(executionArn=execution)
    status = ended["status"]
    if asked:
        status = _await_approval(sfn, application, run_id, progress, RUN_LIMIT if approve else PERSON_LIMIT) or status
    if ended.get("cause"):
        progress.print(f"  {ended.get('error')}: {ended['cause']}", markup=False)
    plan = _document(account, application, f"runs/{run_id}/plan.json")
    outcomes = _await_changes(account, application, progress, _observed_for_days(plan))
    after = _memory_mb(account)
    report = _document(account, application, f"runs/{run_id}/report.json")
    return Result(
        run_id=run_id,
        status=status,
        plan=plan,
        report=report,
        outcomes=outcomes,
        schedules=_schedules(account, application.schedule_group),
        timetables=_timetables(account, application.timetable_group),
        memory_mb={name: (before[name], after[name]) for name in before if before[name] != after[name]},
        ttls=caches.published(),
        indexes=(indexes, database.indexes()),
        messages=_messages(sqs, queue, taken),
        folder=_download(account, application, run_id, folder),
    )


def wait_for_interrupt() -> None:
    """Wait for Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        return


@contextmanager
def _step(progress: Console, title: str) -> Iterator[None]:
    began = time.monotonic()
    with progress.status(f"{title} ..."):
        yield
    progress.print(f"{title} ({time.monotonic() - began:.0f} s)")


def _subscribe(account: LocalAccount, application: Application) -> str:
    """Create a queue that gets every message for programs; return its URL."""
    sqs, sns = account.session.client("sqs"), account.session.client("sns")
    url = sqs.create_queue(QueueName="demo-messages")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    allowed = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn,
                "Condition": {"ArnEquals": {"aws:SourceArn": application.programs_topic_arn}},
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(allowed)})
    sns.subscribe(TopicArn=application.programs_topic_arn, Protocol="sqs", Endpoint=arn)
    return str(url)


def _messages(sqs: Any, queue: str, taken: list[Any]) -> list[dict[str, str]]:
    """Return all messages of the topic: those taken from the queue before, and those in it now."""
    while batch := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages"):
        for message in batch:
            taken.append(message)
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    sent = [json.loads(message["Body"]) for message in taken]
    return [{"subject": message.get("Subject", ""), "message": _text(message["Message"])} for message in sent]


def _text(message: str) -> str:
    """Return the text of a mail."""
    return str(json.loads(message).get("text", ""))


def _await_approval(sfn: Any, application: Application, run_id: str, progress: Console, limit: timedelta) -> str:
    """Follow the approval request until people have responded and the approved changes are applied.

    Return its status if it failed, otherwise an empty text."""
    execution = f"{application.approve_arn.replace(':stateMachine:', ':execution:')}:{run_id}"
    for event in follow.states(sfn, execution, limit):
        if not event.entered:
            progress.print(f"  {event.after_s:6.1f} s  {event.state}")
    ended = sfn.describe_execution(executionArn=execution)
    if ended["status"] == "SUCCEEDED":
        return ""
    progress.print(f"  {ended.get('error')}: {ended.get('cause')}", markup=False)
    return str(ended["status"])


def _observed_for_days(plan: dict[str, Any]) -> set[str]:
    """Return the changes that are under observation until a day of their timetable is over, too long to wait for."""
    changes = [item["change"] for item in plan.get("proposals", ())]
    return {change["id"] for change in changes if change["action"] == "schedule_provisioned_concurrency"}


def _await_changes(
    account: LocalAccount, application: Application, progress: Console, not_for: set[str]
) -> dict[str, str]:
    """Return the status of each change's execution by change id. Executions in `not_for` may still run."""
    sfn = account.session.client("stepfunctions")
    deadline = time.monotonic() + CHANGES_LIMIT.total_seconds()
    with _step(progress, "Observing the changes"):
        while True:
            pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=application.change_arn)
            found = {e["name"]: e["status"] for page in pages for e in page["executions"]}
            waited_for = {name: status for name, status in found.items() if name not in not_for}
            if "RUNNING" not in waited_for.values() or time.monotonic() > deadline:
                return found
            time.sleep(1)


def _memory_mb(account: LocalAccount) -> dict[str, int]:
    """Return the memory size behind the alias of each function that has one."""
    client = account.session.client("lambda")
    return {
        target.name: client.get_function_configuration(FunctionName=target.name, Qualifier=ALIAS)["MemorySize"]
        for target in account.fleet
        if target.alias
    }


def _timetables(account: LocalAccount, group: str) -> list[str]:
    """Return what each schedule of a timetable does, and when."""
    scheduler = account.session.client("scheduler")
    made = [scheduler.get_schedule(GroupName=group, Name=name) for name in _schedules(account, group)]
    return [
        f"{each['Description']}: {each['ScheduleExpression']} {each['ScheduleExpressionTimezone']}" for each in made
    ]


def _schedules(account: LocalAccount, group: str) -> list[str]:
    pages = account.session.client("scheduler").get_paginator("list_schedules").paginate(GroupName=group)
    return sorted(schedule["Name"] for page in pages for schedule in page["Schedules"])


def _document(account: LocalAccount, application: Application, key: str) -> dict[str, Any]:
    s3 = account.session.client("s3")
    listed = s3.list_objects_v2(Bucket=application.bucket, Prefix=key).get("Contents", [])
    if not listed:
        return {}
    document = json.loads(s3.get_object(Bucket=application.bucket, Key=key)["Body"].read())
    return dict(document)


def _download(account: LocalAccount, application: Application, run_id: str, folder: Path) -> Path:
    """Copy the run's documents out of the account, which ends with the demo."""
    s3 = account.session.client("s3")
    prefix = f"runs/{run_id}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=application.bucket, Prefix=prefix)
    for item in (item for page in pages for item in page.get("Contents", [])):
        path = folder / run_id / item["Key"].removeprefix(prefix)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=application.bucket, Key=item["Key"])["Body"].read())
    return folder / run_id
