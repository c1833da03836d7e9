"""Forecast the memory that the same TTL may need next, from its trend and noise so far. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.caches.tuning.curves import HitCurve
from optimizer.caches.tuning.replay import Accesses, TtlReplay

WINDOWS = 8


@dataclass(frozen=True, slots=True)
class Outlook:
    """The next span compared with this one.

    `growth` is the expected growth of the mean as a share, 0 unless a trend stands out from the noise. `noise` is the
    standard deviation of the mean around it, as a share.
    """

    growth: float
    noise: float


def outlook(series: Sequence[float]) -> Outlook:
    """Return the outlook for the next span of the same length, from sums of equally long windows of one span.

    The trend is a least-squares line. Its slope is shrunk by 1 - (2 / t)^2, where t is its ratio to its standard error,
    and to 0 below two standard errors (positive-part James-Stein, with the threshold of a test). The noise is the
    largest estimate over the windows, pairs of windows and so on, because a slow drift shows only in the long ones.
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
        # Two spans differ by the noise of both, and each is a mean over these blocks.
        variance = max(variance, 2 * float((blocks**2).sum()) / max(1, len(blocks) - spent) / len(blocks))
        blocks = blocks[: len(blocks) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return Outlook(kept * slope * count / mean, variance**0.5 / mean)


def outlooks(accesses: Accesses, span_s: tuple[float, float], ttls_s: Sequence[float]) -> dict[float, Outlook]:
    """Return the outlook of the entries in memory at a few TTLs, from the shortest one given to a window's length.

    It follows from the entries that each window stores into a cache that is empty at its start. A TTL longer than a
    window behaves there like the window's length.
    """
    windowed = TtlReplay(accesses.by_window(span_s, WINDOWS))
    shortest = min(ttls_s)
    longest = max(shortest, min(max(ttls_s), (span_s[1] - span_s[0]) / WINDOWS))
    found = {}
    for ttl in np.unique(np.geomspace(shortest, longest, 4)):
        totals = windowed.run(float(ttl))
        found[float(ttl)] = outlook((totals.accesses - totals.hits).reshape(-1, WINDOWS).sum(axis=0).tolist())
    return found


def add_reserve(
    curve: HitCurve,
    ahead: Mapping[float, Outlook],
    *,
    tolerance: float = 0.1,
    certainty: float = 3.0,
    most: float = 0.25,
) -> HitCurve:
    """Return the curve with the memory to plan for, instead of the memory used so far.

    The planned memory holds the expected mean, and `certainty` standard deviations above that mean exceed it by at most
    the share `tolerance`. Noise alone adds at most the share `most`: no sensible reserve covers more erratic traffic,
    so the server's own limit has to.

    `ahead` is the outlook at some TTLs. Between them the factor is interpolated over the logarithm of the TTL.
    """

    def factor(outlook_: Outlook) -> float:
        growth = max(0.0, outlook_.growth)
        deviation = certainty * outlook_.noise / (1 + growth)
        return (1 + growth) * min(1 + most, max(1.0, (1 + deviation) / (1 + tolerance)))

    known = sorted(ahead)
    factors = np.interp(np.log(curve.ttl_s), np.log(known), [factor(ahead[ttl]) for ttl in known])
    planned = tuple(float(n * f) for n, f in zip(curve.live_entries, factors, strict=True))
    return replace(curve, live_entries=planned)
