"""How much of a function's log one run may read, and which hours are still to be read. Pure."""

import numpy as np

from optimizer.function_logs import WEEK_HOURS
from optimizer.policy import Memory, log_scan_mb
from optimizer.prices import aws_lambda
from optimizer.traffic import Series

# A week of a busy function's lines takes a thousandth of its monthly bill to read, whatever its traffic, and is read
# once: this share a run knows it within days.
_SHARE_OF_BILL = 0.0005


def scan_budget_mb(limits: Memory, usd_month: float | None, *, is_week_known: bool) -> int:
    """Return the log data that one run may read of a function, in MB.

    It is what the policy says; where that leaves it open, 200 MB, or a small share of the function's bill while hours
    of the week are not known. usd_month: the function's bill, None where it is not known.
    """
    if limits.max_log_scan_mb is not None or is_week_known or not usd_month:
        return log_scan_mb(limits)
    return max(log_scan_mb(limits), int(usd_month * _SHARE_OF_BILL / float(aws_lambda.log_scan_usd(1e6))))


def hours_with_calls(hours: Series) -> set[int]:
    """Return the numbers of the hours of the last week in which the function was called."""
    if not len(hours):
        return set()
    calls = hours.values["invocations"][-WEEK_HOURS:]
    first = hours.start + len(hours) - len(calls)
    return {first + int(at) for at in np.flatnonzero(calls > 0)}
