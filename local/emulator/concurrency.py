"""Limit the concurrency of the account as Lambda does; MiniStack 1.5.33 has no limit but that of this machine.

Reserved and provisioned concurrency must leave a minimum unreserved: 100, or the whole of an account that has less
(Lambda Developer Guide, "Configuring reserved concurrency"; new accounts have 10 concurrent executions, "Lambda
quotas"). Switch `account_concurrency`.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import lambda_svc
from stacks import LONGEST_FUNCTION_NAME, too_long
from switched import switches

_LEAST_UNRESERVED = 100


def patch() -> None:
    """Replace how the emulator reserves and provisions concurrency and counts it."""
    reserve, provision = lambda_svc._put_function_concurrency, lambda_svc._put_provisioned_concurrency
    settings, create = lambda_svc._get_account_settings, lambda_svc._create_function

    def put_function_concurrency(name: str, data: dict[str, Any]) -> Any:
        wanted = int(data.get("ReservedConcurrentExecutions", 0))
        if wanted and switches().account_concurrency - _taken(name) - wanted < least_unreserved():
            message = f"Specified ReservedConcurrentExecutions for function {_too_little()}."
            return error_response_json("InvalidParameterValueException", message, 400)
        return reserve(name, data)

    def put_provisioned_concurrency(name: str, qualifier: str, data: dict[str, Any]) -> Any:
        function = lambda_svc._functions.get(name)
        wanted = int(data.get("ProvisionedConcurrentExecutions", 0))
        if function is not None:
            others = sum(
                pool["RequestedProvisionedConcurrentExecutions"]
                for key, pool in function.get("provisioned_concurrency", {}).items()
                if key != qualifier
            )
            reserved = function.get("concurrency")
            room = reserved or switches().account_concurrency - _taken(name) - least_unreserved()
            if others + wanted > room:
                problem = "is greater than function's reserved concurrency" if reserved else _too_little()
                message = f"Specified ConcurrentExecutions for function {problem}."
                return error_response_json("InvalidParameterValueException", message, 400)
        return provision(name, qualifier, data)

    def get_account_settings() -> Any:
        status, headers, body = settings()
        document = json.loads(body)
        limit = switches().account_concurrency
        document["AccountLimit"]["ConcurrentExecutions"] = limit
        document["AccountLimit"]["UnreservedConcurrentExecutions"] = limit - _taken("")
        return status, headers, json.dumps(document).encode()

    def create_function(data: dict[str, Any]) -> Any:
        if len(name := data.get("FunctionName") or "") > LONGEST_FUNCTION_NAME:
            return error_response_json("ValidationException", too_long(name), 400)
        return create(data)

    lambda_svc._put_function_concurrency = put_function_concurrency
    lambda_svc._put_provisioned_concurrency = put_provisioned_concurrency
    lambda_svc._get_account_settings = get_account_settings
    lambda_svc._create_function = create_function


def least_unreserved() -> int:
    """Return the concurrency that reservations must leave to all other functions."""
    return min(_LEAST_UNRESERVED, switches().account_concurrency)


def _too_little() -> str:
    return f"decreases account's UnreservedConcurrentExecution below its minimum value of [{least_unreserved()}]"


def _taken(but: str) -> int:
    """Return what functions other than this one reserve, or provision without reserving it."""
    return sum(_of(function) for name, function in lambda_svc._functions.items() if name != but)


def _of(function: dict[str, Any]) -> int:
    if function.get("concurrency"):
        return int(function["concurrency"])
    pools = function.get("provisioned_concurrency", {}).values()
    return sum(int(pool["RequestedProvisionedConcurrentExecutions"]) for pool in pools)
