"""Replay a fixed TTL, as SET with EX works: an entry lives from its store on, and a read does not prolong it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.core import OptimizerError

_US = 1_000_000


class NoAccesses(OptimizerError, ValueError):
    """Nothing is there to replay: no access at all, or none after the warm-up."""


@dataclass(frozen=True, slots=True)
class Accesses:
    """Reads of one namespace, ordered by key and, within a key, by time.

    `time_us` counts microseconds since `start_s`; `key` is an index into `keys`. Times are whole microseconds, so that
    an access exactly one TTL after the store is a miss, whatever the rounding of floating point.
    """

    start_s: float
    time_us: NDArray[np.int64]
    key: NDArray[np.int64]
    keys: tuple[str, ...]

    @classmethod
    def of(cls, pairs: Iterable[tuple[float, str]]) -> "Accesses":
        """Build accesses from pairs of time (seconds) and key, in any order. Raises NoAccesses for none."""
        index: dict[str, int] = {}
        times, codes = [], []
        for time_s, key in pairs:
            times.append(time_s)
            codes.append(index.setdefault(key, len(index)))
        if not times:
            raise NoAccesses("no access in the sample")
        time = np.asarray(times, dtype=np.float64)
        start_s = float(time.min())
        time_us = np.rint((time - start_s) * _US).astype(np.int64)
        code = np.asarray(codes, dtype=np.int64)
        order = np.lexsort((time_us, code))
        return cls(start_s, time_us[order], code[order], tuple(index))

    @property
    def end_s(self) -> float:
        """Return the time of the last access."""
        return self.start_s + float(self.time_us.max()) / _US

    def counts(self) -> NDArray[np.float64]:
        """Return the number of accesses of each key."""
        return np.bincount(self.key, minlength=len(self.keys)).astype(np.float64)

    def by_window(self, span_s: tuple[float, float], windows: int) -> "Accesses":
        """Return the accesses with each key split by equally long windows of a span: key * windows + window."""
        from_s, to_s = span_s
        since_us = self.time_us + (self.start_s - from_s) * _US
        window = np.clip((since_us * windows / max((to_s - from_s) * _US, 1.0)).astype(np.int64), 0, windows - 1)
        keys = tuple(key for key in self.keys for _ in range(windows))
        return Accesses(self.start_s, self.time_us, self.key * windows + window, keys)


@dataclass(frozen=True, slots=True)
class KeyTotals:
    """Hits, counted accesses and seconds in memory of each key, under one TTL."""

    hits: NDArray[np.float64]
    accesses: NDArray[np.float64]
    entry_s: NDArray[np.float64]


class TtlReplay:
    """Replays the same accesses for one TTL after another, each from an empty cache.

    Only the time after `warm_up_s` is counted. A warm-up of the largest TTL gives the steady state; none gives the cold
    start that a backtest on a cut trace sees.
    """

    def __init__(self, accesses: Accesses, *, end_s: float | None = None, warm_up_s: float = 0.0) -> None:
        last_us = int(accesses.time_us.max())
        self.end_us = last_us if end_s is None else max(last_us, round((end_s - accesses.start_s) * _US))
        self.from_us = round(warm_up_s * _US)
        if self.from_us > last_us:
            raise NoAccesses(f"every access lies within the warm-up of {warm_up_s} s")
        self.accesses = accesses
        count = len(accesses.keys)
        self._counted = np.bincount(accesses.key[accesses.time_us >= self.from_us], minlength=count).astype(np.float64)
        # A key read once misses once at any TTL, so only the others have to be followed.
        again = np.bincount(accesses.key, minlength=count)[accesses.key] > 1
        self._time, self._key = accesses.time_us[again], accesses.key[again]
        self._once = np.flatnonzero(~again)
        self._line, self._next_key = _line(self._time, self._key)

    def run(self, ttl_s: float) -> KeyTotals:
        """Return the totals of each key with entries that live `ttl_s` (infinity allowed) from their store on."""
        # Time goes by the microsecond: an entry that lived for less would be stored at its own place for ever.
        ttl_us = max(1, min(round(min(ttl_s, 1e12) * _US), self.end_us + 1))
        stored = self._stores(ttl_us)
        keys = np.concatenate((self._key[stored], self.accesses.key[self._once]))
        times = np.concatenate((self._time[stored], self.accesses.time_us[self._once]))
        count = len(self.accesses.keys)
        misses = np.bincount(keys[times >= self.from_us], minlength=count)
        alive_us = np.minimum(times + ttl_us, self.end_us) - np.maximum(times, self.from_us)
        entry_s = np.bincount(keys, weights=np.maximum(alive_us, 0) / _US, minlength=count)
        return KeyTotals(self._counted - misses, self._counted, entry_s)

    def _stores(self, ttl_us: int) -> NDArray[np.int64]:
        """Return the positions of the accesses that miss and are stored.

        The next one is the first access a TTL later, or else the next key's first access.
        """
        total = len(self._time)
        ends = np.minimum(self._line + ttl_us, self._next_key)
        following = np.searchsorted(self._line, ends, side="left").tolist()
        stored: list[int] = []
        store, at = stored.append, 0
        while at < total:
            store(at)
            at = following[at]
        return np.asarray(stored, dtype=np.int64)


def _line(time: NDArray[np.int64], key: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Lay the lives of all keys, from first to last access, one after another on one line of time.

    Return the place of each access on that line, and the place of the next key's first access.
    """
    if not len(time):
        return time, time
    last = np.append(key[1:] != key[:-1], True)
    first = np.append(True, last[:-1])
    lives = time[last] - time[first] + 1
    if float(lives.astype(np.float64).sum()) >= 2.0**62:
        raise ValueError("too many keys over too long a time to replay at once; take a smaller sample")
    after = np.cumsum(lives)
    which = np.cumsum(first) - 1
    return time - time[first][which] + (after - lives)[which], after[which]
