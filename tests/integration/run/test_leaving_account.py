"""What leaving takes back, in which order, and what it says where it cannot; what CloudFormation is told."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from optimizer.aws import custom_resource
from optimizer.core.change import Status, Tuner
from optimizer.run.leave import HOLDER, Leaving, Left
from optimizer.store.run_store import RunStore

from tests.helpers.own_account import TABLE, load_handler, own_account
from tests.helpers.small_change import small_change

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
OPTIMIZE, APPROVE, CHANGE = (
    f"arn:aws:states:eu-west-1:123456789012:stateMachine:optimizer-{name}" for name in ("run", "approve", "change")
)


class ExecutionAlreadyExists(Exception):
    """As Step Functions'."""


class ValidationException(Exception):
    """As Step Functions'."""


@dataclass
class Machines:
    """Step Functions: executions by machine, name and status. What is started takes the change back at once, unless
    `ends_as` says otherwise of it. `cannot_stop`: as what those end that are to be stopped, by name; they cannot be."""

    store: RunStore
    executions: dict[tuple[str, str], str] = field(default_factory=dict)
    ends_as: dict[str, str] = field(default_factory=dict)
    cannot_stop: dict[str, str] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    exceptions: Any = field(
        default_factory=lambda: SimpleNamespace(
            ExecutionAlreadyExists=ExecutionAlreadyExists, ValidationException=ValidationException
        )
    )

    def get_paginator(self, _operation: str) -> Any:
        def paginate(**asked: str) -> Iterator[Any]:
            machine, wanted = asked["stateMachineArn"], asked["statusFilter"]
            for (of, name), status in list(self.executions.items()):
                if (of, status) == (machine, wanted):
                    yield {"executions": [{"name": name, "executionArn": _arn(machine, name)}]}

        return SimpleNamespace(paginate=paginate)

    def start_execution(self, **asked: str) -> Any:
        machine, name = asked["stateMachineArn"], asked["name"]
        if (machine, name) in self.executions:
            raise ExecutionAlreadyExists
        change_id = json.loads(asked["input"])["change_id"]
        self.started.append(change_id)
        self.executions[machine, name] = status = self.ends_as.get(change_id, "SUCCEEDED")
        if status == "SUCCEEDED":
            open_ = set(Status) - {Status.REVERTED}
            self.store.move(change_id, Status.REVERTED, NOW, from_any=open_)
        return {"executionArn": _arn(machine, name)}

    def describe_execution(self, **asked: str) -> Any:
        (found,) = [status for (of, name), status in self.executions.items() if _arn(of, name) == asked["executionArn"]]
        return {"status": found}

    def stop_execution(self, **asked: str) -> None:
        for of, name in self.executions:
            if _arn(of, name) == asked["executionArn"]:
                self.executions[of, name] = self.cannot_stop.get(name, "ABORTED")
                if name in self.cannot_stop:
                    raise ValidationException


def _arn(machine: str, name: str) -> str:
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


@dataclass
class Account:
    """A table, the machines, and the time that the Lambda has left."""

    store: RunStore
    machines: Machines
    remaining_ms: float = 900_000

    def change(self, function: str, tuner: Tuner, status: Status, execution: str = "", *, run: int = 1) -> str:
        """A change in a status, with an execution in another; its id."""
        change = small_change(function, tuner, f"run-{run}")
        at = NOW - timedelta(days=10 - run)
        self.store.record_change(change, Status.APPROVED, at)
        self.store.move(change.id, status, at, from_any={Status.APPROVED})
        if execution:
            self.machines.executions[CHANGE, change.id] = execution
        return change.id

    def pause(self, seconds: float) -> None:
        self.remaining_ms -= seconds * 1000

    def leave(self) -> Any:
        leaving = Leaving(
            store=self.store,
            sfn=self.machines,  # type: ignore[arg-type]
            optimize_arn=OPTIMIZE,
            approve_arn=APPROVE,
            change_arn=CHANGE,
            sleep=self.pause,
            remaining_ms=lambda: self.remaining_ms,
        )
        return leaving.leave(NOW)


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with own_account(monkeypatch):
        store = RunStore(boto3.client("dynamodb"), TABLE)
        yield Account(store, Machines(store))


def test_leaving_rolls_back_open_changes_and_keeps_ended_ones(account: Account) -> None:
    """Open changes are under observation or stuck half-way."""
    watched = account.change("a", Tuner.MEMORY, Status.WATCHING, "RUNNING")
    stuck = account.change("b", Tuner.WARMUPS, Status.APPLYING, "FAILED")
    account.change("c", Tuner.MEMORY, Status.KEPT, "SUCCEEDED")
    account.change("d", Tuner.INDEXES, Status.REVERTED, "FAILED")
    left = account.leave()
    assert (sorted(left.taken_back), left.remaining) == (sorted([watched, stuck]), {})
    assert account.machines.executions[CHANGE, watched] == "ABORTED"


def test_kept_concurrency_is_rolled_back_newest_first(account: Account) -> None:
    kept = [account.change("a", Tuner.PROVISIONED_CONCURRENCY, Status.KEPT, run=run) for run in (1, 2, 3)]
    assert account.leave().taken_back == list(reversed(kept))
    assert account.machines.started == list(reversed(kept))
    account.machines.started.clear()
    assert account.leave().taken_back == []


def test_runs_end_and_none_begins(account: Account) -> None:
    account.store.take_lock("run-1", NOW, timedelta(hours=8))
    account.machines.executions |= {(OPTIMIZE, "run-1"): "RUNNING", (APPROVE, "run-0"): "RUNNING"}
    account.leave()
    assert account.machines.executions[OPTIMIZE, "run-1"] == "ABORTED"
    assert account.machines.executions[APPROVE, "run-0"] == "ABORTED"
    assert account.store.take_lock("run-2", NOW, timedelta(hours=8)) == HOLDER
    later = NOW + timedelta(hours=1, seconds=1)
    assert account.store.take_lock("run-2", later, timedelta(hours=8)) == "run-2"


def test_an_execution_that_ends_by_itself_needs_no_stop(account: Account) -> None:
    account.machines.executions |= {(OPTIMIZE, "run-1"): "RUNNING", (OPTIMIZE, "run-2"): "RUNNING"}
    account.machines.cannot_stop = {"run-1": "SUCCEEDED"}
    account.leave()
    assert account.machines.executions[OPTIMIZE, "run-2"] == "ABORTED"
    account.machines.executions |= {(OPTIMIZE, "run-1"): "RUNNING", (APPROVE, "run-0"): "RUNNING"}
    account.machines.cannot_stop = {"run-1": "RUNNING"}
    with pytest.raises(ValidationException):
        account.leave()


def test_a_change_that_cannot_be_rolled_back_is_named(account: Account) -> None:
    stays, slow = (account.change(name, Tuner.INDEXES, Status.WATCHING, "RUNNING") for name in ("a", "b"))
    account.machines.ends_as = {stays: "FAILED", slow: "RUNNING"}
    left = account.leave()
    assert left.remaining == {stays: "it is watching", slow: "it is still being rolled back"}
    assert account.machines.executions[CHANGE, slow] == "RUNNING"


def test_leaving_goes_on_where_the_last_try_ended(account: Account) -> None:
    change = account.change("a", Tuner.INDEXES, Status.WATCHING, "RUNNING")
    account.machines.ends_as = {change: "FAILED"}
    account.leave()
    account.machines.ends_as = {}
    account.remaining_ms = 900_000
    assert account.leave().taken_back == [change]


def test_where_there_is_no_time_everything_remains(account: Account) -> None:
    change = account.change("a", Tuner.MEMORY, Status.WATCHING, "RUNNING")
    account.remaining_ms = 10_000
    assert account.leave().remaining == {change: "there was no time left"}


@pytest.fixture
def cloudformation() -> Iterator[tuple[str, list[Any]]]:
    """An address like the one CloudFormation gives, and what is put there."""
    told: list[Any] = []

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.headers["Content-Type"], body))
            self.send_response(503 if "lost" in self.path and len(told) == 1 else 200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/answer?signature=secret", told
    server.shutdown()
    server.server_close()


def request(url: str, kind: str) -> dict[str, str]:
    return {
        "RequestType": kind,
        "ResponseURL": url,
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Leaving",
    }


@pytest.mark.parametrize(("failure", "status"), [("", "SUCCESS"), ("it stays", "FAILED")])
def test_cloudformation_is_told_until_it_has_heard(
    cloudformation: tuple[str, list[Any]], failure: str, status: str
) -> None:
    url, told = cloudformation
    custom_resource.send(request(f"{url}&first=lost", "Delete"), failure, sleep=lambda _s: None)
    assert told[0] == told[1]
    assert told[1] == (
        "",
        {
            "Status": status,
            "Reason": failure,
            "PhysicalResourceId": "Leaving",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Leaving",
        },
    )


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_creating_and_updating_the_stack_changes_nothing(cloudformation: tuple[str, list[Any]], kind: str) -> None:
    url, told = cloudformation
    answer = load_handler("leave_account").handler(request(url, kind), None)
    assert answer == {"outcome": "left", "taken_back": [], "remaining": {}}
    assert told[-1][1]["Status"] == "SUCCESS"


def test_cloudformation_is_told_about_unexpected_errors(
    cloudformation: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    url, told = cloudformation
    handler: Callable[..., Any] = load_handler("leave_account").handler
    monkeypatch.delenv("OPTIMIZER_TABLE", raising=False)
    with pytest.raises(RuntimeError):
        handler(request(url, "Delete"), None)
    assert told[-1][1]["Status"] == "FAILED"
    assert "signature" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("with_the_stack", "remaining", "left"),
    [(True, {}, 1), (True, {"memory-1": "it stays"}, 2), (False, {}, 2)],
)
def test_topics_of_approvers_go_with_the_stack(
    cloudformation: tuple[str, list[Any]],
    monkeypatch: pytest.MonkeyPatch,
    with_the_stack: bool,
    remaining: dict[str, str],
    left: int,
) -> None:
    """They stay if the deletion fails, or if somebody rolls back by hand and keeps the stack."""
    with own_account(monkeypatch, "eu-west-1"):
        sns = boto3.client("sns")
        for name in ("optimizer_approver_anna", "optimizer-two_approver_anna"):
            sns.create_topic(Name=name)
        module = load_handler("leave_account")
        monkeypatch.setattr(module, "_leave", lambda _context: Left(remaining=remaining))
        event = request(cloudformation[0], "Delete") if with_the_stack else {"RequestType": "Delete"}
        module.handler(event, None)
        assert len(sns.list_topics()["Topics"]) == left
