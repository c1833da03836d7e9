"""Find the busiest keys in bounded memory."""

from collections.abc import Hashable


class SpaceSaving[K: Hashable]:
    """Space-Saving (Metwally, Agrawal, El Abbadi, ICDT 2005).

    Any key with more than accesses / capacity is held, and each count is too high by at most the smallest count. An
    access costs O(1), because keys lie in buckets of equal counts.
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"the capacity of a sketch must be at least 1 key, not {capacity}")
        self._capacity = capacity
        self._count: dict[K, int] = {}
        self._buckets: dict[int, dict[K, None]] = {}
        self._lowest = 0

    def add(self, key: K) -> None:
        """Count one access; without room, drop a key with the lowest count for it."""
        count = self._count.get(key)
        if count is not None:
            self._move(key, count)
            return
        if len(self._count) < self._capacity:
            self._put(key, 1)
            self._lowest = 1
            return
        lowest = self._buckets[self._lowest]
        gone = next(iter(lowest))
        del self._count[gone]
        count = self._lowest
        lowest[key] = None
        del lowest[gone]
        self._move(key, count)

    def __contains__(self, key: K) -> bool:
        return key in self._count

    def top(self, n: int) -> list[tuple[K, int]]:
        """Return the n keys with the highest counts, busiest first."""
        return sorted(self._count.items(), key=lambda item: -item[1])[:n]

    def halve(self) -> None:
        """Halve all counts, and drop the keys whose count becomes 0."""
        counts = {key: count // 2 for key, count in self._count.items() if count > 1}
        self._count, self._buckets = {}, {}
        for key, count in counts.items():
            self._put(key, count)
        self._lowest = min(counts.values(), default=0)

    def _move(self, key: K, count: int) -> None:
        bucket = self._buckets[count]
        del bucket[key]
        if not bucket:
            del self._buckets[count]
            if count == self._lowest:
                self._lowest = count + 1
        self._put(key, count + 1)

    def _put(self, key: K, count: int) -> None:
        self._count[key] = count
        bucket = self._buckets.get(count)
        if bucket is None:
            self._buckets[count] = {key: None}
        else:
            bucket[key] = None
