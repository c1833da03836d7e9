"""What warm_function and the functions that understand warm-up pings say to each other, as docs/architecture.md."""

import json
import math
from dataclasses import dataclass
from typing import Any

from optimizer.core.errors import OptimizerError

KEY = "optimizer_warmup"
MAX_ENVIRONMENTS = 1000
MAX_HOLD_MS = 5_000


class InvalidWarmup(OptimizerError, ValueError):
    """The event of a warm-up cannot be carried out; the message names the field."""


class NotAWarmupAnswer(OptimizerError, ValueError):
    """The target did not answer as the protocol says: it does not understand pings."""


@dataclass(frozen=True, slots=True)
class Warmup:
    """The event of warm_function: so many environments of an alias are to be warm at the same time.
    minute: of the plan, since 1970; None for a ping that no plan asked for."""

    function_name: str
    alias: str
    environments: int
    hold_ms: int
    run_id: str
    change_id: str
    minute: int | None = None

    @classmethod
    def from_event(cls, event: dict[str, Any]) -> "Warmup":
        """Read and check it; InvalidWarmup names the first field that is wrong."""
        if event.get("alias") == "$LATEST":
            raise InvalidWarmup("alias must not be $LATEST: that warms environments that no caller of an alias meets")
        return cls(
            function_name=_text(event, "function_name"),
            alias=_text(event, "alias"),
            environments=_whole(event, "environments", 1, MAX_ENVIRONMENTS),
            hold_ms=_whole(event, "hold_ms", 0, MAX_HOLD_MS),
            run_id=_text(event, "run_id"),
            change_id=_text(event, "change_id"),
            minute=_whole(event, "minute", 0, 2**40) if event.get("minute") is not None else None,
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What one environment answered."""

    cold: bool
    instance: str


@dataclass(frozen=True, slots=True)
class Warmed:
    """What a warm-up met. environments: distinct ones that answered. cold: of those, how many were started for it.
    spread_ms: time over which the calls of the last round were sent. hold_ms: for how long they were held. busy_ms: for
    how long all calls that were answered were held together."""

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


def ping_payload(hold_ms: float) -> bytes:
    """The event that the target receives."""
    return json.dumps({KEY: {"hold_ms": math.ceil(hold_ms)}}).encode()


def read_answer(payload: bytes) -> Answer:
    """The target's answer; NotAWarmupAnswer if it is anything else."""
    try:
        said = json.loads(payload)[KEY]
        if isinstance(said["cold"], bool) and isinstance(said["instance"], str) and said["instance"]:
            return Answer(said["cold"], said["instance"])
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


def _whole(event: dict[str, Any], name: str, low: int, high: int) -> int:
    value = event.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InvalidWarmup(f"{name} must be a whole number from {low} to {high}, not {value!r}")
    return value


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping that was carried out. Minutes since 1970: `minute` of the plan, `at_minute` when it came. calls: all
    that were made of the function, busy for `busy_ms` together."""

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
