"""How much memory the same TTL may need in the time to come, from how the past moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.caches.tuning.curves import HitCurve
from optimizer.caches.tuning.replay import Accesses, TtlReplay

WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next span against this one: growth of the mean as a share (a trend that stands out from the noise, else 0),
    and the standard deviation of the mean around it, as a share."""

    growth: float
    noise: float


def outlook(series: Sequence[float]) -> Outlook:
    """From sums of equally long windows of one span, for the span of the same length that follows.

    Least squares line. Its slope is shrunk by 1 - (2 / t)^2, t its ratio to its standard error, to nothing below two
    standard errors (positive-part James-Stein, with the threshold of a test). The noise is the largest of what the
    windows, pairs of windows and so on give, because a slow drift shows only in the long ones.
    """
    y = np.asarray(series, dtype=np.float64)
    count, mean = len(y), float(y.mean())
    if count < 4 or mean <= 0:
        return Outlook(0.0, 0.0)
    x = np.arange(count) - (count - 1) / 2
    slope = float(x @ y) / float(x @ x)
    spread = float(((y - mean - slope * x) ** 2).sum()) / (count - 2)
    noise_limit = 2 * (spread / float(x @ x)) ** 0.5
    kept = 1 - (noise_limit / slope) ** 2 if abs(slope) > noise_limit else 0.0
    rest = y - mean - kept * slope * x
    variance, blocks, spent = 0.0, rest, 1 + (kept > 0)
    while len(blocks) > 1:
        # Two spans differ by the noise of both, each a mean of so many blocks.
        variance = max(variance, 2 * float((blocks**2).sum()) / max(1, len(blocks) - spent) / len(blocks))
        blocks = blocks[: len(blocks) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return Outlook(kept * slope * count / mean, variance**0.5 / mean)


def outlooks(accesses: Accesses, span_s: tuple[float, float], ttls_s: Sequence[float]) -> dict[float, Outlook]:
    """Outlook of the entries in memory at a few TTLs from the shortest asked for to a window's length.

    Taken from what each window would store into a cache that is empty at its start; a TTL longer than a window
    behaves there like the window's length.
    """
    windowed = TtlReplay(accesses.by_window(span_s, WINDOWS))
    shortest = min(ttls_s)
    longest = max(shortest, min(max(ttls_s), (span_s[1] - span_s[0]) / WINDOWS))
    found = {}
    for ttl in np.unique(np.geomspace(shortest, longest, 4)):
        totals = windowed.run(float(ttl))
        found[float(ttl)] = outlook((totals.accesses - totals.hits).reshape(-1, WINDOWS).sum(axis=0).tolist())
    return found


def cautious(
    curve: HitCurve,
    ahead: Mapping[float, Outlook],
    *,
    tolerance: float = 0.1,
    certainty: float = 3.0,
    most: float = 0.25,
) -> HitCurve:
    """The curve with the memory to plan with: enough that the mean fits what is expected to come, and that `certainty`
    standard deviations above it pass it by no more than `tolerance`. Noise alone adds at most the share `most`: what
    is more erratic than that, no reserve of a sensible size covers, and the server's own limit has to.

    ahead: the outlook at some TTLs; between them the factor is interpolated over the logarithm of the TTL.
    """

    def factor(outlook_: Outlook) -> float:
        growth = max(0.0, outlook_.growth)
        deviation = certainty * outlook_.noise / (1 + growth)
        return (1 + growth) * min(1 + most, max(1.0, (1 + deviation) / (1 + tolerance)))

    known = sorted(ahead)
    factors = np.interp(np.log(curve.ttl_s), np.log(known), [factor(ahead[ttl]) for ttl in known])
    planned = tuple(float(n * f) for n, f in zip(curve.live_entries, factors, strict=True))
    return replace(curve, live_entries=planned)
