"""WarmFunction: warms a number of environments of an alias. The warm-up schedules call it."""

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged
from optimizer.core import Warmup
from optimizer.store import PingLog
from optimizer.warmups import ping_client, warm_environments

_log = logging.getLogger(__name__)


@logged("warm_function")
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, warm_function."""
    warmup = Warmup.from_event(event)
    now = datetime.now(UTC)
    warmed = warm_environments(ping_client(warmup.environments), warmup)
    PingLog(clients.client("dynamodb"), Environment.read().table).record(warmup, warmed, now)
    if warmed.failed:
        _log.error(
            "%s:%s: %d of %d pings failed: %s",
            warmup.function_name,
            warmup.alias,
            warmed.failed,
            warmed.calls,
            warmed.error,
        )
    return {"outcome": "failed" if warmed.failed == warmed.calls else "warmed", **asdict(warmed)}
