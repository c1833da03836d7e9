"""Advice on calls that end in an error. Pure."""

from zoneinfo import ZoneInfo

import numpy as np

from optimizer.advice.deploys import day_words, deploys_of, explaining, hour_time
from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.shares import Days, known, percent
from optimizer.advice.steps import Step, step_of_share
from optimizer.function_logs import SizeHistory, history_of_code
from optimizer.policy import AdviceLimits
from optimizer.traffic import Floats, local_hours

# The kind of cause that another rule finds, too.
TIMEOUTS = "timeouts"
# A rise is news from so many times the rate before on.
_TIMES = 3.0
# A cause is likely where it explains this share of the errors.
_EXPLAINS = 0.5
# Errors keep to a time of the day where so many fall into so few hours, which have fewer of the calls.
_AT_TIME, _HOURS, _CALLS_THEN = 0.8, 2, 0.4


def advise_on_errors(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where many calls fail, or more than before; None for a healthy function."""
    errors, calls = known(signals.hours.values["errors"], signals.hours.values["invocations"])
    step = step_of_share(errors, calls, limits.new_errors_share, _TIMES)
    week = Days.of(errors, calls)
    above = week.above(limits.errors_share)
    if step is not None and len(errors) - step.place > 24 * len(week.totals) and not above:
        # An old rise counts while the rate is still as large.
        step = step if week.share >= limits.new_errors_share else None
    if step is None and not above:
        return None
    deploy = _deploy(signals, step)
    since = hour_time(signals.hours.start, step.place) if step else None
    share = week.share if step is None else step.after
    kind, cause, look_at = _cause(signals, errors, calls, share, deploy)
    return Advice(
        Subject.ERRORS,
        _fact(week, step, above, limits, f"{day_words(since)}" if since else "", deploy),
        cause,
        look_at,
        since=since.isoformat() if since else "",
        deploy=deploy,
        evidence={
            "errors": round(float(week.numbers.sum())),
            "calls": round(float(week.totals.sum())),
            "days": len(week.totals),
            "share": round(week.share, 6),
            "days_above": above,
            "share_before": round(step.before, 6) if step else None,
            "share_after": round(step.after, 6) if step else None,
            "trend": week.trend,
            "limit_share": limits.new_errors_share if step else limits.errors_share,
            "cause": kind,
        },
    )


def _deploy(signals: Signals, step: Step | None) -> str:
    if step is None:
        return ""
    deploys = deploys_of(signals.lines, signals.version)
    found = explaining(deploys, step.gains, step.place, signals.hours.start)
    return found.version if found else ""


def _fact(week: Days, step: Step | None, above: int, limits: AdviceLimits, since: str, deploy: str) -> str:
    rate = f"{percent(week.share)} of {week.totals.sum():,.0f} calls failed in {len(week.totals)} days"
    if step is None:
        return f"{rate}: more than {percent(limits.errors_share)} on {above} of them. Trend: {week.trend}."
    with_version = f", with version {deploy}" if deploy else ""
    return (
        f"{rate}. The rate rose from {percent(step.before)} to {percent(step.after)} on {since}{with_version}; the "
        f"limit for a rise is {percent(limits.new_errors_share)}. Trend: {week.trend}."
    )


def _cause(signals: Signals, errors: Floats, calls: Floats, share: float, deploy: str) -> tuple[str, str, str]:
    """Return the kind of the likely cause, the cause and what to look at."""
    size = present_size(signals)
    if size is not None and size.timeouts >= _EXPLAINS * share * size.calls:
        return (
            TIMEOUTS,
            f"Likely cause: calls time out ({size.timeouts:,} of {size.calls:,} with the present code).",
            "Look at what they wait for: the slowest segment of a trace, or the last log line before the timeout.",
        )
    if size is not None and size.out_of_memory >= _EXPLAINS * share * size.calls:
        return (
            "memory",
            f"Likely cause: calls run out of memory ({size.out_of_memory:,} of {size.calls:,} with "
            f"{size.memory_mb} MB).",
            "Look at the largest input, and at what stays in memory between calls.",
        )
    if deploy:
        return (
            "deploy",
            f"Likely cause: code or configuration that came with version {deploy}.",
            f"Compare version {deploy} with the one before, and look at its error lines; point the alias back if in "
            "doubt.",
        )
    hours = _hours_of_day(signals, errors, calls)
    if hours:
        return (
            "time of the day",
            f"Likely cause: something that happens at {hours} ({signals.timezone}); most errors fall there.",
            "Look at the error lines of that time, and at scheduled work of the services that it calls.",
        )
    return (
        "not known",
        "Likely cause: a service that it calls, or its input; no deploy and no time of the day explains it.",
        "Look at the error lines, and at the dead-letter queue or failed callers for the inputs.",
    )


def present_size(signals: Signals) -> SizeHistory | None:
    """Return what REPORT lines tell of the present code at its present memory size; None without any line."""
    return history_of_code(signals.lines, signals.version).sizes.get(signals.memory_mb)


def _hours_of_day(signals: Signals, errors: Floats, calls: Floats) -> str:
    """Return the local hours into which most errors fall, or an empty string."""
    last = slice(max(len(errors) - 14 * 24, 0), None)
    numbers = signals.hours.start + np.arange(len(errors))[last]
    hour = local_hours(ZoneInfo(signals.timezone), numbers) % 24
    by_hour = np.bincount(hour, weights=errors[last], minlength=24)
    calls_by_hour = np.bincount(hour, weights=calls[last], minlength=24)
    top = np.sort(np.argsort(-by_hour)[:_HOURS])
    if by_hour.sum() == 0 or by_hour[top].sum() < _AT_TIME * by_hour.sum():
        return ""
    if calls_by_hour[top].sum() > _CALLS_THEN * calls_by_hour.sum():
        return ""
    return " and ".join(f"{at}:00" for at in top if by_hour[at])
