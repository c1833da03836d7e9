"""WarmFunction: warms a number of environments of an alias. The warm-up schedules call it, and deploys."""

import logging
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from optimizer.aws import Environment, clients, logged
from optimizer.core import Warmup
from optimizer.store import PingLog, PlansInPlace, ReadyVersions
from optimizer.warmups import DEPLOYED, DeployedAlias, ping_client, warm_alias, warmup_after_deploy

_log = logging.getLogger(__name__)


@logged("warm_function")
def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Event and answer: docs/architecture.md, warm_function."""
    now = datetime.now(UTC)
    dynamodb, table = clients.client("dynamodb"), Environment.read().table
    log = PingLog(dynamodb, table)
    warmup: Warmup | None
    if DEPLOYED in event:
        warmup = warmup_after_deploy(DeployedAlias.from_event(event), log, PlansInPlace(dynamodb, table), now)
    else:
        warmup = Warmup.from_event(event)
    if warmup is None:
        return {"outcome": "nothing_to_warm"}
    warmed = warm_alias(clients.client("lambda"), ping_client, ReadyVersions(dynamodb, table), warmup, now)
    log.record(warmup, warmed, now)
    if warmed.failed:
        _log.error(
            "%s:%s: %d of %d pings failed: %s",
            warmup.function_name,
            warmup.alias,
            warmed.failed,
            warmed.calls,
            warmed.error,
        )
    if warmed.held_back:
        _log.warning(
            "%s:%s: %d of %d environments: %s",
            warmup.function_name,
            warmup.alias,
            warmed.asked,
            warmup.environments,
            warmed.held_back,
        )
    outcome = "warmed" if warmed.asked else "held_back"
    return {"outcome": "failed" if warmed.calls and warmed.failed == warmed.calls else outcome, **asdict(warmed)}
