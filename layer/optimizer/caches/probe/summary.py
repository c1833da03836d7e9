"""Sum up a sample of keys for each namespace. Pure."""

import itertools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optimizer.caches.probe.key_names import OTHER, assign_namespaces, is_version_key
from optimizer.caches.probe.result import BigKey, NamespaceProbe, Quantiles

# With fewer keys the largest remaining time is too far below the TTL to stand for it.
_LEAST_TTLS = 20
# With fewer keys read between the two looks, it may be chance that they were prolonged.
_LEAST_SEEN_READ = 5
# OBJECT IDLETIME counts whole seconds.
_IDLE_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Two more readings of a key, `after_s` apart.

    `before_s` and `ttl_left_s` are the times to live left at the first and the second one, None without a TTL. `idle_s`
    is the idle time at the second one, None where the server does not say.
    """

    before_s: float | None
    after_s: float
    ttl_left_s: float | None
    idle_s: float | None


@dataclass(frozen=True, slots=True)
class KeyReading:
    """One key that was read; `weight` is the number of keys that it stands for.

    None means that the server does not say; `ttl_left_s` is None without a TTL.
    """

    name: str
    weight: float
    ttl_left_s: float | None
    bytes: int | None
    idle_s: float | None = None
    access_counter: int | None = None
    type: str = ""
    second_look: SecondLook | None = None


def summarise(
    readings: Sequence[KeyReading], prefixes: Mapping[str, str] | None = None, most: int = 50
) -> dict[str, NamespaceProbe]:
    """Return the namespaces, most bytes (then keys) first; beyond `most`, the smallest are summed in `_other`."""
    named = assign_namespaces((reading.name for reading in readings), prefixes)
    groups: dict[str, list[KeyReading]] = defaultdict(list)
    for reading in readings:
        if not is_version_key(reading.name):
            groups[named[reading.name]].append(reading)
    order = sorted(groups, key=lambda name: _size(groups[name]), reverse=True)
    kept = order if len(order) <= most else order[: most - 1]
    found = {name: _namespace(groups[name]) for name in kept}
    rest = [reading for name in order[len(kept) :] for reading in groups[name]]
    if rest:
        found[OTHER] = _namespace(rest)
    return found


def big_keys(readings: Iterable[KeyReading], least_bytes: int, most: int = 20) -> tuple[BigKey, ...]:
    """Return the largest single keys, largest first, with names cut to 120 characters."""
    large = [r for r in readings if r.bytes is not None and r.bytes >= least_bytes]
    large.sort(key=lambda r: -(r.bytes or 0))
    return tuple(BigKey(r.name[:120], r.type, r.bytes or 0) for r in large[:most])


def quantiles(values: Iterable[tuple[float, float]]) -> Quantiles | None:
    """Return weighted quantiles of (value, weight), or None without values.

    Each is the smallest value up to which at least that share of the weight lies.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    total = sum(weight for _, weight in ordered)
    passed = list(itertools.accumulate(weight for _, weight in ordered))

    def at(share: float) -> float:
        return ordered[min(bisect_left(passed, share * total * (1 - 1e-12)), len(ordered) - 1)][0]

    return Quantiles(at(0.1), at(0.5), at(0.9), ordered[-1][0])


def is_prolonged_by_reads(readings: Iterable[KeyReading]) -> bool | None:
    """Return True if reads prolong the entries, judged by keys read twice; None if too few were read in between.

    A key that could not expire between the two looks was read (or written) if its idle time started anew. If it then
    has more time left than before, that read prolonged it. An application that overwrites what it reads looks the same,
    and there the TTL bounds no age either. Without idle times only prolonged keys can be recognized: then the answer
    is never False.
    """
    prolonged = unchanged = 0
    for reading in readings:
        again = reading.second_look
        if again is None or again.before_s is None or again.ttl_left_s is None:
            continue
        if again.before_s <= again.after_s + _IDLE_STEP_S:
            continue
        if again.ttl_left_s > again.before_s - again.after_s / 2:
            prolonged += 1
        elif again.idle_s is not None and again.idle_s + _IDLE_STEP_S < again.after_s:
            unchanged += 1
    if prolonged + unchanged < _LEAST_SEEN_READ:
        return None
    return prolonged > unchanged


def _size(group: Sequence[KeyReading]) -> tuple[float, float]:
    return sum(r.weight * (r.bytes or 0) for r in group), sum(r.weight for r in group)


def _namespace(group: Sequence[KeyReading]) -> NamespaceProbe:
    keys = sum(r.weight for r in group)
    sizes = [(float(r.bytes), r.weight) for r in group if r.bytes is not None]
    entry_bytes = sum(size * w for size, w in sizes) / sum(w for _, w in sizes) if sizes else None
    left = [(r.ttl_left_s, r.weight) for r in group if r.ttl_left_s is not None]
    ttl_left = quantiles(left)
    return NamespaceProbe(
        keys=round(keys),
        keys_seen=len(group),
        bytes=None if entry_bytes is None else round(entry_bytes * keys),
        entry_bytes=entry_bytes,
        largest_bytes=round(max(size for size, _ in sizes)) if sizes else None,
        without_ttl=sum(r.weight for r in group if r.ttl_left_s is None) / keys,
        ttl_left_s=ttl_left,
        ttl_set_s=ttl_left.most if ttl_left and len(left) >= _LEAST_TTLS else None,
        ttl_histogram=_histogram(left),
        idle_s=quantiles((r.idle_s, r.weight) for r in group if r.idle_s is not None),
        access_counter=quantiles((r.access_counter, r.weight) for r in group if r.access_counter is not None),
        sliding=is_prolonged_by_reads(group),
    )


def _histogram(left: Iterable[tuple[float, float]]) -> tuple[tuple[float, int], ...]:
    bins: dict[float, float] = defaultdict(float)
    for seconds, weight in left:
        bins[2.0 ** math.ceil(math.log2(max(seconds, 2**-10)))] += weight
    return tuple((upper, round(keys)) for upper, keys in sorted(bins.items()))
