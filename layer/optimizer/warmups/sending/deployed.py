"""Warm the version that a deploy has put behind an alias: its plan's last ping warmed the version before it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from optimizer.core import InvalidWarmup, Warmup, minute_of
from optimizer.store import PingLog, PlansInPlace

DEPLOYED = "deployed"
# A ping before these minutes has left nothing warm; it is the usual life of an idle environment.
_WARM_MINUTES = 10


@dataclass(frozen=True, slots=True)
class DeployedAlias:
    """An alias that calls another version now."""

    function_name: str
    alias: str

    @classmethod
    def from_event(cls, event: Mapping[str, Any]) -> "DeployedAlias":
        """Read what template.yaml takes from CloudTrail's record of UpdateAlias; raise InvalidWarmup, which names the
        first wrong field. A function is named by its name, its ARN, or a part of its ARN."""
        deployed = event.get(DEPLOYED)
        values = deployed if isinstance(deployed, Mapping) else {}
        for field in ("function", "alias"):
            if not isinstance(values.get(field), str) or not values[field]:
                raise InvalidWarmup(f"{DEPLOYED}.{field} must be a text, not {values.get(field)!r}")
        return cls(values["function"].rpartition(":")[2], values["alias"])


def warmup_after_deploy(deployed: DeployedAlias, log: PingLog, in_place: PlansInPlace, now: datetime) -> Warmup | None:
    """Return a ping for as many environments as the plan keeps warm now; None if no plan does."""
    minute = minute_of(now)
    last = log.latest_warmup(deployed.function_name, deployed.alias, minute - _WARM_MINUTES, minute + 1)
    if last is None or not in_place.is_in_place(deployed.function_name, last.change_id, now):
        return None
    return replace(last, minute=minute, after_deploy=True)
