"""Redrive executions as Step Functions does; MiniStack 1.5.33 does not know the action.

A redrive goes on at the state that did not exit, with that state's input and the variables of the execution (Step
Functions Developer Guide, "Restarting state machine executions with redrive"). Where every failure is caught, that
state is a Fail state, which fails again at once: nothing is gained. Two differences remain: a Map Run on AWS runs its
failed children only, here all of them, and a second redrive starts where the first one did.
"""

import contextvars
import json
import threading
from typing import Any

from ministack.core.responses import error_response_json, json_response, now_iso
from ministack.services import stepfunctions as machine

type Json = dict[str, Any]

_REDRIVABLE = frozenset({"FAILED", "TIMED_OUT", "ABORTED"})


def patch() -> None:
    """Give the emulator the action, and remember the variables of executions."""
    handle, assign = machine.handle_request, machine._apply_state_assign
    variables: dict[str, Json] = {}

    def assign_and_remember(state: Json, data: Any, context: Json, **more: Any) -> Any:
        assigned = assign(state, data, context, **more)
        if "variables" in (context or {}):
            variables[context["Execution"]["Id"]] = context["variables"]
        return assigned

    async def handle_redrive(method: str, path: str, headers: Json, body: bytes, query: Json) -> Any:
        if not headers.get("x-amz-target", "").endswith(".RedriveExecution"):
            return await handle(method, path, headers, body, query)
        arn = json.loads(body).get("executionArn", "")
        execution = machine._executions.get(arn)
        if execution is None:
            return error_response_json("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'", 400)
        if execution["status"] not in _REDRIVABLE:
            return error_response_json("ExecutionNotRedrivable", f"Execution is {execution['status']}", 400)
        return machine._finalize_response(_start(execution, variables.get(arn, {})))

    machine._apply_state_assign = assign_and_remember
    machine.handle_request = handle_redrive


def unexited(events: list[Json]) -> Json | None:
    """Return the event of the last state of the machine itself that was entered and not exited."""
    entered: Json | None = None
    for event in events:
        # States of branches are entered without an input and exit without an event.
        if "input" in event.get("stateEnteredEventDetails", {}):
            entered = event
        elif "stateExitedEventDetails" in event:
            entered = None
    return entered


def _start(execution: Json, variables: Json) -> Any:
    entered = unexited(execution["events"])
    if entered is None:
        return error_response_json("ExecutionNotRedrivable", "Execution has no state that did not exit", 400)
    execution |= {"status": "RUNNING", "stopDate": None, "error": None, "cause": None, "output": None}
    redriven = now_iso()
    execution |= {"redriveDate": redriven, "redriveCount": execution.get("redriveCount", 0) + 1}
    machine._add_event(execution, "ExecutionRedriven", {"executionRedrivenEventDetails": {}})
    run = contextvars.copy_context().run
    threading.Thread(target=run, args=(_run, execution, entered, variables), daemon=True).start()
    return json_response({"redriveDate": redriven})


def _run(execution: Json, entered: Json, variables: Json) -> None:
    found = machine._state_machines.get(execution["stateMachineArn"])
    definition, details = json.loads(found["definition"]), entered["stateEnteredEventDetails"]
    context = {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": execution["executionArn"],
            "Input": json.loads(execution["input"]),
            "Name": execution["name"],
            "StartTime": execution["startDate"],
        },
        "StateMachine": {"Id": execution["stateMachineArn"], "Name": found["name"]},
        "variables": variables,
    }
    # A second redrive needs the state again, as an event with its input.
    machine._add_event(execution, entered["type"], {"stateEnteredEventDetails": dict(details)})
    try:
        output = machine._run_sub_machine(
            definition["States"], details["name"], json.loads(details["input"]), execution, context
        )
    except machine._ExecutionError as failure:
        machine._fail_execution(execution, failure.error, failure.cause)
        return
    text = json.dumps(output)
    execution |= {"status": "SUCCEEDED", "output": text, "stopDate": now_iso()}
    machine._add_event(execution, "ExecutionSucceeded", {"executionSucceededEventDetails": {"output": text}})
    machine._emit_execution_status_event(execution)
