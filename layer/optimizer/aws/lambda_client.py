"""The client of Lambda for a guest in the account: it paces its calls, and keeps fields that its SDK does not know.

All of Lambda's control plane shares 15 requests a second of an account and Region, and that quota cannot be raised;
GetFunction has 100 of its own ("Lambda quotas", Lambda Developer Guide). A run takes no more than its share, so that
deployments of the team are never throttled by it.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

from optimizer.aws.client_types import LambdaClient
from optimizer.aws.clients import new_client
from optimizer.aws.environment import Environment

# Quotas of an account and Region, in calls a second.
SHARED_CALLS, GET_FUNCTION_CALLS = 15.0, 100.0
# A run takes half of the quota unless it is told otherwise.
DEFAULT_CALLS = SHARED_CALLS / 2
# Under this key an answer holds what the SDK of the Lambda runtime is too old to know.
UNKNOWN_FIELDS = "UnknownFields"
_KINDS = ("CapacityProviderConfig", "DurableConfig", "TenancyConfig")
_UNQUOTED = frozenset({"Invoke", "InvokeWithResponseStream"})


class CallBudget:
    """A token bucket that holds one call: `take` waits until the next call fits the rate. Safe for threads."""

    def __init__(
        self,
        calls_a_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if calls_a_second <= 0:
            raise ValueError(f"the calls a second must be above 0, not {calls_a_second}")
        self._pause_s = 1 / calls_a_second
        self._clock, self._sleep = clock, sleep
        self._next, self._lock = clock(), threading.Lock()

    def take(self, calls: float = 1.0) -> None:
        """Wait for the turn of a call; `calls`: how many ordinary ones it counts for."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + calls * self._pause_s
        if turn > now:
            self._sleep(turn - now)


def share_of_calls(environment: Environment, at_once: int | None = None) -> float:
    """Return the calls a second of one Lambda: those of the run, divided among the ones at work at once.

    at_once: their number; without it, the number of batches at once.
    """
    calls = float(environment.lambda_calls_a_second or DEFAULT_CALLS)
    return calls / max(1, at_once or batches_at_work(environment))


def batches_at_work(environment: Environment, of: int | None = None) -> int:
    """Return the number of batches at work at once. of: the batches of the run, where that is known."""
    most = int(environment.batches_at_once or 1)
    return min(most, of) if of else most


@cache
def paced_lambda(calls_a_second: float) -> "LambdaClient":
    """Return a client that makes at most so many calls a second of the shared quota, and of GetFunction as large a
    share of its own quota. Each attempt counts, also one that is tried again."""
    client: LambdaClient = new_client("lambda")
    pace(client, calls_a_second)
    keep_unknown_fields(client)
    return client


def pace(client: "LambdaClient", calls_a_second: float, budget: Callable[[float], CallBudget] = CallBudget) -> None:
    """Make each call of the client wait for its turn."""
    shared = budget(calls_a_second)
    get_function = budget(calls_a_second * GET_FUNCTION_CALLS / SHARED_CALLS)

    def before_send(event_name: str = "", **_: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if operation not in _UNQUOTED:
            (get_function if operation == "GetFunction" else shared).take()

    client.meta.events.register("before-send.lambda", before_send)


def keep_unknown_fields(client: "LambdaClient") -> None:
    """Add to each answer of GetFunction the fields of a kind of function that this SDK does not know and would drop."""
    client.meta.events.register("before-parse.lambda.GetFunction", _keep_unknown_fields)


def _keep_unknown_fields(
    operation_model: Any, response_dict: Mapping[str, Any], customized_response_dict: dict[str, Any], **_: Any
) -> None:
    known = operation_model.output_shape.members["Configuration"].members
    wanted = [name for name in _KINDS if name not in known]
    if not wanted or response_dict["status_code"] >= 300:
        return
    configuration = json.loads(response_dict["body"]).get("Configuration") or {}
    found = {name: configuration[name] for name in wanted if configuration.get(name)}
    if found:
        customized_response_dict[UNKNOWN_FIELDS] = found


def has_alias(client: "LambdaClient", function_name: str, alias: str) -> bool:
    """Return True if the function has the alias, or if that cannot be read.

    GetFunction has a quota of its own, which GetAlias has not. A right that is bound to a tag may not extend to what
    does not exist: then reading the function itself tells."""
    try:
        client.get_function(FunctionName=function_name, Qualifier=alias)
    except ClientError as error:
        code = error.response["Error"].get("Code", "?")
        return code != "ResourceNotFoundException" and not (
            code == "AccessDeniedException" and _is_readable(client, function_name)
        )
    return True


def _is_readable(client: "LambdaClient", function_name: str) -> bool:
    try:
        client.get_function(FunctionName=function_name)
    except ClientError:
        return False
    return True


def configuration_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of an answer of GetFunction, with the fields that the SDK does not know."""
    return {**answer["Configuration"], **answer.get(UNKNOWN_FIELDS, {})}


def refuses_pings(configuration: Mapping[str, Any]) -> str:
    """Return the reason that pings make no sense for this kind of function; empty if they do."""
    if configuration.get("TenancyConfig"):
        return "tenant isolation is on, and a call without a tenant is refused"
    if configuration.get("DurableConfig"):
        return "the function is durable, and each ping would begin an execution"
    if configuration.get("CapacityProviderConfig"):
        return "the function runs on managed instances, which are always warm"
    return ""
