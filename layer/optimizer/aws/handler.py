"""What every handler does around its own work: it checks its event, and logs a line about each answer."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from aws_lambda_powertools import Logger

from optimizer.aws.event_fields import Kind, check_event

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]
# Names of what was handled. The rest of an event stays out of the log: it may hold a task token.
_NAMES = ("run_id", "batch", "change_id", "step", "function_name")


def logged(service: str, **fields: Kind) -> Callable[[Handler], Handler]:
    """Check that the event holds the fields (InvalidEvent says which one does not), then log the handler's answer with
    the names in its event and Lambda's request id. An answer holds ids, counts and sentences only. What is raised is
    logged by Lambda itself."""
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
