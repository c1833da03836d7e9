"""An account in which the application lives for weeks: every state machine and handler is real but the planners."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from optimizer.core import Tuner
from shipped_template import RESOURCES, ROOT

from tests.helpers.asl_player import Player, TaskFailed
from tests.helpers.faults.executions import Executions
from tests.helpers.faults.services import error
from tests.helpers.faults.stage import Clock, Stage, Step
from tests.helpers.weeks.changes import CalmHooks, InForce
from tests.helpers.weeks.clockwork import Clockwork
from tests.helpers.weeks.proposals import FUNCTIONS, TARGETS, arn, propose

INPUTS: dict[str, dict[str, Any]] = {
    name: json.loads(event["Properties"]["Input"])
    for name, event in RESOURCES["Optimize"]["Properties"]["Events"].items()
    if "Input" in event["Properties"]
}
# The hours at which the shipped schedules start, by the name of the schedule; the weekly one on Mondays.
HOURS = {"Daily": (4,), "Weekly": (1,), "Warmups": (10, 16, 22)}
_ACTING = ("change_warmups", "change_capacity", "change_indexes", "change_cache_ttls")
_STEP_S = 2
_TOPIC = "arn:aws:sns:eu-west-1:123456789012:optimizer"


@dataclass
class Weeks:
    """The weeks, and what came of them.

    `respond_hours`: when people respond to a request; None for never. `approves`: they approve, or reject. `ends`: the
    status of each execution by machine and name. `said`: metrics with their times. `broken_runs`: schedules whose runs
    fail from now on."""

    stage: Stage
    policy: Mapping[str, Any]
    respond_hours: float | None = 0.5
    approves: bool = True
    broken_runs: frozenset[str] = frozenset()
    clock: Clockwork = field(default_factory=Clockwork)
    in_force: InForce = field(default_factory=dict)
    ends: dict[tuple[str, str], str] = field(default_factory=dict)
    took: dict[tuple[str, str], timedelta] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    said: list[tuple[datetime, str, float]] = field(default_factory=list)
    mails: list[tuple[datetime, str]] = field(default_factory=list)
    responses: list[tuple[datetime, str]] = field(default_factory=list)
    _tokens: int = 0

    def begin(self, monkeypatch: pytest.MonkeyPatch, first: datetime) -> None:
        """Set the account up, and the clock to the first day."""
        Clock.at = first
        stage = self.stage
        stage.services.objects["policy/policy.json"] = json.dumps(self.policy).encode()
        for name in _ACTING:
            stage.prepare[name] = lambda module: module.__dict__.update(
                _hooks=lambda setting: CalmHooks(setting, self.in_force)
            )
        tagged = [{"ResourceARN": arn(name), "Tags": [{"Key": "optimizer", "Value": "on"}]} for name in FUNCTIONS]
        stage.calls.answers |= {
            "GetResources": lambda _request: {"ResourceTagMappingList": tagged, "PaginationToken": ""},
            "GetAccountSettings": lambda _request: {"AccountLimit": {"UnreservedConcurrentExecutions": 1000}},
            "Publish": self._publish,
            "SendTaskSuccess": self._tell,
        }
        monkeypatch.setattr(
            "optimizer.aws.emit_metrics.emit",
            lambda values: self.said.extend((Clock.at, name, value) for name, value in values.items()),
        )

    def live(self, days: int, schedules: Sequence[str] = ("Daily", "Weekly", "Warmups"), first_day: int = 0) -> None:
        """Let the schedules start their runs for so many days."""
        first = Clock.at - timedelta(days=first_day)
        for day in range(first_day, first_day + days):
            for name in schedules:
                for hour in HOURS[name]:
                    moment = first + timedelta(days=day, hours=hour)
                    if name != "Weekly" or moment.weekday() == 0:
                        self.start("optimize", f"{name.lower()}-{day:02d}-{hour:02d}", INPUTS[name], moment)
        self.clock.run(first + timedelta(days=first_day + days))

    def start(self, machine: str, name: str, given: Mapping[str, Any], moment: datetime) -> None:
        """Start an execution at a moment."""
        self.clock.at(moment, lambda: self._play(machine, name, given))

    def runs(self, status: str = "SUCCEEDED") -> list[str]:
        """Return the names of the runs that ended so."""
        return [name for (machine, name), end in self.ends.items() if machine == "optimize" and end == status]

    def _play(self, machine: str, name: str, given: Mapping[str, Any]) -> None:
        began = Clock.at
        player = Player(machine, _Services(self), name, ROOT / "statemachine", self.clock.wait)
        self.ends[machine, name] = player.play(given)
        self.took[machine, name] = Clock.at - began

    def task(self, resource: str, arguments: Mapping[str, Any]) -> Any:
        """Do a task of a state machine."""
        self.clock.wait(_STEP_S)
        match resource:
            case "lambda:invoke":
                return {"Payload": self._invoke(arguments)}
            case "lambda:invoke.waitForTaskToken":
                payload = {**arguments["Payload"], "task_token": self._token()}
                self.stage.services.waiting[payload["task_token"]] = None
                self._people_respond(payload)
                self._invoke({**arguments, "Payload": payload})
                return self._told(payload["task_token"], payload["timeout_s"])
            case "states:startExecution.waitForTaskToken":
                given = {**arguments["Input"], "task_token": self._token()}
                self.stage.services.waiting[given["task_token"]] = None
                self.start(arguments["StateMachineArn"].lower(), arguments["Name"], given, Clock.at)
                return self._told(given["task_token"], 21_600)
            case "states:startExecution":
                self.start(arguments["StateMachineArn"].lower(), arguments["Name"], arguments["Input"], Clock.at)
                return {}
            case "aws-sdk:sfn:sendTaskSuccess":
                if not self.clock.tell(arguments["TaskToken"], arguments["Output"]):
                    raise TaskFailed("Sfn.TaskTimedOutException")
                return {}
            case _:
                return Executions(self.stage, ROOT)._act(resource, arguments)

    def _invoke(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        function = re.sub("(?<!^)(?=[A-Z])", "_", arguments["FunctionName"]).lower()
        payload = arguments["Payload"]
        if function == "check_guardrails" and str(payload["run_id"]).partition("-")[0] in self.broken_runs:
            raise TaskFailed("Lambda.Unknown", "it is broken")
        if function in ("analyze_traffic", "render_report"):
            return {"outcome": "done"}
        if function.startswith("plan_"):
            return self._plan(function, payload)
        self.stage.calls.arm(0, None)
        return self.stage.run(Step(function, payload))

    def _plan(self, function: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        run_id, documents = payload["run_id"], self.stage.documents
        part = payload.get("batch") or payload["target"]
        asked = documents.read(f"runs/{run_id}/batches/{part}.json")["tuners"] if "batch" in payload else [*Tuner]
        tuners = [tuner for tuner in _PLANS[function] if tuner in asked]
        changes = [
            propose(run_id, tuner, target, self.in_force.get((target, tuner), {}), Clock.at).to_document()
            for tuner in tuners
            for target in TARGETS[tuner]
        ]
        found = {"changes": changes, "no_changes": [], "failed": {}}
        documents.write(f"runs/{run_id}/proposals/{function}-{part}.json", found)
        return {"outcome": "planned", "changes": len(changes)}

    def _people_respond(self, request: Mapping[str, Any]) -> None:
        if self.respond_hours is None:
            return

        def respond() -> None:
            chosen = [pair["change_id"] for pair in request["ask"] if self.approves]
            event = {"step": "answer", "run_id": request["run_id"], "digest": request["digest"], "approver": "anna"}
            event |= {"by": "Anna", "approved": chosen, **({} if self.approves else {"reason": "not now"})}
            answer = self.stage.run(Step("answer_approval", event))
            self.responses.append((Clock.at, answer["outcome"]))

        self.clock.at(Clock.at + timedelta(hours=self.respond_hours), respond)

    def _told(self, token: str, timeout_s: float) -> Any:
        told = self.clock.wait_for(token, timeout_s)
        if told is None:
            raise TaskFailed("States.Timeout")
        return json.loads(told)

    def _token(self) -> str:
        self._tokens += 1
        return f"token-{self._tokens}"

    def _publish(self, request: dict[str, Any]) -> dict[str, Any]:
        if request["TopicArn"].startswith(_TOPIC):
            self.mails.append((Clock.at, request["Subject"]))
        return {"MessageId": "message"}

    def _tell(self, request: dict[str, Any]) -> dict[str, Any]:
        if not self.clock.tell(request["taskToken"], request["output"]):
            raise error("TaskTimedOut", "SendTaskSuccess")
        return {}


@dataclass(frozen=True, slots=True)
class _Services:
    weeks: Weeks

    def __call__(self, resource: str, arguments: Mapping[str, Any]) -> Any:
        return self.weeks.task(resource, arguments)


_PLANS: Mapping[str, Sequence[Tuner]] = {
    "plan_warmups": (Tuner.WARMUPS,),
    "plan_capacity": (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY),
    "plan_index_maintenance": (Tuner.INDEXES,),
    "plan_cache_ttls": (Tuner.CACHE_TTLS,),
}
