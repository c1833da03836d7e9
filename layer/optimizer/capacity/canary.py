"""Compare a changed function with the time before: errors, throttles, mean and 95th percentile of the duration. Pure.

Each is compared by a test that fits the number of calls. All looks and tests share one small chance of a false alarm
(Bonferroni), so that a change without any effect is rarely rolled back. No data is unhealthy; at the last look, too
little data to tell is unhealthy, too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

# The chance that a change without effect is rolled back by a test, over all looks.
_FALSE_ALARM = 0.01
_TESTS = 4
# At the last look a change is rolled back if it is worse with at most this chance of being equal: keeping it is final.
_LAST_ALARM = 0.005
_SURE, _LIKELY = NormalDist().inv_cdf(1 - _LAST_ALARM), NormalDist().inv_cdf(0.95)
# Where the policy allows no slowdown at all, a mean must still be known this precisely.
_LEAST_PRECISION = 0.05
_LEAST_MINUTES = 5
# With fewer calls, the 90th, 95th and 99th percentiles say little more than the slowest call.
_LEAST_CALLS_P95 = 50
# Where this many calls are expected, no call at all has a chance of less than 1 %.
_SURELY_CALLED = 5.0


class LookKind(Enum):
    """The kind of a look, which says what it may decide.

    EARLY: only a change that is surely worse ends the observation. DUE: a change that is known well enough is decided,
    the others are observed for longer. FINAL: the change is decided, and without enough data it is not kept.
    """

    EARLY = "early"
    DUE = "due"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class Minute:
    """Calls in one minute and their mean duration in ms (0 without calls)."""

    calls: float
    mean_ms: float


@dataclass(frozen=True, slots=True)
class Side:
    """One version in the window.

    minutes: one for each minute of the window, in order. p90_ms, p95_ms, p99_ms: of the whole window, or None.
    """

    minutes: Sequence[Minute] = ()
    errors: float = 0.0
    throttles: float = 0.0
    p90_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def calls(self) -> float:
        """Number of calls in the window."""
        return sum(minute.calls for minute in self.minutes)


@dataclass(frozen=True, slots=True)
class CanaryComparison:
    """The two sides, minute by minute beside each other.

    expected_ratio: calls of the new side for each call of the old, by the weights of the alias. max_slowdown: largest
    duration as a multiple of the old one. break_even: from this multiple on, the change gains too little. max_p95_ms:
    the latency that the policy promises. together: both sides are of the same minutes; else the old one is of earlier
    days.
    """

    old: Side
    new: Side
    max_slowdown: float
    expected_ratio: float
    break_even: float = math.inf
    max_p95_ms: float | None = None
    together: bool = True


@dataclass(frozen=True, slots=True)
class CanaryHealth:
    """The judgement with its reason in words. enough: there is enough data to keep the change."""

    healthy: bool
    reason: str
    enough: bool = False


@dataclass(frozen=True, slots=True)
class LogRatio:
    """The logarithm of new / old with its standard error."""

    value: float
    error: float


def judge(comparison: CanaryComparison, looks: int, look: LookKind) -> CanaryHealth:
    """Return healthy to go on, or unhealthy to roll back; healthy with `enough` after the early looks is to keep.

    looks: the largest number of looks at the change.
    """
    old, new = comparison.old, comparison.new
    if new.calls == 0:
        return _without_calls(comparison, final=look is LookKind.FINAL)
    mean = mean_ratio(old, new)
    enough = _enough(comparison, mean)
    last = look is LookKind.FINAL or (look is LookKind.DUE and enough)
    alpha = _FALSE_ALARM / (_TESTS * max(1, looks))
    for what, bad_new, bad_old, of_new, of_old in (
        ("failed", new.errors, old.errors, new.calls, old.calls),
        ("were throttled", new.throttles, old.throttles, new.calls + new.throttles, old.calls + old.throttles),
    ):
        chance = more_often(round(bad_new), round(of_new), round(bad_old), round(of_old))
        if chance < (max(alpha, _LAST_ALARM) if last else alpha):
            return CanaryHealth(
                False, f"{_share(bad_new, of_new)} of the calls {what}, {_share(bad_old, of_old)} before"
            )
    worse = _slower(comparison, mean, alpha, last=last)
    if worse:
        return CanaryHealth(False, worse)
    if mean is None or not enough:
        reason = f"{round(new.calls)} calls of the changed function are too few to judge it"
        return CanaryHealth(look is not LookKind.FINAL, reason)
    return CanaryHealth(
        True,
        f"the mean duration is {math.exp(mean.value):.2f} times that before, over {new.calls:.0f} calls",
        enough=True,
    )


def more_often(bad_new: int, calls_new: int, bad_old: int, calls_old: int) -> float:
    """Return the chance of at least so many bad calls on the new side if both sides are equal.

    This is Fisher's exact test, one-sided.
    """
    bad, calls = bad_new + bad_old, calls_new + calls_old
    most = min(bad, calls_new)
    # While metrics are incomplete, CloudWatch may report more bad calls than calls.
    if bad_new <= 0 or bad > calls or bad_new > most:
        return 1.0 if bad_new <= 0 else 0.0
    total = _log_choose(calls, calls_new)
    chances = (
        math.exp(_log_choose(bad, k) + _log_choose(calls - bad, calls_new - k) - total)
        for k in range(bad_new, most + 1)
        if calls_new - k <= calls - bad
    )
    return min(1.0, math.fsum(chances))


def mean_ratio(old: Side, new: Side) -> LogRatio | None:
    """Return the ratio of the mean durations; None with too few minutes.

    Its error comes from the differences minute by minute, in which the time of day that both sides share cancels out. A
    ratio estimator, see Cochran, Sampling Techniques, section 6.
    """
    calls_old, calls_new = old.calls, new.calls
    pairs = [(a, b) for a, b in zip(old.minutes, new.minutes, strict=True) if a.calls or b.calls]
    filled = min(sum(a.calls > 0 for a, _ in pairs), sum(b.calls > 0 for _, b in pairs))
    if filled < _LEAST_MINUTES:
        return None
    mean_old = sum(a.calls * a.mean_ms for a, _ in pairs) / calls_old
    mean_new = sum(b.calls * b.mean_ms for _, b in pairs) / calls_new
    if mean_old <= 0 or mean_new <= 0:
        return None
    residuals = (
        b.calls * (b.mean_ms - mean_new) / (calls_new * mean_new)
        - a.calls * (a.mean_ms - mean_old) / (calls_old * mean_old)
        for a, b in pairs
    )
    variance = sum(r * r for r in residuals) * filled / (filled - 1)
    return LogRatio(math.log(mean_new / mean_old), math.sqrt(variance))


def p95_ratio(old: Side, new: Side) -> LogRatio | None:
    """Return the ratio of the 95th percentiles; the density there is estimated from the 90th and the 99th."""
    parts = [_log_p95(side) for side in (old, new)]
    if parts[0] is None or parts[1] is None:
        return None
    value = min(parts[1].value - parts[0].value, _most_of_neighbours(old, new))
    return LogRatio(value, math.hypot(parts[0].error, parts[1].error))


def _most_of_neighbours(old: Side, new: Side) -> float:
    """Return the larger logarithm of the ratios of the 90th and of the 99th percentile.

    Slower calls move these as well. Where one call in twenty is slow, the 95th percentile lies in the gap between fast
    and slow calls, and jumps across it by chance; how many calls are slow is told by the mean."""
    pairs = ((old.p90_ms, new.p90_ms), (old.p99_ms, new.p99_ms))
    return max((math.log(after / before) for before, after in pairs if before and after), default=math.inf)


def _log_p95(side: Side) -> LogRatio | None:
    if not side.p90_ms or not side.p95_ms or not side.p99_ms or side.calls < _LEAST_CALLS_P95:
        return None
    # The standard error of a quantile is sqrt(q (1 - q) / n) / density.
    density = 0.09 / max(side.p99_ms - side.p90_ms, 1e-9 * side.p95_ms)
    error = math.sqrt(0.95 * 0.05 / side.calls) / density / side.p95_ms
    return LogRatio(math.log(side.p95_ms), error)


def _enough(comparison: CanaryComparison, mean: LogRatio | None) -> bool:
    """Return True where the mean is known as precisely as the limit asks, or is surely below the limit."""
    if mean is None:
        return False
    limit, least = math.log(comparison.max_slowdown), math.log(min(comparison.max_slowdown, comparison.break_even))
    sure = _SURE * mean.error
    return sure <= max(limit, _LEAST_PRECISION) or mean.value + sure <= least


def _slower(comparison: CanaryComparison, mean: LogRatio | None, alpha: float, *, last: bool) -> str:
    """Return the reason that the change is too slow; empty if it is not."""
    limit, even = math.log(comparison.max_slowdown), math.log(comparison.break_even)
    certain = NormalDist().inv_cdf(1 - alpha)
    for what, ratio in (
        ("mean duration", mean),
        ("95th percentile of the duration", p95_ratio(comparison.old, comparison.new)),
    ):
        if ratio is None:
            continue
        if ratio.value > (_last_limit(limit, ratio.error) if last else limit + certain * ratio.error):
            return (
                f"the {what} is {math.exp(ratio.value):.2f} times that before; {comparison.max_slowdown:g} is allowed"
            )
    broken = _promise_broken(comparison, 0.0 if last else certain)
    if broken:
        return broken
    if mean is not None and mean.value > even + (0.0 if last else certain * mean.error):
        return (
            f"the mean duration is {math.exp(mean.value):.2f} times that before; from {comparison.break_even:.2f} on "
            f"the change gains too little"
        )
    return ""


def _promise_broken(comparison: CanaryComparison, certain: float) -> str:
    """Return the broken promise in words; a latency that was missed by more before is not broken by the change."""
    promised_ms, p95 = comparison.max_p95_ms, _log_p95(comparison.new)
    if promised_ms is None or p95 is None:
        return ""
    value = p95.value
    if comparison.old.p95_ms:
        value = min(value, math.log(comparison.old.p95_ms) + _most_of_neighbours(comparison.old, comparison.new))
    p95_ms, least_ms = math.exp(value), math.exp(value - certain * p95.error)
    if least_ms <= promised_ms or p95_ms <= (comparison.old.p95_ms or 0.0):
        return ""
    before = _log_p95(comparison.old)
    # Where it was missed before as well, the change must surely have made it worse.
    if (
        before is not None
        and math.exp(before.value) > promised_ms
        and value <= before.value + _SURE * math.hypot(p95.error, before.error)
    ):
        return ""
    return f"the 95th percentile of the duration is {p95_ms:.0f} ms; {promised_ms:g} ms is allowed (memory.max_p95_ms)"


def _last_limit(limit: float, error: float) -> float:
    """Return the limit for a change that would be kept for good: it must be likely to be within the policy's limit.

    A change that shows no sign of being slower is not rolled back for lack of precision.
    """
    likely_within = limit - _LIKELY * error
    return likely_within if limit < 0 else max(likely_within, _SURE * error)


def calls_needed(variation: float, max_slowdown: float, share: float) -> float:
    """Return the calls of the new side, which gets `share` of all calls, that a look needs to judge it.

    variation: of the durations, standard deviation / mean.
    """
    enough = max(math.log(max_slowdown), _LEAST_PRECISION) / _SURE
    return max(_LEAST_MINUTES, (variation / enough) ** 2 * (1 + share / (1 - share)))


def _without_calls(comparison: CanaryComparison, *, final: bool) -> CanaryHealth:
    expected = comparison.old.calls * comparison.expected_ratio
    # Fewer calls than on another day say nothing about the change before its observation is over.
    if final or (comparison.together and expected >= _SURELY_CALLED):
        return CanaryHealth(False, f"no data: the changed function has no calls, {expected:.0f} were expected")
    return CanaryHealth(True, f"no calls yet, {expected:.0f} were expected")


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else "none"


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
