"""Advice on functions that come near their reserved concurrency. Pure."""

import numpy as np

from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.shares import percent, trend_of
from optimizer.policy import AdviceLimits
from optimizer.traffic import Floats

_DAYS, _LEAST_DAYS = 7, 2


def advise_on_concurrency(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where a function ran near its reservation on several days; None for a healthy function."""
    reserved = signals.reserved
    if not reserved:
        # Without a reservation the account's quota counts, which all its functions share; with 0 it does not run.
        return None
    peaks = _daily_peaks(signals)
    week, before = peaks[-_DAYS:], peaks[-2 * _DAYS : -_DAYS]
    above = int((week >= limits.concurrency_share * reserved).sum())
    if above < _LEAST_DAYS:
        return None
    peak = int(week.max())
    trend = trend_of(float(before.max()), float(peak)) if len(before) and before.max() > 0 else "not known"
    grew = f", {int(before.max())} in the week before" if len(before) else ""
    return Advice(
        Subject.CONCURRENCY,
        f"It ran up to {peak} at once in {len(week)} days{grew}; its reserved concurrency is {reserved}. It came to "
        f"{percent(limits.concurrency_share)} of that on {above} days. Trend: {trend}.",
        "Likely cause: its calls have grown into the reservation, or last longer than when it was set.",
        "Raise the reservation before calls are rejected, unless it is meant to hold them back.",
        evidence={
            "peak": peak,
            "reserved": reserved,
            "days_above": above,
            "peak_before": int(before.max()) if len(before) else None,
            "trend": trend,
            "limit_share": limits.concurrency_share,
        },
    )


def _daily_peaks(signals: Signals) -> Floats:
    concurrency = np.nan_to_num(signals.hours.values["concurrency"])
    days = len(concurrency) // 24
    return concurrency[len(concurrency) - 24 * days :].reshape(days, 24).max(1)
