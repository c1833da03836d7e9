"""Tell the run what people decided, through Step Functions."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from optimizer.approvals.respond import TellRun

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient


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
