"""Lets a Lambda handler understand warm-up pings.

    from optimizer_warmable import warmable

    @warmable
    def handler(event, context): ...

A ping is an event `{"optimizer_warmup": {"hold_ms": 200}}`. It is answered with `{"optimizer_warmup": {"cold": true,
"instance": "<id>"}}` without running the handler; the environment stays busy for `hold_ms`, so that as many
simultaneous pings meet as many environments. Tag the function `optimizer:warmup` = `ready` once its handler is
decorated: only such functions are pinged.
"""

import functools
import os
import time
import uuid
from collections.abc import Callable
from typing import Any

__all__ = ["MAX_HOLD_MS", "warmable"]

MAX_HOLD_MS = 10_000
_KEY = "optimizer_warmup"
# Left of the function's own timeout when a ping asks for more than that.
_TIMEOUT_MARGIN_MS = 100


def warmable[Answer](handler: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer | dict[str, Any]]:
    """The handler, answering warm-up pings by itself. `cold`: the ping was this environment's first call, and its
    INIT phase was paid for by the ping (not one of provisioned concurrency or a snapshot)."""
    first = True
    instance = ""

    @functools.wraps(handler)
    def answering(event: Any, context: Any) -> Answer | dict[str, Any]:
        nonlocal first, instance
        was_first, first = first, False
        if not (isinstance(event, dict) and _KEY in event):
            return handler(event, context)
        # Not at import: environments restored from one snapshot would all have the same id.
        instance = instance or uuid.uuid4().hex
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
