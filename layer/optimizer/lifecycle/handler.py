"""The handler of every Lambda that changes something: it reads its settings and takes one step in a change's life."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from optimizer.aws import Environment, clients
from optimizer.core import Change, OptimizerError
from optimizer.guardrails import wait_for_window
from optimizer.lifecycle.hooks import Hooks
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.lifecycle.outcomes import Answer
from optimizer.policy import Policy
from optimizer.store import Documents, RunStore


class OtherRun(OptimizerError, ValueError):
    """The event names another run than the record of the change."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The settings that a tuner makes its hooks from: the run's policy, the change, the time left of this call."""

    environment: Environment
    policy: Policy
    store: RunStore
    change: Change
    remaining_ms: Callable[[], float]


def handle(event: Mapping[str, Any], context: Any, now: datetime, hooks_of: Callable[[Setting], Hooks[Any]]) -> Answer:
    """Take the step of the event with the hooks of the change's tuner."""
    environment = Environment.read()
    documents = Documents(clients.client("s3"), environment.bucket)
    policy = Policy.from_document(documents.read(f"runs/{event['run_id']}/policy.json"))
    store = RunStore(clients.client("dynamodb"), environment.table)
    change = store.change(event["change_id"]).change
    if change.run_id != event["run_id"]:
        # Another run may have another policy, with other limits and freezes.
        raise OtherRun(f"{change.id} is a change of run {change.run_id}, not of {event['run_id']}")
    setting = Setting(environment, policy, store, change, lambda: float(context.get_remaining_time_in_millis()))
    return Lifecycle(store, hooks_of(setting), partial(wait_for_window, policy)).take(event, now)
