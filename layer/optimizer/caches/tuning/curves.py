"""Estimate hit ratio and memory of one namespace as a function of its TTL. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optimizer.caches.tuning.replay import Accesses, TtlReplay
from optimizer.caches.tuning.sample import Calibration, Estimate, KeySample


@dataclass(frozen=True, slots=True)
class HitCurve:
    """Hit ratio (0 to 1) and mean number of live entries of one namespace over ascending `ttl_s`.

    `reachable_hit_ratio` is that of entries that never expire. The errors are standard errors of the sampling, 0 when
    every key was seen. `accesses` counts the reads within `span_s`.
    """

    ttl_s: tuple[float, ...]
    hit_ratio: tuple[float, ...]
    live_entries: tuple[float, ...]
    hit_ratio_error: tuple[float, ...]
    reachable_hit_ratio: float
    reachable_error: float
    accesses: float
    span_s: float

    def misses_per_s(self, at: int) -> float:
        """Return the misses a second with the TTL at position `at`."""
        return self.accesses * (1 - self.hit_ratio[at]) / self.span_s


def hit_curve(
    accesses: Accesses | Iterable[tuple[float, str]],
    ttls_s: Sequence[float],
    *,
    sample: KeySample | None = None,
    span_s: tuple[float, float] | None = None,
    warm_up_s: float = 0.0,
) -> HitCurve:
    """Replay the accesses with each TTL, and scale the result to all keys.

    `span_s` is the first and last second of the observation, by default those of the accesses. The first `warm_up_s`
    of it fill the cache and are not counted. Raises NoAccesses.
    """
    reads = accesses if isinstance(accesses, Accesses) else Accesses.of(accesses)
    start_s, end_s = span_s or (reads.start_s, reads.end_s)
    # The replay's clock starts at the first access, which may come later than the observation.
    replay = TtlReplay(reads, end_s=end_s, warm_up_s=max(0.0, start_s + warm_up_s - reads.start_s))
    counted_s = max(end_s - start_s - warm_up_s, 1e-6)
    calibration = Calibration(reads, sample)
    ttls = sorted({float(ttl) for ttl in ttls_s})
    ratios: list[Estimate] = []
    entries: list[float] = []
    for ttl in [*ttls, math.inf]:
        totals = replay.run(ttl)
        counted = calibration.total(totals.accesses).total
        hits = calibration.total(totals.hits)
        ratios.append(Estimate(min(1.0, hits.total / counted), hits.standard_error / counted))
        entries.append(calibration.total(totals.entry_s).total / counted_s)
    best = ratios.pop()
    return HitCurve(
        ttl_s=tuple(ttls),
        hit_ratio=tuple(r.total for r in ratios),
        live_entries=tuple(entries[:-1]),
        hit_ratio_error=tuple(r.standard_error for r in ratios),
        reachable_hit_ratio=best.total,
        reachable_error=best.standard_error,
        accesses=counted,
        span_s=counted_s,
    )


def find_knee(curve: HitCurve, share: float = 0.99) -> float:
    """Return the smallest TTL with this share of the curve's highest hit ratio; longer ones gain almost nothing."""
    enough = share * max(curve.hit_ratio)
    return next(ttl for ttl, ratio in zip(curve.ttl_s, curve.hit_ratio, strict=True) if ratio >= enough)


def is_infeasible(curve: HitCurve, target_hit_ratio: float, *, certainty: float = 2.0) -> bool:
    """Return True if no TTL reaches the target.

    Even entries that never expire then stay below it by more than `certainty` standard errors.
    """
    return curve.reachable_hit_ratio + certainty * curve.reachable_error < target_hit_ratio


def ttl_grid(min_ttl_s: float, max_ttl_s: float, ratio: float = 1.08) -> tuple[float, ...]:
    """Return TTLs from one bound to the other, each about `ratio` times the one before.

    They are whole seconds where both bounds are, because the option EX of SET takes no fractions.
    """
    if not 0 < min_ttl_s <= max_ttl_s < math.inf:
        raise ValueError(
            f"the bounds of a TTL must satisfy 0 < min <= max < infinity, not {min_ttl_s} s and {max_ttl_s} s"
        )
    steps = math.ceil(math.log(max_ttl_s / min_ttl_s) / math.log(ratio))
    raw = [min_ttl_s * (max_ttl_s / min_ttl_s) ** (i / steps) for i in range(1, steps)] if steps else []
    if float(min_ttl_s).is_integer() and float(max_ttl_s).is_integer():
        raw = [float(round(ttl)) for ttl in raw]
    return tuple(sorted({float(min_ttl_s), *raw, float(max_ttl_s)}))
