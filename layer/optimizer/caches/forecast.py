"""How much memory the same TTL may need in the time to come, from how the past moved."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizer.caches.curves import HitCurve
from optimizer.caches.replay import Accesses

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
    slope_variance = spread / float(x @ x)
    kept = 1.0 if slope_variance == 0 else max(0.0, 1 - 4 * slope_variance / slope**2) if slope else 0.0
    rest = y - mean - kept * slope * x
    variance, blocks, spent = 0.0, rest, 1 + (kept > 0)
    while len(blocks) > 1:
        # Two spans differ by the noise of both, each a mean of so many blocks.
        variance = max(variance, 2 * float((blocks**2).sum()) / max(1, len(blocks) - spent) / len(blocks))
        blocks = blocks[: len(blocks) // 2 * 2].reshape(-1, 2).mean(axis=1)
    return Outlook(kept * slope * count / mean, variance**0.5 / mean)


def stores_per_window(accesses: Accesses, span_s: tuple[float, float], windows: int = WINDOWS) -> list[float]:
    """Different keys read in each of the equally long windows of a span: what has to be stored there."""
    from_s, to_s = span_s
    edge = (accesses.start_s - from_s) * 1e6 + accesses.time_us
    window = np.clip((edge * windows / max((to_s - from_s) * 1e6, 1.0)).astype(np.int64), 0, windows - 1)
    pairs = np.unique(window * len(accesses.keys) + accesses.key)
    return [float(n) for n in np.bincount(pairs // len(accesses.keys), minlength=windows)]


def cautious(
    curve: HitCurve, ahead: Outlook, *, tolerance: float = 0.1, certainty: float = 3.0, most: float = 0.25
) -> HitCurve:
    """The curve with the memory to plan with: enough that the mean fits what is expected to come, and that `certainty`
    standard deviations above it pass it by no more than `tolerance`. Noise alone adds at most the share `most`: what
    is more erratic than that, no reserve of a sensible size covers, and the server's own limit has to."""
    growth = max(0.0, ahead.growth)
    noise = min(1 + most, max(1.0, (1 + certainty * ahead.noise / (1 + growth)) / (1 + tolerance)))
    return replace(curve, live_entries=tuple(n * (1 + growth) * noise for n in curve.live_entries))
