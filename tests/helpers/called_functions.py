"""Functions of which several aliases and $LATEST are called, and whose calls come together."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from local_account.account import LocalAccount
from local_account.callers import Callers
from local_account.fleet import READY
from local_account.targets import create_targets

BATCH, SIBLING, BUSY = "batch-on-latest", "blue-and-live", "busy-live"
BURSTS, TOGETHER = "bursts-each-hour", "together-each-minute"
HOURLY = {"every_minutes": 60, "duration_ms": 100.0}
CALLERS = (
    # A batch job without a qualifier keeps several environments busy, and wakes sixty at once each hour.
    Callers(BATCH, "", 100, 3000.0, 9),
    Callers(BATCH, "", 60, at_once=60, **HOURLY),
    Callers(BATCH, "live", 1, at_once=1, first_minute=30, **HOURLY),
    # The traffic of the other alias is that of a function that is provisioned.
    Callers(SIBLING, "blue", 100, 3000.0, 9),
    Callers(SIBLING, "blue", 40, at_once=40, **HOURLY),
    Callers(SIBLING, "live", 3, at_once=3, first_minute=30, **HOURLY),
    Callers(BUSY, "live", 100, 3000.0, 9),
    Callers(BURSTS, "live", 20, at_once=20, **HOURLY),
    Callers(TOGETHER, "live", 20, 3000.0, 20),
)
NAMES = sorted({one.function_name for one in CALLERS})
POLICY = {
    "version": 1,
    "mode": "auto",
    "warmups": {"usd_per_cold_start": 0.001, "max_environments_per_function": 50, "max_environments_total": 500},
    # In eu-central-1 no use of provisioned concurrency pays; this policy buys latency.
    "provisioned_concurrency": {
        "max_total": 40,
        "max_usd_day": 20.0,
        "max_usd_month": 400.0,
        "min_utilisation": 0.6,
    },
    "run": {"max_changes": 100, "max_changes_share": 1.0},
}


def create_called_functions(account: LocalAccount) -> None:
    """Create the functions, and let CloudWatch show their calls."""
    like = next(one for one in account.fleet if one.alias)
    quiet = replace(like.traffic, invocations=np.zeros_like(like.traffic.invocations))
    functions = [replace(like, name=name, tags=READY, traffic=quiet, scaled=False) for name in NAMES]
    create_targets(account.session, functions, datetime.now(UTC))
    client: Any = account.session.client("lambda")
    client.create_alias(FunctionName=SIBLING, Name="blue", FunctionVersion="1")
    account.describe_callers(CALLERS)
