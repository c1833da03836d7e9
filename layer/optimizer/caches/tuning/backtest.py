"""Replay tuned TTLs over time that the tuner has not seen. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from optimizer.caches.tuning.curves import HitCurve, hit_curve
from optimizer.caches.tuning.records import SampledReads
from optimizer.caches.tuning.replay import NoAccesses
from optimizer.caches.tuning.tune import NamespaceState, Prices, tune

_MONTH_S = 365 / 12 * 86_400
_GB = 1e9
# Each change is limited to one step; after this many a TTL has arrived wherever it can.
_MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class TtlOutcome:
    """The effect of a TTL over the held-out time.

    `memory_bytes` is the mean memory of the entries; `usd_month` is the price of memory and misses.
    """

    ttl_s: float
    hit_ratio: float
    memory_bytes: float
    usd_month: float


@dataclass(frozen=True, slots=True)
class TtlBacktestRow:
    """The backtest of one namespace.

    `predicted_hit_ratio` is what the first half alone predicts for the TTL that was chosen.
    """

    namespace: str
    before: TtlOutcome
    after: TtlOutcome
    steps: int
    predicted_hit_ratio: float
    reachable_hit_ratio: float
    reads: float
    note: str


def backtest_ttls(
    states: Mapping[str, NamespaceState], later: Mapping[str, SampledReads], memory_bytes: float, prices: Prices
) -> list[TtlBacktestRow]:
    """Tune on the sampled reads of `states`, then replay `later` with the former and with the tuned TTLs.

    Tuning takes one limited step after another until nothing changes. Where the cache would then cost more, nothing is
    proposed, and the notes say so. A namespace that was not read in both halves is left out.
    """
    now, steps, notes = _tuned(states, memory_bytes, prices)
    rows = _rows(states, later, now, steps, notes, prices)
    dearer = sum(row.after.usd_month for row in rows) - sum(row.before.usd_month for row in rows)
    if dearer <= 0 or not any(row.steps for row in rows):
        return rows
    note = (
        f"no change proposed: the tuned TTLs of this cache would have cost ${dearer:.2f} a month more in the time that "
        "they were tested on"
    )
    kept = {name: state.current_ttl_s for name, state in states.items()}
    return _rows(states, later, kept, dict.fromkeys(states, 0), dict.fromkeys(states, note), prices)


def _tuned(
    states: Mapping[str, NamespaceState], memory_bytes: float, prices: Prices
) -> tuple[dict[str, float], dict[str, int], dict[str, str]]:
    """Return the TTL, the number of steps and the last reason of each namespace, when nothing changes any more."""
    now = dict(states)
    steps = dict.fromkeys(states, 0)
    notes = dict.fromkeys(states, "")
    for _ in range(_MOST_STEPS):
        moved = False
        for decision in tune(now, memory_bytes, prices):
            after_s = decision.after_s
            notes[decision.namespace] = decision.reason
            if after_s is not None and after_s != decision.before_s:
                now[decision.namespace] = replace(now[decision.namespace], current_ttl_s=after_s)
                steps[decision.namespace] += 1
                moved = True
        if not moved:
            break
    return {name: state.current_ttl_s for name, state in now.items()}, steps, notes


def _rows(
    states: Mapping[str, NamespaceState],
    later: Mapping[str, SampledReads],
    ttl_s: Mapping[str, float],
    steps: Mapping[str, int],
    notes: Mapping[str, str],
    prices: Prices,
) -> list[TtlBacktestRow]:
    rows = []
    for name, state in states.items():
        seen, held_out = state.sampled, later.get(name)
        if seen is None or held_out is None:
            continue
        before_s, after_s = state.current_ttl_s, ttl_s[name]
        try:
            learnt = _curve(seen, (after_s,))
            truth = _curve(held_out, (before_s, after_s))
        except NoAccesses:
            continue
        before, after = (_outcome(truth, ttl, state.entry_bytes, prices) for ttl in (before_s, after_s))
        predicted, reachable = learnt.hit_ratio[0], learnt.reachable_hit_ratio
        rows.append(TtlBacktestRow(name, before, after, steps[name], predicted, reachable, truth.accesses, notes[name]))
    return rows


def _curve(seen: SampledReads, ttls_s: tuple[float, ...]) -> HitCurve:
    return hit_curve(seen.accesses, ttls_s, sample=seen.sample, span_s=(seen.from_s, seen.to_s))


def _outcome(curve: HitCurve, ttl_s: float, entry_bytes: float, prices: Prices) -> TtlOutcome:
    at = curve.ttl_s.index(ttl_s)
    held = curve.live_entries[at] * entry_bytes
    misses_month = curve.misses_per_s(at) * _MONTH_S
    usd = held / _GB * prices.usd_gb_month + misses_month / 1e6 * prices.usd_million_misses
    return TtlOutcome(ttl_s, curve.hit_ratio[at], held, usd)
