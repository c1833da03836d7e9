"""Correct where MiniStack 1.5.33 runs a JSONata state machine differently from AWS.

- `TimeoutSeconds` may be an expression.
- The arguments of an item reader, the item selector and the output of a distributed map may be expressions.
- The states inside a Parallel or a Map appear in the history.
- A Lambda that fails while its task waits for a token fails the task, and at once.
"""

import contextvars
import threading
from typing import Any

from ministack.services import stepfunctions as machine

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
