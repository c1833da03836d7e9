"""Plans of memory sizes: `{"region", "architecture", "lambda_discount", "memory_mb", "observed": {"1024":
{"mean_duration_ms", "invocations"}}, "allowed_mb", "goal", "max_slowdown", "changes_left"}` to `{"memory_mb", "reason",
"predicted", "prices"}`.

`observed` holds the sizes in the order in which the function ran at them; `max_slowdown` is relative to the first.
"""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from optimizer.capacity.memory import NothingObserved, SizeSeen, UnknownGoal, choose

from optimizer_cli.json_lines import UnusableRequest
from optimizer_cli.planners.rates import rates_of

LARGEST_MB = 10_240


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the size to run at next, or the best one so far, with the reason and the predicted durations.

    A prediction is the median of the mean duration in ms with its 80 % interval. UnusableRequest names the field that
    cannot be read.
    """
    allowed = request.get("allowed_mb")
    if not isinstance(allowed, list) or not allowed:
        raise UnusableRequest("allowed_mb: a list of memory sizes is needed")
    slowdown = request.get("max_slowdown")
    if slowdown is not None:
        slowdown = _number(slowdown, "max_slowdown", above=0.0)
    observed = request.get("observed")
    if not isinstance(observed, dict) or not observed:
        raise UnusableRequest("observed: at least one size with its mean_duration_ms is needed")
    rates = rates_of(request)
    try:
        decision = choose(
            {_size(mb, "observed"): _seen(mb, seen) for mb, seen in observed.items()},
            rates,
            [_size(mb, "allowed_mb") for mb in allowed],
            _size(request.get("memory_mb"), "memory_mb"),
            _text(request.get("goal", "cost"), "goal"),
            slowdown,
            int(_number(request.get("changes_left", 0), "changes_left", above=-1.0)),
        )
    except (UnknownGoal, NothingObserved) as error:
        raise UnusableRequest(str(error)) from error
    return {
        "memory_mb": decision.memory_mb,
        "reason": decision.reason,
        "prices": rates.words,
        "predicted": {
            str(mb): {"low_ms": round(p.low, 3), "mean_ms": round(p.estimate, 3), "high_ms": round(p.high, 3)}
            for mb, p in decision.predicted.items()
        },
    }


def _seen(memory_mb: str, seen: object) -> SizeSeen:
    field = f"observed.{memory_mb}"
    if not isinstance(seen, Mapping):
        raise UnusableRequest(f"{field}: an object with mean_duration_ms is needed, not {seen!r}")
    return SizeSeen(
        _number(seen.get("mean_duration_ms"), f"{field}.mean_duration_ms", above=0.0),
        int(_number(seen.get("invocations", 0), f"{field}.invocations", above=-1.0)),
    )


def _size(value: object, field: str) -> int:
    text = str(value)
    if isinstance(value, bool) or not text.isascii() or not text.isdigit() or not 0 < int(text) <= LARGEST_MB:
        raise UnusableRequest(f"{field}: {value!r} is not a memory size in whole MB up to {LARGEST_MB}")
    return int(text)


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise UnusableRequest(f"{field}: a text is needed, not {value!r}")
    return value


def _number(value: object, field: str, above: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value) or value <= above:
        raise UnusableRequest(f"{field}: a number above {above:g} is needed, not {value!r}")
    return float(value)
