"""Send one ping of a plan, as far as concurrency allows it and the version behind the alias answers pings."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from botocore.exceptions import ClientError

from optimizer.aws import LambdaClient
from optimizer.core import Warmed, Warmup
from optimizer.store import ReadyVersions
from optimizer.warmups.readiness import remember_own_code, why_not_ready
from optimizer.warmups.sending.room import read_room
from optimizer.warmups.sending.send_pings import PingFailed, held_back, warm_environments


def warm_alias(
    lambda_: "LambdaClient",
    pinging: "Callable[[int], LambdaClient]",
    known: ReadyVersions,
    warmup: Warmup,
    now: datetime,
    clock: Callable[[], float] = time.perf_counter,
) -> Warmed:
    """Warm as many environments as there is room for. Between a plan and its pings anything may change.

    pinging: returns a client for so many calls at once that never retries. What cannot be read raises: no ping is sent.
    """
    try:
        room = read_room(lambda_, warmup.function_name, warmup.callers, warmup.keep_free)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceNotFoundException":
            raise
        # The function is gone: one call says so, and counts as a ping that failed.
        return warm_environments(pinging(1), replace(warmup, environments=1), clock)
    if room.environments < 1:
        return held_back(warmup, room.reason)
    try:
        reason = why_not_ready(lambda_, lambda: pinging(1), known, warmup.function_name, warmup.alias, now)
    except PingFailed as error:
        reason = f"it is not known if the version answers pings: {error}"
        return replace(held_back(warmup, reason), calls=1, failed=1, error=str(error))
    if reason:
        return held_back(warmup, reason)
    allowed = min(warmup.environments, room.environments)
    warmed = warm_environments(pinging(allowed), replace(warmup, environments=allowed), clock)
    for version in set(warmed.own_code) - {""}:
        remember_own_code(known, lambda_, warmup.function_name, version, warmed.error, now)
    return replace(warmed, held_back=room.reason) if allowed < warmup.environments else warmed
