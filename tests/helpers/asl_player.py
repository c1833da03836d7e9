"""Play a shipped state machine in the process: states and expressions are real, tasks are functions of a test."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jsonata import Jsonata  # type: ignore[import-untyped]
from shipped_template import ROOT

# Called with the resource (without its ARN's beginning) and the arguments of a task; returns the result.
type Act = Callable[[str, Mapping[str, Any]], Any]


class TaskFailed(Exception):
    """A task fails with this error."""

    def __init__(self, error: str, cause: str = "") -> None:
        super().__init__(error)
        self.output = {"Error": error, "Cause": cause}


@dataclass(slots=True)
class Player:
    """One execution of a machine: `states` are those that were entered, in their order.

    The machine is a file in `folder`, which another version may have shipped. `wait` gets the seconds of each wait.
    """

    machine: str
    act: Act
    name: str = "run-1"
    folder: Path = ROOT / "statemachine"
    wait: Callable[[float], object] = lambda _seconds: None
    states: list[str] = field(default_factory=list)
    variables: dict[str, Any] = field(default_factory=dict)

    def play(self, given: Any, start_at: str = "") -> str:
        """Run to the end, from the start or from another state; return SUCCEEDED or FAILED."""
        text = (self.folder / f"{self.machine}.asl.json").read_text()
        definition = json.loads(re.sub(r"\$\{(\w+)\}", r"\1", text))
        definition |= {"StartAt": start_at} if start_at else {}
        return self._scope(definition, given, self.variables, {})[0]

    def _scope(
        self, scope: Mapping[str, Any], given: Any, variables: dict[str, Any], item: Mapping[str, Any]
    ) -> tuple[str, Any]:
        at, value = scope["StartAt"], given
        while True:
            state = scope["States"][at]
            self.states.append(at)
            if state["Type"] in ("Succeed", "Fail"):
                return ("SUCCEEDED" if state["Type"] == "Succeed" else "FAILED"), value
            at, value = self._state(state, value, variables, item)
            if at == "":
                return "SUCCEEDED", value

    def _state(
        self, state: Mapping[str, Any], given: Any, variables: dict[str, Any], item: Mapping[str, Any]
    ) -> tuple[str, Any]:
        execution = {"Name": self.name, "Id": f"arn:execution:{self.name}", "StartTime": "2026-11-30T04:00:00Z"}
        states: dict[str, Any] = {"input": given}
        states["context"] = {"Execution": execution, "Task": {"Token": f"token-{self.name}"}, "Map": {"Item": item}}
        evaluate = _Evaluator(states, variables)
        if state["Type"] == "Choice":
            for choice in state["Choices"]:
                if evaluate(choice["Condition"]):
                    return self._leave(choice, choice["Next"], given, evaluate, variables)
            return self._leave(state, state["Default"], given, evaluate, variables)
        try:
            states["result"] = self._result(state, given, evaluate, variables)
        except TaskFailed as failed:
            states["errorOutput"] = failed.output
            catcher = next(
                one for one in state["Catch"] if {failed.output["Error"], "States.ALL"} & set(one["ErrorEquals"])
            )
            return self._leave(catcher, catcher["Next"], failed.output, evaluate, variables)
        return self._leave(state, state.get("Next", ""), states["result"], evaluate, variables)

    def _result(self, state: Mapping[str, Any], given: Any, evaluate: "_Evaluator", variables: dict[str, Any]) -> Any:
        match state["Type"]:
            case "Task":
                resource = state["Resource"].rpartition(":::")[2]
                return json.loads(json.dumps(self.act(resource, evaluate(state["Arguments"]))))
            case "Map":
                return self._map(state, evaluate, variables)
            case "Parallel":
                return [self._scope(branch, given, dict(variables), {})[1] for branch in state["Branches"]]
            case "Wait":
                self.wait(evaluate(state["Seconds"]))
                return given
            case "Pass":
                return given
            case other:
                raise NotImplementedError(other)

    def _map(self, state: Mapping[str, Any], evaluate: "_Evaluator", variables: dict[str, Any]) -> list[Any]:
        """Run one item after another; the execution of an item of a distributed map cannot read variables."""
        reader, processor = state.get("ItemReader"), state["ItemProcessor"]
        items = self.act("s3:getObject", evaluate(reader["Arguments"])) if reader else evaluate(state["Items"])
        assert isinstance(items, list), f"the items of a map are {items!r}"
        distributed = processor.get("ProcessorConfig", {}).get("Mode") == "DISTRIBUTED"
        found = []
        for value in items:
            own = {"Value": value}
            context = {**evaluate.states["context"], "Map": {"Item": own}}
            inner = _Evaluator({**evaluate.states, "context": context}, variables)
            given = inner(state["ItemSelector"]) if "ItemSelector" in state else value
            found.append(self._scope(processor, given, {} if distributed else dict(variables), own)[1])
        return found

    def _leave(
        self, part: Mapping[str, Any], following: str, value: Any, evaluate: "_Evaluator", variables: dict[str, Any]
    ) -> tuple[str, Any]:
        assigned = {name: evaluate(text) for name, text in part.get("Assign", {}).items()}
        output = evaluate(part["Output"]) if "Output" in part else value
        variables.update(assigned)
        return following, output


@dataclass(frozen=True, slots=True)
class _Evaluator:
    states: dict[str, Any]
    variables: Mapping[str, Any]

    def __call__(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self(item) for item in value]
        if not isinstance(value, str) or not value.startswith("{%"):
            return value
        expression = Jsonata(value[2:-2].strip())
        for name, known in {**self.variables, "states": self.states}.items():
            expression.assign(name, known)
        return expression.evaluate(None)
