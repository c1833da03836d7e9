"""Check the shipped state machines against rules that other tools do not know.

`lint(text)` returns one Finding for each broken rule. A catcher that lets a run continue needs a Comment that starts
with "Tolerated:" and must record the error. Every other catcher must lead to nothing but Fail states.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from jsonata import Jsonata  # type: ignore[import-untyped]
from statelint.linter import Linter  # type: ignore[import-untyped]

State = Mapping[str, Any]

# These errors say that the service failed, not the caller or the called code, so a retry may succeed.
SERVICE_ERRORS = frozenset(
    {
        "Lambda.AWSLambdaException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.SdkClientException",
        "Lambda.ServiceException",
        "Lambda.TooManyRequestsException",
        "DynamoDB.InternalServerErrorException",
        "DynamoDB.ProvisionedThroughputExceededException",
        "DynamoDB.RequestLimitExceededException",
        "DynamoDB.SdkClientException",
        "DynamoDB.ThrottlingException",
        "EventBridge.InternalException",
        "EventBridge.SdkClientException",
        "EventBridge.ThrottlingException",
        "SNS.InternalErrorException",
        "SNS.KmsThrottlingException",
        "SNS.SdkClientException",
        "SNS.ThrottledException",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.SdkClientException",
        "StepFunctions.ThrottlingException",
        "Sfn.SdkClientException",
        "Sfn.ThrottlingException",
    }
)
_NUMERIC = ("TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "Seconds")
_CAUGHT = ("Task", "Map", "Parallel")


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule: `where` is the path of the state, with the names of the states around it first."""

    rule: str
    where: str
    message: str


@dataclass(frozen=True, slots=True)
class _Scope:
    """States that can reach each other by Next: a machine, a branch or an item processor."""

    path: str
    states: Mapping[str, State]


def lint(text: str) -> list[Finding]:
    """Return all findings; an empty list means that the definition keeps every rule."""
    try:
        machine = json.loads(text)
    except json.JSONDecodeError as error:
        return [Finding("valid-json", f"line {error.lineno}, column {error.colno}", error.msg)]
    findings = list(_expressions(machine, ""))
    findings += [Finding("statelint", "", problem) for problem in _statelint(machine)]
    if machine.get("QueryLanguage") != "JSONata":
        findings.append(Finding("query-language", "", "the machine's QueryLanguage must be JSONata"))
    for scope in _scopes("", machine):
        for name, state in scope.states.items():
            where = f"{scope.path}{name}"
            findings += [Finding(rule, where, message) for rule, message in _state(state)]
            findings += [Finding(rule, where, message) for rule, message in _catchers(scope, name, state)]
        findings += _loops(scope)
    return findings


def all_states(text: str) -> set[str]:
    """Return the names of all states of a definition, including those in branches and item processors."""
    return {name for scope in _scopes("", json.loads(text)) for name in scope.states}


def _scopes(path: str, container: Mapping[str, Any]) -> Iterator[_Scope]:
    states = container.get("States", {})
    yield _Scope(path, states)
    for name, state in states.items():
        for inner in [*state.get("Branches", []), *([state["ItemProcessor"]] if "ItemProcessor" in state else [])]:
            yield from _scopes(f"{path}{name}/", inner)


def _state(state: State) -> Iterator[tuple[str, str]]:
    if state["Type"] == "Task":
        if "TimeoutSeconds" not in state:
            yield "timeout", "a task needs TimeoutSeconds"
        if str(state.get("Resource", "")).endswith(".waitForTaskToken") and not _mentions(
            state.get("Arguments"), "$states.context.Task.Token"
        ):
            yield "token", "a task that waits for its token must hand it over in its Arguments"
    for retrier in state.get("Retry", []):
        if retrier.get("JitterStrategy") != "FULL":
            yield "jitter", "a retry needs JitterStrategy FULL"
        if "MaxDelaySeconds" not in retrier or "MaxAttempts" not in retrier:
            yield "ceiling", "a retry needs MaxDelaySeconds and MaxAttempts"
        for error in retrier["ErrorEquals"]:
            if error not in SERVICE_ERRORS:
                yield "service-errors", f"{error} is not an error of a service: retrying it repeats the fault"


def _catchers(scope: _Scope, name: str, state: State) -> Iterator[tuple[str, str]]:
    catchers = state.get("Catch", [])
    # Inside a branch or an item processor, the Parallel or Map around it catches what a Map does not.
    if state["Type"] == "Task" or (state["Type"] in _CAUGHT and not scope.path):
        last = catchers[-1]["ErrorEquals"] if catchers else []
        if last != ["States.ALL"]:
            yield "catch", f"{name} needs a last catcher for States.ALL"
    for catcher in catchers:
        if str(catcher.get("Comment", "")).startswith("Tolerated:"):
            recorded = {field: catcher.get(field) for field in ("Assign", "Output")}
            if not _mentions(recorded, "$states.errorOutput"):
                yield "tolerated", f"the catcher to {catcher['Next']} tolerates an error without recording it"
            continue
        for end in sorted(_ends(scope, catcher["Next"])):
            if scope.states[end]["Type"] != "Fail":
                yield "fail", f"the catcher to {catcher['Next']} can end in {end}, which is no Fail state"


def _ends(scope: _Scope, start: str) -> set[str]:
    """Return the reachable states without a successor, including those behind catchers on the way."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name not in seen and name in scope.states:
            seen.add(name)
            waiting += [following for following, _ in _next(scope.states[name])]
    return {name for name in seen if not list(_next(scope.states[name])) or scope.states[name].get("End")}


def _next(state: State) -> Iterator[tuple[str, str]]:
    """Yield each state that can follow, with the condition of the choice that leads there."""
    if "Next" in state:
        yield state["Next"], ""
    if "Default" in state:
        yield state["Default"], ""
    for choice in state.get("Choices", []):
        yield choice["Next"], str(choice["Condition"])
    for catcher in state.get("Catch", []):
        yield catcher["Next"], ""


def _loops(scope: _Scope) -> Iterator[Finding]:
    """Yield a finding for each loop without a choice that compares a counter which the loop increases."""
    counters = {
        variable
        for state in scope.states.values()
        for variable, value in state.get("Assign", {}).items()
        if value == f"{{% ${variable} + 1 %}}"
    }
    edges = {
        name: [to for to, condition in _next(state) if not any(f"${c} < " in condition for c in counters)]
        for name, state in scope.states.items()
    }
    for name in scope.states:
        reached: set[str] = set()
        waiting = list(edges[name])
        while waiting:
            at = waiting.pop()
            if at not in reached and at in edges:
                reached.add(at)
                waiting += edges[at]
        if name in reached:
            yield Finding("loop", f"{scope.path}{name}", "can come back to itself without counting")


def _expressions(value: object, where: str) -> Iterator[Finding]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _expressions(item, f"{where}/{key}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _expressions(item, f"{where}/{number}")
    elif isinstance(value, str) and ("{%" in value or "%}" in value):
        if not (value.startswith("{%") and value.endswith("%}")):
            yield Finding("expression", where, "an expression must be the whole text")
            return
        # A placeholder stands for a value that is known when the application is deployed.
        source = re.sub(r"\$\{(\w+)\}", r"\1", value[2:-2])
        try:
            Jsonata(source)
        except Exception as error:  # noqa: BLE001 - the parser raises what it likes; each means "does not parse"
            yield Finding("expression", where, f"does not parse: {error}")


def _statelint(machine: Mapping[str, Any]) -> list[str]:
    """Return the problems that statelint reports, without two kinds of false ones.

    These are expressions instead of numbers, and the InputType of an item reader, which Step Functions requires.
    """
    problems = Linter.validate(_with_numbers(machine))
    return [p for p in problems if not (p.startswith('Field "InputType" not allowed') and p.endswith("ReaderConfig"))]


def _with_numbers(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: 1 if key in _NUMERIC and isinstance(item, str) and item.startswith("{%") else _with_numbers(item)
            for key, item in value.items()
        }
    return [_with_numbers(item) for item in value] if isinstance(value, list) else value


def _mentions(value: object, expression: str) -> bool:
    return expression in json.dumps(value)
