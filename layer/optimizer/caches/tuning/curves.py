"""Hit ratio and memory of one namespace against its TTL."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from optimizer.caches.tuning.replay import Accesses, TtlReplay
from optimizer.caches.tuning.sample import Calibration, Estimate, KeySample


@dataclass(frozen=True, slots=True)
class HitCurve:
    """Curve of one namespace over ascending `ttl_s`.

    hit_ratio: 0 to 1; live_entries: mean number of entries in memory; reachable_hit_ratio: with entries that never
    expire; *_error: standard errors that the sampling gives (0 when every key was seen); accesses: in `span_s`.
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
        """Misses a second with the TTL at position `at`."""
        return self.accesses * (1 - self.hit_ratio[at]) / self.span_s


def hit_curve(
    accesses: Accesses | Iterable[tuple[float, str]],
    ttls_s: Sequence[float],
    *,
    sample: KeySample | None = None,
    span_s: tuple[float, float] | None = None,
    warm_up_s: float = 0.0,
) -> HitCurve:
    """Replay the accesses with each TTL and scale what happened to all keys.

    span_s: first and last second of the observation, by default those of the accesses; warm_up_s: seconds at its
    start that fill the cache and are not counted. Raises NoAccesses.
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


def knee(curve: HitCurve, share: float = 0.99) -> float:
    """The smallest TTL that gives this share of the most hits on the curve; longer ones buy almost nothing."""
    enough = share * max(curve.hit_ratio)
    return next(ttl for ttl, ratio in zip(curve.ttl_s, curve.hit_ratio, strict=True) if ratio >= enough)


def infeasible(curve: HitCurve, target_hit_ratio: float, *, certainty: float = 2.0) -> bool:
    """Whether no TTL reaches the target: even entries that never expire stay below it by more than `certainty`
    standard errors."""
    return curve.reachable_hit_ratio + certainty * curve.reachable_error < target_hit_ratio


def ttl_grid(min_ttl_s: float, max_ttl_s: float, ratio: float = 1.08) -> tuple[float, ...]:
    """TTLs from one bound to the other, each about `ratio` times the one before; whole seconds where both bounds
    allow, because EX takes no fractions."""
    if not 0 < min_ttl_s <= max_ttl_s < math.inf:
        raise ValueError(f"bounds of a TTL are 0 < {min_ttl_s} <= {max_ttl_s} < infinity")
    steps = math.ceil(math.log(max_ttl_s / min_ttl_s) / math.log(ratio))
    raw = [min_ttl_s * (max_ttl_s / min_ttl_s) ** (i / steps) for i in range(1, steps)] if steps else []
    if float(min_ttl_s).is_integer() and float(max_ttl_s).is_integer():
        raw = [float(round(ttl)) for ttl in raw]
    return tuple(sorted({float(min_ttl_s), *raw, float(max_ttl_s)}))
