"""Tell the run that waits for people what they responded, and have people told who responded."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from optimizer.aws import LambdaClient, SFNClient
from optimizer.core import OptimizerError

# Tells the run the result by its task token; False if the run no longer waits.
type TellRun = Callable[[str, Mapping[str, Any]], bool]
# Has everybody told of the responses to the approval request of a run, each once.
type TellPeople = Callable[[str], None]
_LOGGER = logging.getLogger(__name__)


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


def people_teller(lambda_: Callable[[], "LambdaClient"], function_name: str) -> TellPeople:
    """Return a function that has request_approval tell people of the responses, without waiting for it.

    `lambda_` makes the client, which a look at the page does not need. The public page may write to no topic. A
    response that is recorded counts, whether or not people can be told of it now: the next one tells of it, too.
    """

    def tell_people(run_id: str) -> None:
        payload = json.dumps({"step": "answered", "run_id": run_id})
        try:
            lambda_().invoke(FunctionName=function_name, InvocationType="Event", Payload=payload)
        except (BotoCoreError, ClientError):
            _LOGGER.exception("people could not be told of a response to run %s", run_id)

    return tell_people
