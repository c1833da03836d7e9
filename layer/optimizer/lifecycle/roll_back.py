"""Rolls a change back through the state machine of changes, with the same checks, record and message."""

import json

from optimizer.aws import SFNClient
from optimizer.core import OptimizerError, StoredChange

_ATTEMPTS = 9
_LONGEST_REASON = 256


class TriedTooOften(OptimizerError, RuntimeError):
    """Every execution that should roll the change back has failed; a person must look at it."""


def start(sfn: "SFNClient", change_arn: str, stored: StoredChange, reason: str) -> str:
    """Return the execution that rolls it back: one that runs or has succeeded, or a new one if the last one failed."""
    change_id = stored.change.id
    document = {"run_id": stored.change.run_id, "change_id": change_id, "tuner": stored.change.tuner.value}
    asked = json.dumps({**document, "revert": reason[:_LONGEST_REASON]})
    for attempt in range(1, _ATTEMPTS + 1):
        name = f"revert-{attempt}-{change_id}"
        arn = f"{change_arn.replace(':stateMachine:', ':execution:')}:{name}"
        try:
            started = sfn.start_execution(stateMachineArn=change_arn, name=name, input=asked)
        except sfn.exceptions.ExecutionAlreadyExists:
            if sfn.describe_execution(executionArn=arn)["status"] in ("RUNNING", "SUCCEEDED"):
                return arn
        else:
            return started["executionArn"]
    raise TriedTooOften(
        f"change {change_id} could not be rolled back in {_ATTEMPTS} attempts; docs/operations.md says what to do"
    )


def change_id_of(execution_name: str) -> str:
    """Return the change that an execution of the state machine of changes is about."""
    if not execution_name.startswith("revert-"):
        return execution_name
    return execution_name.split("-", 2)[2]
