"""The work around every handler: check its event, log its answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger

from optimizer.aws.event_fields import Kind, check_event

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
# Only these fields of an event are logged: the others may contain a task token.
_NAMES = ("run_id", "batch", "change_id", "step", "function_name")


def logged(service: str, **fields: Kind) -> Callable[[Handler], Handler]:
    """Return a decorator that checks the fields of the event and logs the handler's answer.

    InvalidEvent names the first wrong field. The log line has the names in the event and Lambda's request id. An answer
    consists of ids, counts and sentences only. Lambda itself logs what a handler raises."""
    logger = Logger(service=service)

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def with_log(event: dict[str, Any], context: Any) -> dict[str, Any]:
            check_event(event, **fields)
            answer = handler(event, context)
            names = {name: event[name] for name in _NAMES if name in event}
            request_id = getattr(context, "aws_request_id", "")
            logger.info(str(answer.get("outcome", "")), extra={**names, "request_id": request_id, "answer": answer})
            return answer

        return with_log

    return decorate
