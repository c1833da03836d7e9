"""Merge the access samples that the cache client logs, from many processes and minutes. Pure."""

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optimizer.caches.tuning.check_records import check_sample
from optimizer.caches.tuning.replay import Accesses
from optimizer.caches.tuning.sample import KeySample

_FINGERPRINTS = 2**64
# With this many reads of a followed key in a stretch of time, one hit more or less does not matter.
_WORTH_A_STRETCH = 20


@dataclass(frozen=True, slots=True)
class SampledReads:
    """The sampled reads of one namespace from `from_s` to `to_s` (Unix time).

    Keys are fingerprints of 16 hexadecimal digits. A key that was not followed all the time has the number of the
    stretch of time behind it.
    """

    accesses: Accesses
    sample: KeySample
    from_s: float
    to_s: float


def merge_samples(records: Iterable[Mapping[str, Any]]) -> dict[str, SampledReads]:
    """Return the observation of each namespace from `cache_sample` records. Raises UnusableRecord.

    Processes sample at their own rates and follow their own busiest keys, and these change. The reads kept are those
    that all processes would have kept: of keys below the lowest rate, and of a followed key while every process
    followed it. Such a key counts as one key for each stretch of time in which it was followed, and as one of the
    others in between. That costs a hit at each change, so a stretch with few reads does not count as a key of its own.
    A namespace without any read kept is left out.
    """
    by_namespace: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_namespace[check_sample(record)].append(record)
    found = {}
    for name, parts in by_namespace.items():
        rate = min(part["rate"] for part in parts)
        gaps = _gaps(parts)
        rows = [(part["from_s"] + ms / 1000, part["keys"][i]) for part in parts for ms, i in part["reads_ms"]]
        stretches = [bisect_right(gaps[key], at) if key in gaps else 1 for at, key in rows]
        # Even stretches lie between two gaps, where every process followed the key.
        busy = Counter((key, n) for (_, key), n in zip(rows, stretches, strict=True) if n % 2 == 0)
        exact: set[str] = set()
        reads: list[tuple[float, str]] = []
        apart: dict[str, list[int]] = defaultdict(list)
        for (key, n), count in sorted(busy.items()):
            if not gaps[key] or count >= _WORTH_A_STRETCH:
                apart[key].append(n)
        for (at, key), n in zip(rows, stretches, strict=True):
            before = bisect_left(apart[key], n) if key in apart else 0
            label = f"{key}-{before}" if gaps.get(key) and key in apart else key
            if key in apart and n in apart[key]:
                exact.add(label := f"{label}!" if gaps[key] else key)
            elif int(key, 16) >= rate * _FINGERPRINTS:
                continue
            reads.append((at, label))
        if reads:
            found[name] = SampledReads(
                Accesses.of(reads),
                KeySample(rate, frozenset(exact), sum(part["total_accesses"] for part in parts)),
                min(part["from_s"] for part in parts),
                max(part["to_s"] for part in parts),
            )
    return found


def _gaps(parts: Sequence[Mapping[str, Any]]) -> dict[str, list[float]]:
    """Return, for each key that some record followed, the merged start and end times of the records that did not."""
    followed = [frozenset(part["keys"][: part["exact"]]) for part in parts]
    order = sorted(range(len(parts)), key=lambda i: parts[i]["from_s"])
    gaps: dict[str, list[float]] = {}
    for key in frozenset().union(*followed):
        edges: list[float] = []
        for i in order:
            if key in followed[i]:
                continue
            start, end = parts[i]["from_s"], parts[i]["to_s"]
            if edges and start <= edges[-1]:
                edges[-1] = max(edges[-1], end)
            else:
                edges += [start, end]
        gaps[key] = edges
    return gaps
