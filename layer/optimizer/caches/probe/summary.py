"""What a sample of keys says of each namespace. Pure."""

import itertools
import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from optimizer.caches.probe.key_names import OTHER, is_version_key, namespaces
from optimizer.caches.probe.result import BigKey, NamespaceProbe, Quantiles

# With fewer keys the largest remaining time is too far from the TTL to be called one.
_LEAST_TTLS = 20
# Reads between two looks, so many that it cannot be chance whether they prolonged the entry.
_LEAST_SEEN_READ = 5
# OBJECT IDLETIME counts whole seconds.
_IDLE_STEP_S = 1.0


@dataclass(frozen=True, slots=True)
class SecondLook:
    """Two more looks at a key, `after_s` apart: time to live left (None: no TTL) before and after, and idle time after
    (None: not told)."""

    before_s: float | None
    after_s: float
    ttl_left_s: float | None
    idle_s: float | None


@dataclass(frozen=True, slots=True)
class KeyReading:
    """One key: how many keys of its server it stands for, and what the server said of it (None: nothing, and for
    ttl_left_s: no TTL)."""

    name: str
    weight: float
    ttl_left_s: float | None
    bytes: int | None
    idle_s: float | None = None
    access_counter: int | None = None
    type: str = ""
    again: SecondLook | None = None


def summarise(
    readings: Sequence[KeyReading], prefixes: Mapping[str, str] | None = None, most: int = 50
) -> dict[str, NamespaceProbe]:
    """By namespace, most bytes (then keys) first; beyond `most` of them, the smallest are `_other` together."""
    named = namespaces((reading.name for reading in readings), prefixes)
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
    """The largest single keys, largest first; names cut to 120 characters."""
    large = [r for r in readings if r.bytes is not None and r.bytes >= least_bytes]
    large.sort(key=lambda r: -(r.bytes or 0))
    return tuple(BigKey(r.name[:120], r.type, r.bytes or 0) for r in large[:most])


def quantiles(values: Iterable[tuple[float, float]]) -> Quantiles | None:
    """Of (value, weight); the smallest value below which lies at least that share of the weight. None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    total = sum(weight for _, weight in ordered)
    passed = list(itertools.accumulate(weight for _, weight in ordered))

    def at(share: float) -> float:
        return ordered[min(bisect_left(passed, share * total * (1 - 1e-12)), len(ordered) - 1)][0]

    return Quantiles(at(0.1), at(0.5), at(0.9), ordered[-1][0])


def prolonged_by_reads(readings: Iterable[KeyReading]) -> bool | None:
    """Whether reads prolong the entries, from keys that were looked at twice; None where too few were read in between.

    A key that could not expire between the looks was read (or written) if its idle time started anew. If it then has
    more time left than before, that prolonged it. An application that overwrites what it reads looks the same, and
    there, too, the TTL bounds no age. Without idle times only the prolonged ones can be told: then never False.
    """
    prolonged = unchanged = 0
    for reading in readings:
        again = reading.again
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
        sliding=prolonged_by_reads(group),
    )


def _histogram(left: Iterable[tuple[float, float]]) -> tuple[tuple[float, int], ...]:
    bins: dict[float, float] = defaultdict(float)
    for seconds, weight in left:
        bins[2.0 ** math.ceil(math.log2(max(seconds, 2**-10)))] += weight
    return tuple((upper, round(keys)) for upper, keys in sorted(bins.items()))
