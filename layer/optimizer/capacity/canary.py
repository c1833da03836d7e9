"""Compare a changed function with the time before: errors, throttles and durations. Pure.

Of the durations, the mean, the typical one and the 95th percentile are compared, each with the noise that the calls
themselves show (`duration_ratios`), and days with other days also with the steps that were usual before
(`usual_steps`). All looks and tests share one small chance of a false alarm (Bonferroni), so that a change without any
effect is rarely rolled back. No data is unhealthy; at the last look, too little data to tell is unhealthy, too.
"""

import math
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist

from optimizer.capacity.duration_ratios import (
    LIKELY,
    SURE,
    Ratio,
    Side,
    log_p95,
    mean_ratio,
    most_of_neighbours,
    p95_ratio,
    tail_ratio,
    typical_ratio,
)
from optimizer.capacity.usual_steps import UsualSteps

# The chance that a change without effect is rolled back by a test, over all looks.
_FALSE_ALARM = 0.01
_TESTS = 5
# At the last look a change is rolled back if it is worse with at most this chance of being equal: keeping it is final.
_LAST_ALARM = 0.005
# Where the policy allows no slowdown at all, a duration must still be known this precisely.
_LEAST_PRECISION = 0.05
_LEAST_CALLS = 5
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
class CanaryComparison:
    """The two sides, minute by minute beside each other.

    expected_ratio: calls of the new side for each call of the old, by the weights of the alias. max_slowdown: largest
    duration as a multiple of the old one. break_even: from this multiple on, the change gains too little. max_p95_ms:
    the latency that the policy promises. usual: steps of the function without a change, where the old side is of
    earlier days; None where both sides are of the same minutes.
    """

    old: Side
    new: Side
    max_slowdown: float
    expected_ratio: float
    break_even: float = math.inf
    max_p95_ms: float | None = None
    usual: UsualSteps | None = None


@dataclass(frozen=True, slots=True)
class CanaryHealth:
    """The judgement with its reason in words. enough: there is enough data to keep the change."""

    healthy: bool
    reason: str
    enough: bool = False


@dataclass(frozen=True, slots=True)
class Durations:
    """The ratios of the durations, None where one is not known. mean and typical decide if there is enough data."""

    mean: Ratio | None
    typical: Ratio | None
    tail: Ratio | None

    @property
    def named(self) -> tuple[tuple[str, Ratio], ...]:
        """Return the known ratios with their names."""
        named = (
            ("mean duration", self.mean),
            ("typical duration", self.typical),
            ("95th percentile of the duration", self.tail),
        )
        return tuple((what, ratio) for what, ratio in named if ratio is not None)

    @property
    def best(self) -> Ratio | None:
        """The mean or the typical duration, whichever is known more precisely."""
        known = [ratio for ratio in (self.mean, self.typical) if ratio is not None]
        return min(known, key=lambda ratio: ratio.reach(SURE), default=None)


def judge(comparison: CanaryComparison, looks: int, look: LookKind, durations: Durations | None = None) -> CanaryHealth:
    """Return healthy to go on, or unhealthy to roll back; healthy with `enough` after the early looks is to keep.

    looks: the largest number of looks at the change. durations: where the sides are not to be compared minute by
    minute.
    """
    old, new = comparison.old, comparison.new
    if new.calls == 0:
        return _without_calls(comparison, final=look is LookKind.FINAL)
    durations = durations or durations_of(comparison)
    enough = _enough(comparison, durations)
    last = look is LookKind.FINAL or (look is LookKind.DUE and enough)
    alpha = _FALSE_ALARM / (_TESTS * max(1, looks))
    failing = _fails_more(old, new, max(alpha, _LAST_ALARM) if last else alpha)
    worse = failing or _slower(comparison, durations, alpha, last=last)
    if worse:
        return CanaryHealth(False, worse)
    if not enough:
        reason = f"{round(new.calls)} calls of the changed function are too few to judge it"
        return CanaryHealth(look is not LookKind.FINAL, reason)
    (what, ratio), *_ = durations.named
    return CanaryHealth(
        True,
        f"the {what} is {math.exp(ratio.value):.2f} times that before, over {new.calls:.0f} calls",
        enough=True,
    )


def _fails_more(old: Side, new: Side, alpha: float) -> str:
    """Return the reason that too many calls failed or were throttled; empty if they were not."""
    for what, bad_new, bad_old, of_new, of_old in (
        ("failed", new.errors, old.errors, new.calls, old.calls),
        ("were throttled", new.throttles, old.throttles, new.calls + new.throttles, old.calls + old.throttles),
    ):
        if more_often(round(bad_new), round(of_new), round(bad_old), round(of_old)) < alpha:
            return f"{_share(bad_new, of_new)} of the calls {what}, {_share(bad_old, of_old)} before"
    return ""


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


def durations_of(comparison: CanaryComparison) -> Durations:
    """Return how the durations of the two sides compare."""
    old, new, usual = comparison.old, comparison.new, comparison.usual
    mean, typical = mean_ratio(old, new), typical_ratio(old, new)
    if usual is None:
        return Durations(mean, typical, p95_ratio(old, new))
    tail = tail_ratio(old, new)
    return Durations(
        mean and usual.mean.widen(mean), typical and usual.typical.widen(typical), tail and usual.tail.widen(tail)
    )


def _enough(comparison: CanaryComparison, durations: Durations) -> bool:
    """Return True where a duration is known as precisely as the limit asks, or is surely below the limit."""
    best = durations.best
    if best is None:
        return False
    limit, least = math.log(comparison.max_slowdown), math.log(min(comparison.max_slowdown, comparison.break_even))
    sure = best.reach(SURE)
    return sure <= max(limit, _LEAST_PRECISION) or best.value + sure <= least


def _slower(comparison: CanaryComparison, durations: Durations, alpha: float, *, last: bool) -> str:
    """Return the reason that the change is too slow; empty if it is not."""
    limit, even = math.log(comparison.max_slowdown), math.log(comparison.break_even)
    certain = NormalDist().inv_cdf(1 - alpha)
    others = [ratio for ratio in (durations.typical, durations.tail) if ratio is not None]
    alone = bool(others) and all(ratio.value <= ratio.reach(LIKELY) for ratio in others)
    for what, ratio in durations.named:
        if not last:
            most = limit + ratio.reach(certain)
        elif alone and ratio is durations.mean:
            # Rare slow calls and a mix of machines move the mean by chance. Where neither typical nor slow calls show
            # any sign of being slower, it must be surely worse.
            most = max(limit, ratio.reach(certain))
        else:
            most = _last_limit(limit, ratio)
        if ratio.value > most:
            return (
                f"the {what} is {math.exp(ratio.value):.2f} times that before; {comparison.max_slowdown:g} is allowed"
            )
    broken = _promise_broken(comparison, 0.0 if last else certain)
    if broken:
        return broken
    best = durations.best
    if best is not None and best.value > even + (0.0 if last else best.reach(certain)):
        return (
            f"the mean duration is {math.exp(best.value):.2f} times that before; from {comparison.break_even:.2f} on "
            f"the change gains too little"
        )
    return ""


def _promise_broken(comparison: CanaryComparison, certain: float) -> str:
    """Return the broken promise in words; a latency that was missed by more before is not broken by the change."""
    promised_ms, p95 = comparison.max_p95_ms, log_p95(comparison.new)
    if promised_ms is None or p95 is None:
        return ""
    value = p95.value
    if comparison.old.p95_ms:
        value = min(value, math.log(comparison.old.p95_ms) + most_of_neighbours(comparison.old, comparison.new))
    p95_ms, least_ms = math.exp(value), math.exp(value - certain * p95.error)
    if least_ms <= promised_ms or p95_ms <= (comparison.old.p95_ms or 0.0):
        return ""
    before = log_p95(comparison.old)
    # Where it was missed before as well, the change must surely have made it worse.
    if (
        before is not None
        and math.exp(before.value) > promised_ms
        and value <= before.value + SURE * math.hypot(p95.error, before.error)
    ):
        return ""
    return f"the 95th percentile of the duration is {p95_ms:.0f} ms; {promised_ms:g} ms is allowed (memory.max_p95_ms)"


def _last_limit(limit: float, ratio: Ratio) -> float:
    """Return the limit for a change that would be kept for good: it must be likely to be within the policy's limit.

    A change that shows no sign of being slower is not rolled back for lack of precision.
    """
    likely_within = limit - ratio.reach(LIKELY)
    return likely_within if limit < 0 else max(likely_within, ratio.reach(SURE))


def calls_needed(variation: float, max_slowdown: float, share: float) -> float:
    """Return the calls of the new side, which gets `share` of all calls, that a look needs to judge it.

    variation: of the durations, standard deviation / mean.
    """
    enough = max(math.log(max_slowdown), _LEAST_PRECISION) / SURE
    return max(_LEAST_CALLS, (variation / enough) ** 2 * (1 + share / (1 - share)))


def _without_calls(comparison: CanaryComparison, *, final: bool) -> CanaryHealth:
    expected = comparison.old.calls * comparison.expected_ratio
    # Fewer calls than on another day say nothing about the change before its observation is over.
    if final or (comparison.usual is None and expected >= _SURELY_CALLED):
        return CanaryHealth(False, f"no data: the changed function has no calls, {expected:.0f} were expected")
    return CanaryHealth(True, f"no calls yet, {expected:.0f} were expected")


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.2%}" if whole else "none"


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
