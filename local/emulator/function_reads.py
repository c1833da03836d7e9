"""Answer ListProvisionedConcurrencyConfigs, which MiniStack 1.5.33 lacks, and ask IAM for its right.

It has the path of GetProvisionedConcurrencyConfig, with `List=ALL` in its query.
"""

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import lambda_svc


def patch() -> None:
    """Add the list of provisioned concurrency, and its action."""
    handle, extract = lambda_svc.handle_request, iam_actions.extract_iam_action

    async def handle_request(method: str, path: str, headers: Any, body: bytes, query: dict[str, Any]) -> Any:
        if not _is_list(method, path, query):
            return await handle(method, path, headers, body, query)
        name = lambda_svc._resolve_request_scoped_name(path.split("/functions/")[1].split("/")[0])
        return list_provisioned_concurrency_configs(name)

    def extract_action(
        service: str, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> str | None:
        if service == "lambda" and _is_list(method, path, query):
            return "lambda:ListProvisionedConcurrencyConfigs"
        found: str | None = extract(service, method, path, headers, body, query)
        return found

    lambda_svc.handle_request = handle_request
    iam_actions.extract_iam_action = extract_action


def list_provisioned_concurrency_configs(name: str) -> tuple[int, dict[str, str], bytes]:
    """Return what each alias and version of a function holds."""
    function = lambda_svc._functions.get(name)
    if function is None:
        error: tuple[int, dict[str, str], bytes] = lambda_svc._get_function_config(name)
        return error
    arn = lambda_svc._func_arn(name)
    held = function.get("provisioned_concurrency", {})
    configs = [{"FunctionArn": f"{arn}:{holder}", **pool} for holder, pool in held.items()]
    document = json.dumps({"ProvisionedConcurrencyConfigs": configs}).encode()
    return 200, {"Content-Type": "application/json"}, document


def _is_list(method: str, path: str, query: dict[str, Any]) -> bool:
    return method == "GET" and path.rstrip("/").endswith("/provisioned-concurrency") and "List" in query
