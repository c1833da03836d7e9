"""Correct where MiniStack 1.5.33 runs a JSONata state machine differently from AWS.

- `TimeoutSeconds` may be an expression.
- The arguments of an item reader, the item selector, the concurrency and the output of a distributed map may be
  expressions.
- The states inside a Parallel or a Map appear in the history.
- A Lambda that fails while its task waits for a token fails the task, and at once.
- A Distributed Map over an empty list may fail; no source settles it: switch `empty_map`.
- Integrations of another partition are refused (aws/aws-cdk issue 4597): switch `partition`.
"""

import contextvars
import re
import threading
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions as machine
from switched import switches

Json = dict[str, Any]

_awaited_token: contextvars.ContextVar[str] = contextvars.ContextVar("awaited_token", default="")


class _Entered(dict[str, Any]):
    """The states of a branch; the emulator enters a state by looking it up here."""

    _numbering = threading.Lock()

    def __init__(self, states: Json, execution: Json) -> None:
        super().__init__(states)
        self._execution = execution

    def get(self, name: str, default: Any = None) -> Any:
        state = super().get(name, default)
        if state is not None:
            with self._numbering:
                details = {"stateEnteredEventDetails": {"name": name}}
                machine._add_event(self._execution, f"{state['Type']}StateEntered", details)
        return state


def patch() -> None:
    """Replace the functions of the emulator that differ from AWS."""
    _evaluate_timeouts()
    _evaluate_distributed_maps()
    _show_inner_states()
    _fail_tasks_whose_lambda_fails()
    _fail_empty_maps()
    _refuse_other_partitions()


def _evaluate_timeouts() -> None:
    execute = machine._execute_task

    def execute_task(state: Json, data: Any, execution: Json, context: Json) -> Any:
        timeout = state.get("TimeoutSeconds")
        if isinstance(timeout, str) and machine._state_query_language(state, context) == "JSONata":
            state = {**state, "TimeoutSeconds": machine._apply_jsonata_template(timeout, data, context)}
        return execute(state, data, execution, context)

    machine._execute_task = execute_task


def _evaluate_distributed_maps() -> None:
    resolve = machine._resolve_params_obj
    run = machine._run_distributed_map

    def resolve_parameters(template: Any, data: Any, context: Json | None = None) -> Any:
        if (context or {}).get("QueryLanguage") == "JSONata":
            return machine._apply_jsonata_template(template, data, context)
        return resolve(template, data, context)

    def run_map(
        state: Json, data: Any, effective: Any, iterator: Json, execution: Json, context: Json
    ) -> tuple[Any, str | None]:
        most = state.get("MaxConcurrency")
        if isinstance(most, str):
            state = {**state, "MaxConcurrency": machine._apply_jsonata_template(most, data, context)}
        result, following = run(state, data, effective, iterator, execution, context)
        output = machine._apply_jsonata_output(state, data, context, result=result, default=result)
        machine._apply_state_assign(state, data, context, result=result)
        return output, following

    machine._resolve_params_obj = resolve_parameters
    machine._run_distributed_map = run_map


def _show_inner_states() -> None:
    run = machine._run_sub_machine

    def run_branch(states: Json, start_at: str, data: Any, execution: Json, context: Json) -> Any:
        return run(_Entered(states, execution), start_at, data, execution, context)

    machine._run_sub_machine = run_branch


def _fail_tasks_whose_lambda_fails() -> None:
    call = machine._call_lambda
    invoke = machine._invoke_with_callback

    def invoke_and_wait(resource: str, data: Any, token: str, state: Json) -> Any:
        # Calls of a nested execution inherit this variable and must not answer for the outer task.
        reset = _awaited_token.set(token if ":lambda:" in resource else "")
        try:
            return invoke(resource, data, token, state)
        finally:
            _awaited_token.reset(reset)

    def call_lambda(function: Any, event: Any) -> Any:
        try:
            return call(function, event)
        except machine._ExecutionError as failure:
            waiting = machine._task_tokens.get(_awaited_token.get())
            if waiting is not None:
                waiting["error"] = {"Error": failure.error, "Cause": failure.cause}
                waiting["event"].set()
            raise

    machine._call_lambda = call_lambda
    machine._invoke_with_callback = invoke_and_wait


def _fail_empty_maps() -> None:
    read = machine._read_map_items

    def read_items(reader: Json, effective: Any, context: Json) -> Any:
        items = read(reader, effective, context)
        if not items and switches().empty_map == "fails":
            raise machine._ExecutionError("States.ItemReaderFailed", "The list of items is empty.")
        return items

    machine._read_map_items = read_items


def _refuse_other_partitions() -> None:
    create, update = machine._create_state_machine, machine._update_state_machine

    def checked(write: Any) -> Any:
        def write_checked(data: Json) -> Any:
            foreign = set(re.findall(r'"Resource":\s*"arn:(aws[a-z-]*):', data.get("definition") or ""))
            if foreign - {switches().partition}:
                message = f"Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: partition {foreign}'"
                return error_response_json("InvalidDefinition", message, 400)
            return write(data)

        return write_checked

    machine._create_state_machine = checked(create)
    machine._update_state_machine = checked(update)
