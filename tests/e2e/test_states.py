"""Visit every state of all machines, including failure paths, with the shipped definitions and deployed handlers.

The causes are real: a bad policy, a second run, a change that no longer exists, a missing table, a Lambda that runs out
of time, people who do not respond.
"""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asl_lint import all_states
from local_account.account import ACCOUNT_ID, REGION
from local_account.fleet import TargetFunction, Worse
from optimizer.core import canonical_json
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.policy.model import Policy
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore

from tests.helpers.e2e.running import MEMORY_EVIDENCE, Execution, Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FOLDER = Path(__file__).parents[2] / "statemachine"
AUTO: dict[str, Any] = {
    "version": 1,
    "mode": "auto",
    "run": {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4},
}
TELLS_OF_FAILURE = ("WordFailure", "PublishFailure", "TellPrograms", "AnnounceFailure")
ASK = {**AUTO, "mode": "approve"}
# The limits are lenient, because these tests judge the path and not the numbers.
MEMORY = {"min_invocations": 20, "max_slowdown": 1.3, "min_gain": 0.01}
# A Lambda whose time limit is below its reserve stops before it acts, and reports that it is not done.
TOO_SHORT_S = 15
_WRAPPED = "wrapped"
WITH_TARGETS = """
import json, os, boto3
def handler(event, context):
    answer = boto3.client("lambda").invoke(FunctionName=os.environ["START_RUN"], Payload=json.dumps(event))
    databases = [{"cluster": "c", "databases": ["orders"]}]
    return {**json.loads(answer["Payload"].read()), "databases": databases, "caches": ["sessions"]}
"""


class Machines(Running):
    """The state machines, with the runs and changes that visit their states."""

    @property
    def request(self) -> dict[str, Any]:
        """Return a request without memory changes, which are made one by one below and would collide."""
        return {"tuners": ["warmups"]}

    def run(self, name: str) -> Execution:
        return self.optimize(name, self.request)

    def target(self, worse: Worse) -> TargetFunction:
        """Return the target that minds less memory least.

        It is one of those that may change, are called all day and behave as `worse` afterwards.
        """
        found = [t for t in self.fleet if t.behaviour.worse is worse and t.alias and t.tags and not t.scaled]
        busy = [t for t in found if (t.traffic.invocations > 0).mean() > 0.5]
        return min(busy, key=lambda t: t.behaviour.curve.ratio(_less(t), t.memory_mb))

    def record(self, run_id: str, target: TargetFunction, watch_minutes: list[int], **run: Any) -> Change:
        """Record an approved change of memory as a run would; `run`: limits of the policy's runs."""
        arn = f"arn:aws:lambda:{REGION}:{ACCOUNT_ID}:function:{target.name}"
        before = {"memory_mb": target.memory_mb, "version": "1"}
        after = {"memory_mb": _less(target)}
        change = Change(
            run_id=run_id,
            tuner=Tuner.MEMORY,
            action="set_memory",
            target=arn,
            before=before,
            after=after,
            reason="to see what becomes of it",
            undo=before,
            risk=Risk.LOW,
            evidence={"alias": target.alias, **MEMORY_EVIDENCE},
        )
        memory = {**MEMORY, "watch_minutes": watch_minutes}
        policy = Policy.from_document({**AUTO, "memory": memory, "run": {**AUTO["run"], **run}})
        Documents(self.s3, self.application.bucket).write(f"runs/{run_id}/policy.json", canonical_json.plain(policy))
        RunStore(self.dynamodb, self.application.table).record_change(change, Status.APPROVED, datetime.now(UTC))
        return change

    def start_change(self, change: Change, **more: str) -> str:
        asked = {"run_id": change.run_id, "change_id": change.id, "tuner": change.tuner.value, **more}
        return self.start(self.application.change_arn, change.id, asked)

    @contextmanager
    def configured(self, function: str, **settings: Any) -> Iterator[None]:
        """Give one of our Lambdas another setting, with variables merged; restore it afterwards."""
        name = f"optimizer-{function}"
        before = self.lambda_.get_function_configuration(FunctionName=name)
        variables = before["Environment"]["Variables"]
        if "Environment" in settings:
            settings["Environment"] = {"Variables": {**variables, **settings["Environment"]}}
        self.lambda_.update_function_configuration(FunctionName=name, **settings)
        try:
            yield
        finally:
            old = {"Timeout": before["Timeout"], "Environment": {"Variables": variables}}
            self.lambda_.update_function_configuration(FunctionName=name, **old)


@pytest.fixture(scope="module")
def machines(deployed: Any) -> Machines:
    return Machines(deployed)


def run_bad_policy(machines: Machines) -> Execution:
    machines.store_policy({"version": 1, "mode": "perhaps"})
    return machines.run("bad-policy")


def run_broken(machines: Machines) -> tuple[Execution, list[Execution]]:
    """Start a run whose acting Lambda cannot reach its table; return it and its changes."""
    machines.store_policy(AUTO)
    with machines.configured("change_warmups", Environment={"OPTIMIZER_TABLE": "no-such-table"}):
        run = machines.run("broken-changes")
        return run, [machines.ended(arn) for arn in machines.changes_of(run.name)]


def run_both(machines: Machines) -> tuple[Execution, Execution]:
    """Start a run that changes things, and another one meanwhile."""
    machines.store_policy(AUTO)
    first = machines.start(machines.application.optimize_arn, "first", machines.request)
    machines.until([first], "Tune")
    second = machines.run("second")
    return machines.ended(first), second


def run_watched(machines: Machines) -> tuple[Execution, Execution]:
    """Start a change that is kept and a harmful one; at each turn the Lambda first has too little time."""
    steady = machines.target(Worse.NOTHING)
    # Late enough to leave time for preparing each check.
    late = [240, 360]
    changes = [machines.record("watched", target, late) for target in (steady, machines.target(Worse.SLOWER))]
    with machines.configured("change_capacity", Timeout=TOO_SHORT_S):
        arns = [machines.start_change(change) for change in changes]
        for arn in arns:
            machines.until([arn], "WaitToPoll")
    for arn in arns:
        machines.until([arn], "WaitToVerify")
    # Harm shows at the first check; a good change is kept only after the last one.
    with machines.configured("change_capacity", Timeout=TOO_SHORT_S):
        machines.until(arns, "WaitToRevert")
    reverted = machines.ended(arns[1])
    with machines.configured("change_capacity", Timeout=TOO_SHORT_S):
        machines.until(arns, "WaitToKeep")
    return machines.ended(arns[0]), reverted


def run_unseen(machines: Machines) -> Execution:
    """Start a change whose observation cannot reach CloudWatch; rolling it back takes two calls."""
    arn = machines.start_change(machines.record("unseen", machines.target(Worse.ERRORS), [120]))
    machines.until([arn], "WaitToVerify")
    nowhere = {"AWS_ENDPOINT_URL_CLOUDWATCH": "http://127.0.0.1:9"}
    with machines.configured("change_capacity", Environment=nowhere, Timeout=TOO_SHORT_S):
        machines.until([arn], "WaitToPutBack")
    return machines.ended(arn)


def run_answered(machines: Machines, name: str, *, approve: bool) -> tuple[Execution, Execution]:
    """Start a run that asks, and another one while the request waits; return the approval and the second run."""
    machines.store_policy(ASK)
    run = machines.run(name)
    assert run.status == "SUCCEEDED", run.cause
    meanwhile = machines.run(f"{name}-meanwhile")
    asked = machines.asked(name)
    approved = [change["change_id"] for change in asked["changes"]] if approve else []
    answer = {"digest": asked["digest"], "approver": "anyone", "by": "test", "approved": approved}
    assert machines.invoke("answer_approval", {"step": "answer", "run_id": name, **answer})["outcome"] == "answered"
    return machines.ended(machines.approval_of(name)), meanwhile


def run_approval_failing(machines: Machines) -> Execution:
    """Start the approval request of a run that does not exist."""
    ask = {"run_id": "no-such-run", "plan_key": "none", "digest": "0" * 64, "timeout_s": 60}
    pair = {"change_id": "memory-0000000000000000", "tuner": "memory"}
    return machines.ended(machines.start(machines.application.approve_arn, "no-such-run", {**ask, "ask": [pair]}))


def copy_run(machines: Machines) -> str:
    """Copy the shipped run with a database and a cache, which no handler finds, because the policy names only
    functions.
    """
    name = machines.application.optimize_arn
    described = machines.sfn.describe_state_machine(stateMachineArn=name)
    definition = json.loads(described["definition"])
    start_run = definition["States"]["StartRun"]["Arguments"]
    with_targets = _create_function(machines, "with_targets", WITH_TARGETS, {"START_RUN": start_run["FunctionName"]})
    start_run["FunctionName"] = with_targets
    created = machines.sfn.create_state_machine(
        name="optimizer-optimize-copy", definition=json.dumps(definition), roleArn=described["roleArn"]
    )
    return created["stateMachineArn"]


def start_unanswered(machines: Machines, copy_arn: str) -> str:
    machines.store_policy({**ASK, "run": {**ASK["run"], "approval_hours": 0.02}})  # type: ignore[dict-item]
    return machines.start(copy_arn, "unanswered", machines.request)


def run_unknown_change(machines: Machines) -> Execution:
    request = {"run_id": "no-such-run", "change_id": "memory-0000000000000000", "tuner": "memory"}
    return machines.ended(machines.start(machines.application.change_arn, "unknown-change", request))


def _less(target: TargetFunction) -> int:
    return target.memory_mb * 3 // 4


def _create_function(machines: Machines, name: str, code: str, variables: Mapping[str, str]) -> str:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("app.py", code)
    role = machines.lambda_.get_function_configuration(FunctionName="optimizer-start_run")["Role"]
    if "START_RUN" in variables:
        allow = {"Effect": "Allow", "Action": "lambda:InvokeFunction", "Resource": variables["START_RUN"]}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        role_name = role.rpartition("/")[2]
        machines.iam.put_role_policy(RoleName=role_name, PolicyName=_WRAPPED, PolicyDocument=document)
    created = machines.lambda_.create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        Timeout=60,
        Environment={"Variables": dict(variables)},
    )
    return str(created["FunctionArn"])


def _remove_copy(machines: Machines, copy_arn: str) -> None:
    machines.sfn.delete_state_machine(stateMachineArn=copy_arn)
    role = machines.lambda_.get_function_configuration(FunctionName="optimizer-start_run")["Role"]
    machines.iam.delete_role_policy(RoleName=role.rpartition("/")[2], PolicyName=_WRAPPED)


def run_nobody(machines: Machines) -> Execution:
    """Run without a single function, as in an account in which nobody has tagged one yet."""
    machines.store_policy(AUTO)
    return machines.optimize("nobody", {"functions": ["no-such-function"], "tuners": ["warmups"]})


@dataclass(frozen=True, slots=True)
class Told:
    """The histories of the scenarios; `copy_arn` is the state machine of `unanswered`."""

    bad_policy: Execution
    unknown_change: Execution
    approval_failing: Execution
    broken: Execution
    broken_changes: list[Execution]
    first: Execution
    second: Execution
    kept: Execution
    reverted: Execution
    unseen: Execution
    rejected: Execution
    approved: Execution
    meanwhile: Execution
    copy_arn: str
    unanswered: Execution
    review: Execution


@pytest.fixture(scope="module")
def told(machines: Machines) -> Iterator[Told]:
    """Play all scenarios, in an order in which none spoils another: changed functions cool down afterwards."""
    assert run_nobody(machines).status == "SUCCEEDED"
    bad_policy, unknown_change = run_bad_policy(machines), run_unknown_change(machines)
    broken, broken_changes = run_broken(machines)
    first, second = run_both(machines)
    approved, meanwhile = run_answered(machines, "approved", approve=True)
    copy_arn = copy_run(machines)
    # Nobody responds for a minute; the changes below are started without a run.
    unanswered_arn = start_unanswered(machines, copy_arn)
    kept, reverted = run_watched(machines)
    unseen = run_unseen(machines)
    assert machines.ended(unanswered_arn).status == "SUCCEEDED"
    unanswered = machines.ended(machines.approval_of("unanswered"))
    rejected, _ = run_answered(machines, "rejected", approve=False)
    machines.s3.delete_object(Bucket=machines.application.bucket, Key="policy/policy.json")
    yield Told(
        bad_policy=bad_policy,
        unknown_change=unknown_change,
        approval_failing=run_approval_failing(machines),
        broken=broken,
        broken_changes=broken_changes,
        first=first,
        second=second,
        kept=kept,
        reverted=reverted,
        unseen=unseen,
        rejected=rejected,
        approved=approved,
        meanwhile=meanwhile,
        copy_arn=copy_arn,
        unanswered=unanswered,
        review=machines.optimize("states-review", {"review": True}),
    )
    _remove_copy(machines, copy_arn)


def test_run_with_a_bad_policy_fails_with_a_message(told: Told) -> None:
    assert (told.bad_policy.status, told.bad_policy.error) == ("FAILED", "PolicyInvalid")
    lane = [
        "StartRun",
        "WasStarted",
        "RecordFailure",
        "ReleaseLock",
        "WordFailure",
        "PublishFailure",
        "TellPrograms",
        "AnnounceFailure",
        "RunFailed",
    ]
    assert told.bad_policy.states == lane


def test_failing_change_does_not_fail_its_run(told: Told) -> None:
    assert told.broken.status == "SUCCEEDED"
    assert told.broken_changes
    lane = [
        "PutBack",
        "IsRunStillWaiting",
        "TellRunOfFailure",
        "WordFailure",
        "PublishFailure",
        "TellPrograms",
        "AnnounceFailure",
        "ChangeFailed",
    ]
    for change in told.broken_changes:
        assert change.status == "FAILED"
        assert change.states[-len(lane) :] == lane


def test_change_with_a_failed_observation_is_rolled_back(told: Told) -> None:
    assert told.unseen.status == "FAILED"
    lane = [
        "WaitToPutBack",
        "PutBack",
        "WasPutBack",
        "IsRunStillWaiting",
        "WordFailure",
        "PublishFailure",
        "TellPrograms",
        "AnnounceFailure",
        "ChangeFailed",
    ]
    assert told.unseen.states[-len(lane) :] == lane


def test_a_second_run_is_skipped_while_one_is_going(told: Told) -> None:
    assert told.first.status == told.second.status == "SUCCEEDED"
    assert told.second.states == ["StartRun", "WasStarted", "TellBusy", "Skipped"]


@pytest.mark.usefixtures("told")
def test_the_lock_is_free_when_no_run_is_going(machines: Machines) -> None:
    key = {"pk": {"S": "LOCK"}, "sk": {"S": "RUN"}}
    assert "Item" not in machines.dynamodb.get_item(TableName=machines.application.table, Key=key)


def test_good_change_is_kept_and_harmful_change_is_rolled_back(told: Told) -> None:
    assert told.kept.status == told.reverted.status == "SUCCEEDED"
    assert told.kept.states[-3:] == ["WasKept", "PublishOutcome", "Done"]
    assert told.reverted.states[-3:] == ["WasReverted", "PublishOutcome", "Done"]


def test_rejected_change_is_not_applied(told: Told) -> None:
    assert told.rejected.status == "SUCCEEDED"
    assert "AwaitApproval" in told.rejected.states
    assert "StartChange" not in told.rejected.states


def test_approved_changes_are_applied_outside_the_run(told: Told) -> None:
    assert told.approved.status == "SUCCEEDED", told.approved.cause
    assert "StartChange" in told.approved.states
    assert told.approved.states[-2:] == ["PublishAnswer", "Done"]


def test_a_run_is_not_held_up_by_an_open_approval_request(told: Told) -> None:
    assert told.meanwhile.status == "SUCCEEDED", told.meanwhile.cause
    assert "CheckGuardrails" in told.meanwhile.states


def test_unanswered_approval_request_rejects_without_failing(told: Told) -> None:
    """Without a response the changes are rejected and none is started."""
    assert told.unanswered.status == "SUCCEEDED"
    assert "RejectUnanswered" in told.unanswered.states
    assert "StartChange" not in told.unanswered.states


def test_failing_approval_request_is_closed_and_announced(told: Told) -> None:
    assert told.approval_failing.status == "FAILED"
    ends = ["WordFailure", "PublishFailure", "TellPrograms", "AnnounceFailure", "ApprovalFailed"]
    lane = ["AwaitApproval", "CloseRequest", *ends]
    assert told.approval_failing.states[-len(lane) :] == lane


def test_unrecorded_change_fails_with_an_announcement(told: Told) -> None:
    lane = [
        "Begin",
        "IsAskedBack",
        "Apply",
        "PutBack",
        "IsRunStillWaiting",
        "WordFailure",
        "PublishFailure",
        "TellPrograms",
        "AnnounceFailure",
        "ChangeFailed",
    ]
    assert (told.unknown_change.status, told.unknown_change.states) == ("FAILED", lane)


@pytest.mark.usefixtures("told")
def test_a_review_only_reads_and_reports(told: Told) -> None:
    assert told.review.status == "SUCCEEDED", told.review.cause
    assert told.review.states == ["StartRun", "WasStarted", "PublishReview", "Done"]


def test_a_change_outside_its_window_tells_the_run_and_waits(machines: Machines) -> None:
    """The run is told, whether it still waits or not; the window opens half a day later."""
    opens = datetime.now(UTC) + timedelta(hours=12)
    window = {"start": f"{opens:%H:00}", "until": f"{opens:%H:30}"}
    change = machines.record("window", machines.target(Worse.NOTHING), [240], windows=[window])
    arn = machines.start_change(change, task_token="of a run that has ended")
    machines.until([arn], "WaitForWindow")
    states = machines.entered(arn)
    assert states[states.index("IsRunToldOfWindow") :][:3] == ["IsRunToldOfWindow", "TellRunOfWindow", "WaitForWindow"]
    store = RunStore(machines.dynamodb, machines.application.table)
    assert store.change(change.id).status is Status.APPROVED
    assert store.change(change.id).waits_until == opens.replace(minute=0, second=0, microsecond=0)
    # It can be called off while it waits.
    machines.sfn.stop_execution(executionArn=arn)
    asked = {"run_id": change.run_id, "change_id": change.id, "tuner": change.tuner.value, "revert": "not now"}
    ended = machines.ended(machines.start(machines.application.change_arn, f"revert-1-{change.id}", asked))
    assert (ended.status, store.change(change.id).status) == ("SUCCEEDED", Status.REVERTED)


def test_every_state_of_the_life_of_a_change_is_visited(machines: Machines) -> None:
    arns = machines.executions(machines.application.change_arn)
    visited = {state for arn in arns for state in machines.entered(arn)}
    assert visited == all_states((FOLDER / "change.asl.json").read_text())


def test_every_state_of_the_run_is_visited(machines: Machines, told: Told) -> None:
    arns = machines.executions(machines.application.optimize_arn) + machines.executions(told.copy_arn)
    visited = {state for arn in arns for state in machines.entered(arn)}
    assert visited == all_states((FOLDER / "optimize.asl.json").read_text())


def test_every_state_of_an_approval_is_visited(machines: Machines) -> None:
    arns = machines.executions(machines.application.approve_arn)
    visited = {state for arn in arns for state in machines.entered(arn)}
    assert visited == all_states((FOLDER / "approve.asl.json").read_text())
