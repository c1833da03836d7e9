"""Advice on calls that come near the function's own Timeout, or reach it. Pure."""

from optimizer.advice.deploys import deploys_of
from optimizer.advice.errors import present_size
from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.shares import percent, surely
from optimizer.core import figure
from optimizer.function_logs import SizeHistory
from optimizer.policy import AdviceLimits

# One call in a hundred is a call that people meet. Fewer calls do not show what one in a hundred does.
_SLOWEST, _LEAST_CALLS = 0.99, 500
# Where the slowest calls that succeed take less than this share of the Timeout, those that time out hang.
_HANGS = 0.5


def advise_on_timeouts(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where calls of the present code time out or nearly do; None for a healthy function."""
    size = present_size(signals)
    if size is None or not signals.timeout_s:
        return None
    timeout_ms = signals.timeout_s * 1000
    slowest_ms = size.durations.quantile(_SLOWEST)
    is_near = size.durations.count >= _LEAST_CALLS and slowest_ms >= limits.timeout_share * timeout_ms
    times_out = surely(size.timeouts, size.calls) > limits.new_errors_share
    if not (is_near or times_out):
        return None
    deploys = deploys_of(signals.lines, signals.version)
    deploy = deploys[-1].version if deploys else ""
    cause, look_at = _cause(size, slowest_ms, timeout_ms)
    return Advice(
        Subject.TIMEOUTS,
        _fact(size, slowest_ms, signals.timeout_s, limits, times_out=times_out),
        cause,
        look_at,
        since=size.first_at.isoformat(),
        deploy=deploy,
        evidence={
            "calls": size.calls,
            "timeouts": size.timeouts,
            "share": round(size.timeouts / size.calls, 6),
            "p99_ms": round(slowest_ms, 3) if size.durations.count else None,
            "timeout_ms": timeout_ms,
            "memory_mb": size.memory_mb,
            "limit_share": limits.new_errors_share if times_out else limits.timeout_share,
        },
    )


def _fact(size: SizeHistory, slowest_ms: float, timeout_s: float, limits: AdviceLimits, *, times_out: bool) -> str:
    since = f"since {size.first_at.day} {size.first_at:%b %Y}"
    if times_out:
        return (
            f"{percent(size.timeouts / size.calls)} of {size.calls:,} calls of the present code timed out after "
            f"{figure(timeout_s)} s, {since}; the limit is {percent(limits.new_errors_share)}."
        )
    return (
        f"1% of {size.calls:,} calls of the present code took {figure(slowest_ms / 1000)} s or more, {since}; that is "
        f"{percent(slowest_ms / 1000 / timeout_s)} of its Timeout of {figure(timeout_s)} s, and the limit is "
        f"{percent(limits.timeout_share)}."
    )


def _cause(size: SizeHistory, slowest_ms: float, timeout_ms: float) -> tuple[str, str]:
    if size.timeouts and slowest_ms < _HANGS * timeout_ms:
        return (
            "Likely cause: calls hang, because the others end long before.",
            "Look at what they wait for, and give its client a timeout below the function's own.",
        )
    return (
        "Likely cause: work that is as long as the Timeout, such as large inputs or a slow service.",
        "Look at the slowest calls; raise the Timeout, divide the work, or see what its memory size would gain.",
    )
