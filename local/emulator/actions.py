"""MiniStack 1.5.33 takes GetAlias for ListAliases and PutProvisionedConcurrencyConfig for UpdateFunctionCode when it
asks IAM and when it records a call. Here both names come from the service's own model, as they do on AWS."""

from typing import Any

from ministack import app
from ministack.core import iam_actions

_OF_OTHER_NAME = {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction"}
_REST = frozenset({"lambda", "scheduler"})


def put_right() -> None:
    """Replace how the emulator names the action of a request."""
    iam_actions._BOTOCORE_SERVICE_MAP.setdefault("lambda", ["lambda"])
    iam_actions._BOTOCORE_SERVICE_MAP.setdefault("scheduler", ["scheduler"])
    guess, record = iam_actions._lambda_action, app._ct_event_name

    def lambda_action(method: str, path: str) -> str | None:
        operation = iam_actions._match_rest_action("lambda", method, path)
        return _OF_OTHER_NAME.get(operation, operation) if operation else guess(method, path)

    def event_name(service: str, method: str, path: str, headers: dict[str, str], query: dict[str, Any]) -> str:
        operation = iam_actions._match_rest_action(service, method, path, query) if service in _REST else None
        return operation or record(service, method, path, headers, query)

    iam_actions._lambda_action = lambda_action
    app._ct_event_name = event_name
