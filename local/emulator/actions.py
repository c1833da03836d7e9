"""Correct the actions and resources for which the emulator asks IAM, and the names under which it records calls.

MiniStack 1.5.33 takes GetAlias for ListAliases and PutProvisionedConcurrencyConfig for UpdateFunctionCode. Here both
names come from the service's own model, as they do on AWS. A schedule belongs to its own group, where MiniStack asks
for the group `default`. Conditions of policies know the source of an event.
"""

import json
from typing import Any

from ministack import app
from ministack.core import iam_actions

_OF_OTHER_NAME = {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction"}
_REST = frozenset({"lambda", "scheduler"})


def patch() -> None:
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

    resource = iam_actions.extract_resource_arn

    def resource_arn(
        service: str, method: str, path: str, headers: Any, body: bytes, query: dict[str, Any], *where: str
    ) -> str:
        arn = resource(service, method, path, headers, body, query, *where)
        if service != "scheduler" or ":schedule/default/" not in arn:
            return arn
        return arn.replace(":schedule/default/", f":schedule/{_group(body, query)}/", 1)

    context = iam_actions.request_tag_context

    def request_context(service: str, iam_action: str, body: bytes, params: dict[str, Any]) -> dict[str, Any]:
        known = dict(context(service, iam_action, body, params))
        if iam_action == "events:PutEvents":
            known["events:source"] = [entry.get("Source", "") for entry in json.loads(body)["Entries"]]
        return known

    iam_actions.request_tag_context = request_context
    iam_actions._lambda_action = lambda_action
    iam_actions.extract_resource_arn = resource_arn
    app._ct_event_name = event_name


def _group(body: bytes, query: dict[str, Any]) -> str:
    """Return the schedule group that a request names: writes name it in the body, other requests in the query."""
    named = query.get("groupName") or (json.loads(body).get("GroupName") if body else None) or "default"
    return str(named[0] if isinstance(named, list) else named)
