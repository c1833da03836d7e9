"""Warming N environments at once: N calls that overlap.

An environment that answers is free for the next call, so calls overlap only if each is held until the last one has
been sent. A slow cold start does no harm: what must be shorter than the hold is the time over which the calls are
sent, which is measured. If fewer environments answered than were asked for, the hold was too short for that and one
second round, held longer, sends all calls again.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

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

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

_HOLD_OVER_SPREAD = 2.0
# What the network and the service add to the spread of the calls cannot be seen from here.
_HOLD_AGAIN = 4.0
_ROUNDS = 2


class PingFailed(OptimizerError, RuntimeError):
    """One call of a warm-up got no answer of the protocol; the message says why."""


@dataclass(frozen=True, slots=True)
class _Round:
    answers: list[Answer]
    errors: list[str]
    spread_ms: float


def ping_client(environments: int) -> "LambdaClient":
    """A client with a connection for each call. It does not retry: a ping that comes later overlaps with nothing,
    and a throttled one would take concurrency from real calls."""
    config = Config(
        max_pool_connections=environments,
        retries={"mode": "standard", "total_max_attempts": 1},
        connect_timeout=5,
        read_timeout=100,
    )
    return cast("LambdaClient", botocore.session.get_session().create_client("lambda", config=config))


def warm_environments(client: "LambdaClient", warmup: Warmup, clock: Callable[[], float] = time.perf_counter) -> Warmed:
    """Warm the environments and say what was met. Never raises for a call that failed: it is counted."""
    instances: dict[str, bool] = {}
    hold_ms, calls, failed, busy_ms, errors = float(warmup.hold_ms), 0, 0, 0.0, [""]
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
        error=errors[0],
    )


def _round(client: "LambdaClient", warmup: Warmup, hold_ms: float, clock: Callable[[], float]) -> _Round:
    together = threading.Barrier(warmup.environments)
    payload = ping_payload(hold_ms)

    def call(_: int) -> tuple[float, Answer | str]:
        together.wait(timeout=30)
        sent = clock()
        try:
            return sent, _ping(client, warmup, payload)
        except PingFailed as error:
            return sent, str(error)

    with ThreadPoolExecutor(warmup.environments) as pool:
        results = list(pool.map(call, range(warmup.environments)))
    sent = [moment for moment, _ in results]
    answers = [said for _, said in results if isinstance(said, Answer)]
    return _Round(answers, [said for _, said in results if isinstance(said, str)], (max(sent) - min(sent)) * 1000)


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
        raise PingFailed(f"the call could not be made: {error}") from error
    if "FunctionError" in response:
        raise PingFailed(f"the function failed: {content[:200].decode(errors='replace')}")
    try:
        return read_answer(content)
    except NotAWarmupAnswer as error:
        raise PingFailed(str(error)) from error
