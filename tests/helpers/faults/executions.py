"""Execute state machines of any version over today's Lambdas, on a stage."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from optimizer.aws import clients

from tests.helpers.asl_player import Player, TaskFailed
from tests.helpers.faults.stage import Clock, Stage, Step

_FUNCTIONS = re.compile("(?<!^)(?=[A-Z])")


def _nothing(_step: Step) -> None:
    pass


@dataclass
class Executions:
    """The executions of the machines in a folder.

    `before` is called before each invocation, and `respond` once an approval request is sent; it may let it expire.
    """

    stage: Stage
    folder: Path
    before: Callable[[Step], None] = _nothing
    respond: Callable[[Mapping[str, Any]], None] = lambda _request: None
    answers: list[tuple[Step, dict[str, Any]]] = field(default_factory=list)

    def play(self, machine: str, given: Mapping[str, Any], name: str) -> tuple[str, list[str]]:
        """Execute to the end; return the status and the states that were entered."""
        player = Player(machine, self._act, name, self.folder, self._wait)
        return player.play(given), player.states

    def outcomes(self, function: str) -> list[str]:
        """Return the outcomes of a Lambda's answers, in their order."""
        return [answer["outcome"] for step, answer in self.answers if step.function == function]

    def _wait(self, seconds: float) -> None:
        Clock.at += timedelta(seconds=seconds)

    def _act(self, resource: str, arguments: Mapping[str, Any]) -> Any:
        match resource:
            case "lambda:invoke":
                return {"Payload": self._invoke(arguments)}
            case "lambda:invoke.waitForTaskToken":
                token = arguments["Payload"]["task_token"]
                self.stage.services.waiting[token] = None
                self._invoke(arguments)
                self.respond(arguments["Payload"])
                return self._told(token)
            case "states:startExecution.waitForTaskToken":
                token = arguments["Input"]["task_token"]
                self.stage.services.waiting[token] = None
                self.play(arguments["StateMachineArn"].lower(), arguments["Input"], arguments["Name"])
                return self._told(token)
            case "s3:getObject":
                return self.stage.documents.read(arguments["Key"])
            case _:
                return self._call(*resource.rsplit(":", 2)[-2:], arguments)

    def _invoke(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        function = _FUNCTIONS.sub("_", arguments["FunctionName"]).lower()
        step = Step(function, arguments["Payload"])
        self.before(step)
        self.stage.calls.arm(0, None)
        answer = self.stage.run(step)
        self.answers.append((step, answer))
        return answer

    def _told(self, token: str) -> Any:
        told = self.stage.services.waiting[token]
        if told is None:
            raise TaskFailed("States.Timeout")
        return json.loads(told)

    def _call(self, service: str, operation: str, arguments: Mapping[str, Any]) -> Any:
        """Call the service as an optimised integration does, whose parameters begin with capital letters."""
        if service == "sfn":
            arguments = {name[0].lower() + name[1:]: value for name, value in arguments.items()}
            service = "stepfunctions"
        method = _FUNCTIONS.sub("_", operation).lower()
        try:
            answer = getattr(clients.client(service), method)(**_texts(arguments))
        except ClientError as error:
            raise TaskFailed(f"{service}.{error.response['Error']['Code']}") from error
        return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def _texts(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments with the detail of events as text, which the integration also takes as an object."""
    plain: dict[str, Any] = json.loads(json.dumps(arguments))
    return plain
