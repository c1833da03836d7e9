"""Judge if warm-up pings have their effect and do no harm. Pure."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from optimizer.core import Ping

_MISSING_SHARE = 0.1
_FAILED_SHARE = 0.1
_MET_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of a function in the observed window; None if unknown."""

    invocations: float | None
    errors: float | None


@dataclass(frozen=True, slots=True)
class WarmupHealth:
    """The judgement on the pings of a window."""

    # One sentence for the report.
    summary: str
    # Empty if the pings are healthy.
    problem: str = ""


def judge(due: Collection[int], pings: Sequence[Ping], calls: Calls, errors_share_before: float | None) -> WarmupHealth:
    """Judge the pings of a window.

    due: minutes of the window for which the plan has a ping. pings: the recorded pings. A ping without a record counts
    as missing, because missing data must not pass.
    """
    missing = set(due) - {ping.minute for ping in pings}
    asked = sum(ping.asked for ping in pings)
    met = sum(ping.environments for ping in pings)
    failed = sum(ping.failed for ping in pings)
    cold = sum(ping.cold for ping in pings)
    summary = (
        f"{len(pings)} of {len(due)} pings arrived and met {met} of {asked} environments; {cold} of them were cold"
    )
    held_back = [ping.held_back for ping in pings if ping.held_back]
    if held_back:
        summary += f"; {len(held_back)} asked for fewer than planned, because {held_back[-1]}"
    if any(ping.own_code for ping in pings):
        return WarmupHealth(summary, next(ping.error for ping in pings if ping.own_code))
    if pings and not asked:
        return WarmupHealth(summary, f"no ping may be sent: {held_back[-1] if held_back else 'none was asked for'}")
    if len(missing) > max(1, _MISSING_SHARE * len(due)) or (due and not pings):
        return WarmupHealth(summary, f"{len(missing)} of {len(due)} pings did not arrive")
    if failed > _FAILED_SHARE * asked:
        error = next((ping.error for ping in pings if ping.error), "")
        return WarmupHealth(summary, f"{failed} of {asked} calls by pings failed: {error}")
    if met < _MET_SHARE * asked:
        return WarmupHealth(summary, f"the calls of the pings do not overlap: they met {met} of {asked} environments")
    if calls.invocations and calls.errors is not None and errors_share_before is not None:
        expected = calls.invocations * errors_share_before
        # Three standard deviations of a Poisson count, and three errors even if none was expected.
        if calls.errors > expected + 3 * math.sqrt(expected) + 3:
            return WarmupHealth(
                summary, f"the function failed {calls.errors:.0f} times; {expected:.1f} failures were expected"
            )
    return WarmupHealth(summary)
