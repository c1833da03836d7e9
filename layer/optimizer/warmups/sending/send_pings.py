"""Warm N environments at once by N overlapping calls.

An environment that has answered is free for the next call, so calls overlap only if each is held until the last one
has been sent. The hold must be longer than the time over which the calls are sent, which is measured; a slow cold start
does no harm. If fewer environments answer than were requested, the hold was too short, and a second round sends all
calls again with a longer hold.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from optimizer.aws import LambdaClient
from optimizer.core import (
    MAX_HOLD_MS,
    Answer,
    NotAWarmupAnswer,
    OptimizerError,
    Warmed,
    Warmup,
    ping_payload,
    read_answer,
)

_HOLD_OVER_SPREAD = 2.0
# The network and the service spread the calls further, by an amount that cannot be measured from here.
_HOLD_AGAIN = 4.0
_ROUNDS = 2


class PingFailed(OptimizerError, RuntimeError):
    """A call of a warm-up got no valid answer. The message says why."""


class FunctionFailed(PingFailed):
    """The function failed on a ping. Own code is likely; so is an INIT that fails once."""


class OwnCodeRan(PingFailed):
    """The function's own code answered a ping. `version`: the one that was called; empty if Lambda did not say."""

    def __init__(self, message: str, version: str = "") -> None:
        super().__init__(message)
        self.version = version


@dataclass(frozen=True, slots=True)
class _Round:
    answers: list[Answer]
    errors: list[PingFailed]
    spread_ms: float


def ping_client(environments: int) -> "LambdaClient":
    """Return a client with a connection for each call.

    It does not retry: a later ping overlaps with no other, and a throttled one would take concurrency from real calls.
    """
    config = Config(
        max_pool_connections=environments,
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=100,
    )
    return cast("LambdaClient", botocore.session.get_session().create_client("lambda", config=config))


def warm_environments(client: "LambdaClient", warmup: Warmup, clock: Callable[[], float] = time.perf_counter) -> Warmed:
    """Warm the environments and return what the calls met. A failed call is counted and raises nothing."""
    instances: dict[str, bool] = {}
    hold_ms, calls, failed, busy_ms = float(warmup.hold_ms), 0, 0, 0.0
    errors: list[PingFailed] = []
    for number in range(1, _ROUNDS + 1):
        done = _round(client, warmup, hold_ms, clock)
        calls += warmup.environments
        failed += len(done.errors)
        busy_ms += len(done.answers) * hold_ms
        errors = done.errors or errors
        for answer in done.answers:
            instances[answer.instance] = instances.get(answer.instance, False) or answer.cold
        met = len({answer.instance for answer in done.answers})
        longer_ms = min(float(MAX_HOLD_MS), max(_HOLD_AGAIN * hold_ms, _HOLD_OVER_SPREAD * done.spread_ms))
        if met >= warmup.environments or done.errors or longer_ms <= hold_ms or number == _ROUNDS:
            break
        hold_ms = longer_ms
    return Warmed(
        asked=warmup.environments,
        environments=met,
        cold=sum(instances.values()),
        calls=calls,
        failed=failed,
        spread_ms=round(done.spread_ms, 1),
        hold_ms=round(hold_ms, 1),
        rounds=number,
        busy_ms=round(busy_ms, 1),
        error=str(errors[0]) if errors else "",
        own_code=[error.version for error in errors if isinstance(error, OwnCodeRan)],
    )


def held_back(warmup: Warmup, reason: str) -> Warmed:
    """Return the result of a ping that calls nothing, with the reason."""
    return Warmed(0, 0, 0, 0, 0, 0.0, float(warmup.hold_ms), 0, 0.0, held_back=reason)


def _round(client: "LambdaClient", warmup: Warmup, hold_ms: float, clock: Callable[[], float]) -> _Round:
    together = threading.Barrier(warmup.environments)
    payload = ping_payload(hold_ms)

    def call(_: int) -> tuple[float, Answer | PingFailed]:
        together.wait(timeout=30)
        sent = clock()
        try:
            return sent, _ping(client, warmup, payload)
        except PingFailed as error:
            return sent, error

    with ThreadPoolExecutor(warmup.environments) as pool:
        results = list(pool.map(call, range(warmup.environments)))
    sent = [moment for moment, _ in results]
    answers = [result for _, result in results if isinstance(result, Answer)]
    errors = [result for _, result in results if isinstance(result, PingFailed)]
    return _Round(answers, errors, (max(sent) - min(sent)) * 1000)


def send_ping(client: "LambdaClient", warmup: Warmup) -> Answer:
    """Send one ping. Raise OwnCodeRan, FunctionFailed, or PingFailed if the function was not called."""
    return _ping(client, warmup, ping_payload(warmup.hold_ms))


def _ping(client: "LambdaClient", warmup: Warmup, payload: bytes) -> Answer:
    try:
        response: Any = client.invoke(
            FunctionName=warmup.function_name,
            Qualifier=warmup.alias,
            InvocationType="RequestResponse",
            Payload=payload,
        )
        content = response["Payload"].read()
    except ClientError as error:
        raise PingFailed(f"{error.response['Error'].get('Code')}: {error.response['Error'].get('Message')}") from error
    except BotoCoreError as error:
        raise PingFailed(f"the call failed: {error}") from error
    if "FunctionError" in response:
        raise FunctionFailed(f"the function failed: {content[:200].decode(errors='replace')}")
    try:
        return read_answer(content)
    except NotAWarmupAnswer as error:
        raise OwnCodeRan(str(error), str(response.get("ExecutedVersion", ""))) from error
