"""Handle the calls of every target function, anywhere Lambda runs, with the standard library alone."""

import os
import time
import uuid
from typing import Any

_INSTANCE = uuid.uuid4().hex
_state = {"cold": True}


def handler(event: Any, _context: object) -> dict[str, Any]:
    """Answer a warm-up without doing any work, anything else with the instance that served it."""
    cold, _state["cold"] = _state["cold"], False
    warmup = event.get("optimizer_warmup") if isinstance(event, dict) else None
    if warmup is not None:
        time.sleep(float(warmup.get("hold_ms", 0)) / 1000.0)
        return {"optimizer_warmup": {"cold": cold, "instance": _INSTANCE}}
    return {"instance": _INSTANCE, "cold": cold, "version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION", "")}
