"""Read a sample of one server's keys with SCAN, PTTL, MEMORY USAGE, OBJECT, TYPE, INFO, DBSIZE and PING.

No value is read, nothing is written, and neither the eviction order nor an idle time changes. PTTL counts as a hit in
the server's own statistics, each time a key is read.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import batched
from typing import Any, cast

import redis

from optimizer.caches.probe.errors import LoginRefused
from optimizer.caches.probe.key_names import assign_namespaces
from optimizer.caches.probe.pace import WINDOW, Guard, Pace, reached_limit
from optimizer.caches.probe.result import NodeProbe, ServerFacts, Stopped
from optimizer.caches.probe.server import Node, ask
from optimizer.caches.probe.server_info import parse_info
from optimizer.caches.probe.summary import KeyReading, SecondLook
from optimizer.core import OptimizerError

_FIRST_PINGS = 4


@dataclass(frozen=True, slots=True)
class ProbeLimits:
    """Limits of one probe.

    `duty` is the share of the time in which a server works on, or answers, a request of the probe. `batch` is the
    number of keys in one request, which another client may have to wait for. `samples` is the number of elements of a
    large key that are measured. After `second_look_s`, `second_look_keys` keys are read again. The probe stops when a
    PING takes `most_slower` times as long as before. `gap_s` separates the first PINGs, because a PING that closely
    follows the last request is answered sooner than one that wakes both sides up.
    """

    keys: int = 10_000
    seconds: float = 120.0
    duty: float = 0.004
    batch: int = 20
    samples: int = 5
    second_look_s: float = 3.0
    second_look_keys: int = 300
    most_slower: float = 2.0
    gap_s: float = 0.02


# What a server refuses for one key: it has moved to another server, or belongs to others.
_OF_ONE_KEY = (
    redis.exceptions.AskError,
    redis.exceptions.MovedError,
    redis.exceptions.TryAgainError,
    redis.exceptions.NoPermissionError,
)


class _Slower(OptimizerError):
    """The server takes longer to answer than before the probe."""


@dataclass(frozen=True, slots=True)
class _KeyFacts:
    """The server's answers about a key; `ttl_left_ms` is that of PTTL: -1 without a TTL, -2 for a key that is gone."""

    at: float
    ttl_left_ms: int
    bytes: int | None
    use: int | None
    type: str

    @property
    def ttl_left_s(self) -> float | None:
        return None if self.ttl_left_ms < 0 else self.ttl_left_ms / 1000


class Reader:
    """Reads one server once."""

    def __init__(
        self,
        node: Node,
        limits: ProbeLimits,
        big_bytes: int,
        seen: Callable[[int], None],
        prefixes: Mapping[str, str] | None = None,
    ) -> None:
        self._node, self._limits, self._big_bytes, self._seen = node, limits, big_bytes, seen
        self._prefixes = prefixes
        self._pace = Pace(limits.duty)
        self._guard: Guard | None = None
        self._refused: list[str] = []
        self._left_out = 0
        self._round_trip_s = 0.0
        self._began = time.perf_counter()

    def run(self) -> tuple[list[KeyReading], NodeProbe]:
        """Return the keys read, each with the number of keys it stands for, and the figures of the server.

        Raises CacheFailed.
        """
        self._measure_round_trip()
        server = self._facts()
        self._lfu = "lfu" in server.policy
        self._guard = Guard([self._ping(self._limits.gap_s) for _ in range(WINDOW)], self._limits.most_slower)
        found: dict[bytes, _KeyFacts] = {}
        again: dict[bytes, SecondLook] = {}
        try:
            stopped = self._scan(found)
            if not found and self._left_out:
                raise LoginRefused(f"{self._node.address} does not permit the user to read any key of the sample")
            if time.perf_counter() - self._began + self._limits.second_look_s < self._limits.seconds:
                again = self._look_again(found)
        except _Slower:
            stopped = Stopped.SLOWER
        weight = 1.0 if stopped == Stopped.COMPLETE else max(1.0, server.keys / max(1, len(found) + self._left_out))
        readings = [
            KeyReading(
                name=name.decode(errors="backslashreplace"),
                weight=weight,
                ttl_left_s=key.ttl_left_s,
                bytes=key.bytes,
                idle_s=None if self._lfu else key.use,
                access_counter=key.use if self._lfu else None,
                type=key.type,
                second_look=again.get(name),
            )
            for name, key in found.items()
        ]
        return readings, NodeProbe(
            address=self._node.address,
            facts=server,
            keys_seen=len(found),
            stopped=stopped,
            ping_ms=self._guard.before_ms,
            ping_after_ms=self._guard.now_ms,
            busy_ms=1000 * self._pace.busy_s,
            took_s=time.perf_counter() - self._began,
            refused=tuple(self._refused),
            keys_left_out=self._left_out,
        )

    def _facts(self) -> ServerFacts:
        client = self._node.client
        info = cast(Mapping[str, Any], self._ask(client.info))
        server = parse_info(info, int(client.connection_pool.connection_kwargs.get("db") or 0))
        # Where INFO names no database, DBSIZE still counts.
        return replace(server, keys=int(self._ask(client.dbsize)))

    def _scan(self, found: dict[bytes, _KeyFacts]) -> Stopped:
        cursor = 0
        while True:
            cursor, names = self._ask(partial(self._node.client.scan, cursor, count=self._limits.batch))
            # A SCAN may name a key twice, and return many more names than asked for.
            new = [name for name in dict.fromkeys(names) if name not in found]
            for batch in batched(new, self._limits.batch, strict=False):
                found |= {name: key for name, key in self._read(batch).items() if key.ttl_left_ms != -2}
                self._watch()
            self._watch()
            self._seen(len(found))
            if cursor == 0:
                return Stopped.COMPLETE
            reached = reached_limit(
                len(found), self._limits.keys, time.perf_counter() - self._began, self._limits.seconds
            )
            if reached is not None:
                return reached

    def _read(self, names: Sequence[bytes]) -> dict[bytes, _KeyFacts]:
        use = "FREQ" if self._lfu else "IDLETIME"
        sized, used = "MEMORY USAGE" not in self._refused, f"OBJECT {use}" not in self._refused
        pipeline = self._node.client.pipeline(transaction=False)
        for name in names:
            pipeline.pttl(name)
            if sized:
                pipeline.memory_usage(name, samples=self._limits.samples)
            if used:
                pipeline.object(use, name)
        answers = self._ask(lambda: pipeline.execute(raise_on_error=False))
        now = time.perf_counter()
        found = {}
        for name, row in zip(names, batched(answers, 1 + sized + used, strict=True), strict=True):
            if isinstance(row[0], _OF_ONE_KEY):
                self._left_out += 1
                continue
            if isinstance(row[0], redis.RedisError):
                self._ask(partial(_raise, row[0]))
            rest = iter(row[1:])
            size = self._number(next(rest), "MEMORY USAGE") if sized else None
            last = self._number(next(rest), f"OBJECT {use}") if used else None
            large = size is not None and size >= self._big_bytes
            kind = self._ask(partial(self._node.client.type, name)).decode() if large else ""
            found[name] = _KeyFacts(now, int(row[0]), size, last, kind)
        return found

    def _number(self, answer: Any, command: str) -> int | None:
        if isinstance(answer, redis.ResponseError):
            # A key that is gone has no object; with any other error the command fails for the next key, too.
            if "no such key" not in str(answer) and command not in self._refused:
                self._refused.append(command)
            return None
        return None if answer is None else int(answer)

    def _look_again(self, found: Mapping[bytes, _KeyFacts]) -> dict[bytes, SecondLook]:
        """Read the busiest keys of each namespace twice more, to show whether reads prolong them."""
        wait_s = self._limits.second_look_s
        lasting = {name: key for name, key in found.items() if key.ttl_left_ms > 4000 * wait_s and key.use is not None}
        spaces: dict[str, list[bytes]] = defaultdict(list)
        named = assign_namespaces((name.decode(errors="backslashreplace") for name in found), self._prefixes)
        for name in lasting:
            spaces[named[name.decode(errors="backslashreplace")]].append(name)
        chosen: list[bytes] = []
        quota = self._limits.second_look_keys // max(1, len(spaces))
        for names in spaces.values():
            busiest_first = sorted(names, key=lambda name: (lasting[name].use or 0) * (-1 if self._lfu else 1))
            chosen += busiest_first[:quota]
        if not chosen:
            return {}
        before = self._read_all(chosen)
        time.sleep(max(0.0, wait_s - (time.perf_counter() - before[chosen[0]].at)))
        after = self._read_all(chosen)
        return {
            name: SecondLook(
                before_s=before[name].ttl_left_s,
                after_s=after[name].at - before[name].at,
                ttl_left_s=after[name].ttl_left_s,
                idle_s=None if self._lfu else after[name].use,
            )
            for name in chosen
            if name in before and name in after
        }

    def _read_all(self, names: Sequence[bytes]) -> dict[bytes, _KeyFacts]:
        found: dict[bytes, _KeyFacts] = {}
        for batch in batched(names, self._limits.batch, strict=False):
            found |= self._read(batch)
            self._watch()
        return found

    def _ping(self, gap_s: float = 0.0) -> float:
        time.sleep(gap_s)
        asked = time.perf_counter()
        ask(self._node, self._node.client.ping)
        took_s = time.perf_counter() - asked
        self._rest(took_s)
        return 1000 * took_s

    def _watch(self) -> None:
        if self._guard is not None and self._guard.is_slower(self._ping()):
            raise _Slower

    def _ask(self, command: Callable[[], Any]) -> Any:
        asked = time.perf_counter()
        try:
            return ask(self._node, command)
        finally:
            self._rest(time.perf_counter() - asked)

    def _rest(self, took_s: float) -> None:
        """Pause after a request as long as the pace asks, but not past the end of the probe's time."""
        pause_s = self._pace.pause_s(max(0.0, took_s - self._round_trip_s))
        left_s = self._began + self._limits.seconds - time.perf_counter()
        time.sleep(max(0.0, min(pause_s, left_s)))

    def _measure_round_trip(self) -> None:
        """Take the fastest of a few PINGs; the first one also connects."""
        took = []
        for _ in range(_FIRST_PINGS):
            asked = time.perf_counter()
            ask(self._node, self._node.client.ping)
            took.append(time.perf_counter() - asked)
        self._round_trip_s = min(took)


def _raise(error: Exception) -> Any:
    raise error
