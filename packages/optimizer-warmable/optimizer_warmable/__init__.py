"""Let a Lambda handler answer warm-up pings.

    from optimizer_warmable import warmable

    @warmable
    def handler(event, context): ...

A ping is an event `{"optimizer_warmup": {"hold_ms": 200}}`. The decorator answers it with `{"optimizer_warmup":
{"cold": true, "instance": "<id>"}}` and does not run the handler. The environment stays busy for `hold_ms`, so that N
simultaneous pings reach N environments. Tag the function `optimizer:warmup` = `ready` after you have deployed the
decorated handler; only tagged functions are pinged.
"""

from __future__ import annotations

import functools
import os
import time

# Modules that Lambda's runtime does not load itself would make INIT longer.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Answer = TypeVar("Answer")

__all__ = ["MAX_HOLD_MS", "warmable"]

MAX_HOLD_MS = 10_000
_KEY = "optimizer_warmup"
# Time that remains before the timeout of the function if a ping asks for a longer hold.
_TIMEOUT_MARGIN_MS = 100


def warmable(handler: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer | dict[str, Any]]:
    """Return a handler that answers warm-up pings and passes all other events to `handler`.

    In the answer, `cold` is true if the ping was the first call of an on-demand environment, so that the ping paid for
    its INIT phase. It is false for provisioned concurrency and for snapshots.
    """
    first = True
    instance = ""

    @functools.wraps(handler)
    def answering(event: Any, context: Any) -> Answer | dict[str, Any]:
        nonlocal first, instance
        was_first, first = first, False
        if not (isinstance(event, dict) and _KEY in event):
            return handler(event, context)
        # The id is not made at import, because environments restored from one snapshot would share it.
        instance = instance or os.urandom(16).hex()
        time.sleep(_hold_ms(event[_KEY], context) / 1000)
        on_demand = os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand") == "on-demand"
        return {_KEY: {"cold": was_first and on_demand, "instance": instance}}

    return answering


def _hold_ms(ping: Any, context: Any) -> float:
    asked = ping.get("hold_ms", 0) if isinstance(ping, dict) else 0
    if isinstance(asked, bool) or not isinstance(asked, (int, float)) or not asked > 0:
        return 0.0
    left = getattr(context, "get_remaining_time_in_millis", None)
    limit = MAX_HOLD_MS if left is None else min(MAX_HOLD_MS, left() - _TIMEOUT_MARGIN_MS)
    return float(max(0, min(asked, limit)))
