"""The protocol between warm_function and the functions that understand warm-up pings; see docs/architecture.md."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.core.errors import OptimizerError

KEY = "optimizer_warmup"
MAX_ENVIRONMENTS = 1000
MAX_HOLD_MS = 5_000
# Lambda itself keeps this much of the account's concurrency free of reservations.
KEEP_FREE = 100


class InvalidWarmup(OptimizerError, ValueError):
    """The event of a warm-up is unusable; the message names the field."""


class NotAWarmupAnswer(OptimizerError, ValueError):
    """The target's response does not follow the protocol: the function does not understand pings."""


@dataclass(frozen=True, slots=True)
class Warmup:
    """The event of warm_function: keep this many environments of an alias warm at the same time.

    `minute`: the planned minute since 1970; None for a ping without a plan. `callers`: the concurrency that the
    function's callers need at that time. `keep_free`: what stays free of the account's unreserved concurrency.
    `after_deploy`: no ping of the plan itself, but one because the alias calls another version."""

    function_name: str
    alias: str
    environments: int
    hold_ms: int
    run_id: str
    change_id: str
    minute: int | None = None
    callers: int = 0
    keep_free: int = KEEP_FREE
    after_deploy: bool = False

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> "Warmup":
        """Read and check the event. Raise InvalidWarmup, which names the first wrong field."""
        if event.get("alias") == "$LATEST":
            raise InvalidWarmup("alias must not be $LATEST: callers of an alias never reach its environments")
        return cls(
            function_name=_text(event, "function_name"),
            alias=_text(event, "alias"),
            environments=_integer(event, "environments", 1, MAX_ENVIRONMENTS),
            hold_ms=_integer(event, "hold_ms", 0, MAX_HOLD_MS),
            run_id=_text(event, "run_id"),
            change_id=_text(event, "change_id"),
            minute=_integer(event, "minute", 0, 2**40) if event.get("minute") is not None else None,
            # Schedules of earlier versions have neither.
            callers=_integer(event, "callers", 0, 2**31) if "callers" in event else 0,
            keep_free=_integer(event, "keep_free", 0, 2**31) if "keep_free" in event else KEEP_FREE,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """The response of one environment. `cold`: it was started for this ping. `instance`: its own identifier."""

    cold: bool
    instance: str


@dataclass(frozen=True, slots=True)
class Warmed:
    """The result of a warm-up.

    `asked`: environments that were wanted. `environments`: distinct environments that responded. `cold`: how many of
    them were started for it. `spread_ms`: time over which the calls of the last round were sent. `hold_ms`: how long
    each was held. `busy_ms`: how long all answered calls were held in total."""

    asked: int
    environments: int
    cold: int
    calls: int
    failed: int
    spread_ms: float
    hold_ms: float
    rounds: int
    busy_ms: float
    error: str = ""
    own_code: Sequence[str] = ()
    held_back: str = ""


def ping_payload(hold_ms: float) -> bytes:
    """Return the event that the target receives, as JSON."""
    return json.dumps({KEY: {"hold_ms": math.ceil(hold_ms)}}).encode()


def read_answer(payload: bytes) -> Answer:
    """Read the target's response. Raise NotAWarmupAnswer if it is anything else."""
    try:
        answer = json.loads(payload)[KEY]
        if isinstance(answer["cold"], bool) and isinstance(answer["instance"], str) and answer["instance"]:
            return Answer(answer["cold"], answer["instance"])
    except (ValueError, KeyError, TypeError):
        pass
    raise NotAWarmupAnswer(
        f"answered {payload[:80].decode(errors='replace')!r} instead of a warm-up answer: "
        "its handler is not decorated, so its own code ran"
    )


def _text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise InvalidWarmup(f"{name} must be a text, not {value!r}")
    return value


def _integer(event: dict[str, Any], name: str, low: int, high: int) -> int:
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidWarmup(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping that was sent, as it is recorded. `minute` of the plan and `at_minute` of the calls count from 1970.

    `calls`: all calls that were made of the function; they took `busy_ms` in total. `held_back`: why it asked for fewer
    environments than planned. `own_code`: calls that ran the function's own code. `after_deploy`: sent because the
    alias had got another version, not because the plan had a ping in this minute."""

    change_id: str
    minute: int
    at_minute: int
    asked: int
    environments: int
    cold: int
    calls: int
    failed: int
    busy_ms: int
    error: str
    held_back: str = ""
    own_code: int = 0
    after_deploy: bool = False
