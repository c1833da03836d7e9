"""Whether warm-up pings do what they were put in place for."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optimizer.core import Ping

_MISSING_SHARE = 0.1
_FAILED_SHARE = 0.1
_MET_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of the target in the watched window; None: not known."""

    invocations: float | None
    errors: float | None


@dataclass(frozen=True, slots=True)
class WarmupHealth:
    """`problem` is empty where all is well; `summary` is one sentence for the report."""

    summary: str
    problem: str = ""


def judge(due: Collection[int], pings: Sequence[Ping], calls: Calls, errors_share_before: float | None) -> WarmupHealth:
    """due: the minutes of the window in which the plan has a ping. pings: what is on record of them.

    A ping that left no record did not come: missing data is a problem, not a pass.
    """
    missing = set(due) - {ping.minute for ping in pings}
    asked = sum(ping.asked for ping in pings)
    met = sum(ping.environments for ping in pings)
    failed = sum(ping.failed for ping in pings)
    cold = sum(ping.cold for ping in pings)
    summary = f"{len(pings)} of {len(due)} pings came, met {met} of {asked} environments, started {cold} of them"
    if len(missing) > max(1, _MISSING_SHARE * len(due)) or (due and not pings):
        return WarmupHealth(summary, f"{len(missing)} of {len(due)} pings did not come")
    if failed > _FAILED_SHARE * asked:
        error = next((ping.error for ping in pings if ping.error), "")
        return WarmupHealth(summary, f"{failed} calls of pings failed: {error}")
    if met < _MET_SHARE * asked:
        return WarmupHealth(summary, f"the pings do not overlap: they met {met} of {asked} environments")
    if calls.invocations and calls.errors is not None and errors_share_before is not None:
        expected = calls.invocations * errors_share_before
        # Three standard deviations of a Poisson count, and three errors where none was expected.
        if calls.errors > expected + 3 * math.sqrt(expected) + 3:
            return WarmupHealth(
                summary, f"the function failed {calls.errors:.0f} times, {expected:.1f} were to be expected"
            )
    return WarmupHealth(summary)
