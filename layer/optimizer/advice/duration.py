"""Advice on calls that take longer than before. Pure."""

from optimizer.advice.deploys import day_words, deploys_of, explaining, hour_time, size_change_of
from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.shares import trend_of
from optimizer.advice.steps import step_of_duration
from optimizer.core import figure, minute_of
from optimizer.policy import AdviceLimits
from optimizer.traffic import Floats

# Nobody looks at less.
_LEAST_MS = 10.0
_DAY_HOURS = 24


def advise_on_duration(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where calls take clearly longer than before; None for a healthy function."""
    values, start = signals.hours.values, signals.hours.start
    durations, calls = values["duration_ms"], values["invocations"]
    step = step_of_duration(durations, calls, limits.slowdown_ratio, _LEAST_MS)
    if step is None:
        return None
    since = hour_time(start, step.place)
    deploy = explaining(deploys_of(signals.lines, signals.version), step.gains, step.place, start)
    resized = size_change_of(signals.lines, signals.version, signals.memory_mb)
    if resized is not None:
        away = abs(minute_of(resized.at) // 60 - start - step.place)
        resized = resized if away <= _DAY_HOURS else None
    if resized is not None and resized.after_mb < resized.before_mb:
        cause = f"Likely cause: its memory size went from {resized.before_mb} to {resized.after_mb} MB at that time."
        look_at = "Compare duration and price of both sizes on its page, and set the larger one if callers wait for it."
    elif deploy is not None:
        cause = f"Likely cause: code or configuration that came with version {deploy.version}."
        look_at = "Compare a trace of it with one of the version before."
    else:
        cause = "Likely cause: a service that it calls, or larger inputs; no deploy explains it."
        look_at = "Look at the longest part of a trace, and at the load of the databases and services that it calls."
    ratio, half = step.after / step.before, (len(calls) - step.place) // 2
    trend = trend_of(
        _mean_ms(durations[step.place : -half or None], calls[step.place : -half or None]),
        _mean_ms(durations[-half:], calls[-half:]),
    )
    with_version = f", with version {deploy.version}" if deploy else ""
    return Advice(
        Subject.DURATION,
        f"Calls take {figure(step.after)} ms, {figure(ratio)} times the {figure(step.before)} ms before "
        f"{day_words(since)}{with_version}; the limit is {figure(limits.slowdown_ratio)} times. Trend: {trend}.",
        cause,
        look_at,
        since=since.isoformat(),
        deploy=deploy.version if deploy else "",
        evidence={
            "before_ms": round(step.before, 3),
            "after_ms": round(step.after, 3),
            "ratio": round(ratio, 4),
            "days": (len(calls) - step.place) // 24,
            "trend": trend,
            "memory_mb_before": resized.before_mb if resized else None,
            "limit_ratio": limits.slowdown_ratio,
        },
    )


def _mean_ms(durations: Floats, calls: Floats) -> float:
    called = (calls > 0) & (durations > 0)
    return float((durations[called] * calls[called]).sum() / calls[called].sum()) if called.any() else 0.0
