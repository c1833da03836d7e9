"""Tell the run that waits for people what they responded."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from optimizer.aws import SFNClient
from optimizer.core import OptimizerError

# Tells the run the result by its task token; False if the run no longer waits.
type TellRun = Callable[[str, Mapping[str, Any]], bool]


class ApprovalContended(OptimizerError, RuntimeError):
    """Others changed the approval request at every attempt to write it; a later attempt can succeed."""


def run_teller(step_functions: "SFNClient") -> TellRun:
    """Return a function that completes the run's task with the response, and returns False if the run waits no more."""
    gone = (step_functions.exceptions.TaskTimedOut, step_functions.exceptions.TaskDoesNotExist)

    def tell_run(task_token: str, response: Mapping[str, Any]) -> bool:
        try:
            step_functions.send_task_success(taskToken=task_token, output=json.dumps(response))
        except gone:
            # An earlier attempt told the run, or the run has gone on as rejected: both are recorded.
            return False
        return True

    return tell_run
