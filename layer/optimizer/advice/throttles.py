"""Advice on calls that Lambda rejects. Pure."""

import numpy as np

from optimizer.advice.deploys import day_words, deploys_of, explaining, hour_time
from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.shares import Days, known, percent
from optimizer.advice.steps import step_of_share
from optimizer.policy import AdviceLimits

_TIMES = 3.0
# The share of its reserved concurrency at which a function surely is at the limit.
_AT_LIMIT = 0.9


def advise_on_throttles(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where Lambda rejects calls on several days; None for a healthy function."""
    values = signals.hours.values
    throttles, calls = known(np.nan_to_num(values["throttles"]), values["invocations"])
    week = Days.of(throttles, calls + throttles)
    above = week.above(limits.throttles_share)
    if not above:
        return None
    step = step_of_share(throttles, calls + throttles, limits.throttles_share, _TIMES)
    since = hour_time(signals.hours.start, step.place) if step else None
    deploys = deploys_of(signals.lines, signals.version) if step else ()
    deploy = explaining(deploys, step.gains, step.place, signals.hours.start) if step else None
    last = slice(max(len(throttles) - 24 * len(week.totals), 0), None)
    then = throttles[last] > 0
    concurrency = np.nan_to_num(values["concurrency"][last])[then]
    peak = int(concurrency.max()) if len(concurrency) else 0
    cause, look_at = _cause(signals, peak)
    started = f" It began on {day_words(since)}{f', with version {deploy.version}' if deploy else ''}." if since else ""
    return Advice(
        Subject.THROTTLES,
        f"Lambda rejected {percent(week.share)} of {week.totals.sum():,.0f} requests in {len(week.totals)} days: more "
        f"than {percent(limits.throttles_share)} on {above} of them. Trend: {week.trend}.{started}",
        cause,
        look_at,
        since=since.isoformat() if since else "",
        deploy=deploy.version if deploy else "",
        evidence={
            "throttles": round(float(week.numbers.sum())),
            "requests": round(float(week.totals.sum())),
            "days": len(week.totals),
            "share": round(week.share, 6),
            "days_above": above,
            "trend": week.trend,
            "peak_concurrency": peak,
            "reserved": signals.reserved,
            "limit_share": limits.throttles_share,
        },
    )


def _cause(signals: Signals, peak: int) -> tuple[str, str]:
    reserved = signals.reserved
    if reserved == 0:
        return (
            "Likely cause: its reserved concurrency is 0, so every call is rejected.",
            "Look at who set it; removing the reservation lets it run again.",
        )
    if reserved is not None and peak >= _AT_LIMIT * reserved:
        return (
            f"Likely cause: its reserved concurrency of {reserved}; it ran {peak} at once while calls were rejected.",
            "Raise the reservation, or let its callers retry more slowly; shorter calls need less of it.",
        )
    used = f"it ran {peak} at once while calls were rejected" if peak else "none ran while calls were rejected"
    below = f", below its reservation of {reserved}" if reserved is not None else ""
    return (
        f"Likely cause: the concurrency of the account, or a rise of more than 1,000 environments in 10 seconds; "
        f"{used}{below}.",
        "Look at ConcurrentExecutions of all functions against the account's quota at that time; reserve concurrency, "
        "spread the calls, or request a higher quota.",
    )
