"""Measure the cost of a probe to the users of a cache: p99 latency and CPU of a busy server with a million keys.

    python bench/cache.py [--server valkey|redis] [--keys 1000000] [--rounds 12] [--seconds 5]

Another process reads and writes at a steady pace all the time. Rounds with and without the probe alternate in a random
order, so that other work on the machine affects both alike. The probe is the shipped one with its shipped pace, but it
does not give up when the server gets slower, because then it would cost nothing. A Lambda probes from another machine:
here the probe has a core of its own, and the server and its load another, so that the figures show the server's work
for the probe and not the share that the probe's own process takes from a shared core.
It prints for both: p99 of the other process's latency (median over the rounds) and the server's CPU, and the difference
with its standard error over pairs of rounds. Limits: p99 at most 5 % more, CPU at most 1 % of a core more. It ends with
2 if the noise of the machine is larger than a limit, because that proves nothing.
"""

import argparse
import contextlib
import json
import math
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, cast

import redis
from local_account.servers import redis_debian, valkey
from local_account.servers.redis_protocol import CacheServer
from optimizer.caches.probe import ProbeProgress, probe_cache
from optimizer.caches.probe.reader import ProbeLimits
from optimizer.caches.probe.server import Endpoint

P99_LIMIT, CPU_LIMIT = 0.05, 0.01
STARTS = {"valkey": valkey.start, "redis": redis_debian.start}
READS_PER_S = 1000
# The shipped pace, without what would end the probe within a round.
LIMITS = replace(ProbeLimits(), keys=10_000_000, seconds=600, most_slower=math.inf)


class RoundOver(Exception):
    """The round has ended, and with it the probe."""


@dataclass(frozen=True, slots=True)
class Round:
    """One stretch of time: p99 and median of the load's latency, requests, the server's CPU as a share of a core."""

    p99_ms: float
    p50_ms: float
    requests: int
    cpu: float
    keys_probed: int


def load(url: str, keys: int) -> None:
    """Run the other process: for each line in, read for so many seconds at a steady pace and print latencies in ms."""
    client = redis.Redis.from_url(url, socket_timeout=10)
    generator = random.Random(time.time_ns())
    for line in sys.stdin:
        until, taken = time.perf_counter() + float(line), []
        due = time.perf_counter()
        while (now := time.perf_counter()) < until:
            if due > now:
                time.sleep(due - now)
            # An open pace: the next request is due whether or not the last one was slow.
            due += generator.expovariate(READS_PER_S)
            name = f"price:{generator.randrange(keys)}"
            asked = time.perf_counter()
            if generator.random() < 0.1:
                client.set(name, "x" * 100, ex=3600)
            else:
                client.get(name)
            taken.append(1000 * (time.perf_counter() - asked))
        print(json.dumps(taken), flush=True)


def fill(server: CacheServer, keys: int) -> None:
    """Write keys of a hundred bytes with TTLs."""
    with contextlib.closing(server.client()) as client:
        for start in range(0, keys, 10_000):
            with client.pipeline(transaction=False) as pipeline:
                for i in range(start, min(keys, start + 10_000)):
                    pipeline.set(f"price:{i}", "x" * 100, ex=3600 + i % 3600)
                pipeline.execute()


def apart(*loaded: int) -> None:
    """Give these processes one core and this one the others."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        raise SystemExit("a probe from elsewhere cannot be measured on a machine with one core")
    for process_id in loaded:
        for thread in Path(f"/proc/{process_id}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {first})
    os.sched_setaffinity(0, set(others))


def cpu_s(client: "redis.Redis") -> float:
    """Return the user and system time of the server's process."""
    told: Any = client.info("cpu")
    return float(told["used_cpu_user"]) + float(told["used_cpu_sys"])


def play(other: "subprocess.Popen[str]", server: CacheServer, seconds: float, *, probing: bool) -> Round:
    """Run one round."""
    seen, reading, over = [0], threading.Event(), threading.Event()

    def watch(at: ProbeProgress) -> None:
        seen[0] = at.keys_seen
        reading.set()
        if over.is_set():
            raise RoundOver

    def look() -> None:
        with contextlib.suppress(RoundOver):
            probe_cache(Endpoint(server.url, timeout_s=10), LIMITS, progress=watch)

    with contextlib.closing(server.client()) as client:
        prober = threading.Thread(target=look)
        if probing:
            prober.start()
            # The probe's measurements before its first read are not part of the round.
            reading.wait(60)
        first = seen[0]
        before, began = cpu_s(client), time.perf_counter()
        print(seconds, file=other.stdin, flush=True)
        taken = sorted(json.loads(cast(IO[str], other.stdout).readline()))
        share = (cpu_s(client) - before) / (time.perf_counter() - began)
        keys = seen[0] - first
    over.set()
    if probing:
        prober.join()
    return Round(taken[math.ceil(0.99 * len(taken)) - 1], statistics.median(taken), len(taken), share, keys)


def main() -> None:
    """Alternate rounds, compare them and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=STARTS, default="valkey")
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--load", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.load:
        load(args.load, args.keys)
        return
    pairs: list[tuple[Round, Round]] = []
    with STARTS[args.server]() as server:
        fill(server, args.keys)
        command = [sys.executable, __file__, "--load", server.url, "--keys", str(args.keys)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            apart(server.pid, other.pid)
            play(other, server, 1, probing=False)
            for _ in range(args.rounds):
                order = random.sample((False, True), 2)
                pair = {probing: play(other, server, args.seconds, probing=probing) for probing in order}
                pairs.append((pair[False], pair[True]))
            cast(IO[str], other.stdin).close()
    without, with_probe = ([pair[i] for pair in pairs] for i in (0, 1))
    requests = sum(r.requests for r in without) / args.rounds / args.seconds
    print(f"{args.server}, {args.keys:,} keys, {requests:,.0f} requests a second of another process")
    for name, rounds in (("without", without), ("with", with_probe)):
        middle = [statistics.median(getattr(r, field) for r in rounds) for field in ("p50_ms", "p99_ms", "cpu")]
        keys = f", {statistics.median(r.keys_probed for r in rounds):,.0f} keys read" if rounds is with_probe else ""
        print(f"  {name:8} p50 {middle[0]:6.3f} ms  p99 {middle[1]:6.3f} ms  CPU {middle[2]:6.2%} of a core{keys}")
    slower = [math.log(b.p99_ms / a.p99_ms) for a, b in pairs]
    busier = [b.cpu - a.cpu for a, b in pairs]
    failed = noisy = False
    for name, differences, limit in (("p99", slower, P99_LIMIT), ("CPU", busier, CPU_LIMIT)):
        middle_difference = statistics.median(differences)
        # The standard error of a median is 1.25 times that of a mean.
        error = 1.25 * statistics.stdev(differences) / math.sqrt(len(differences))
        good = middle_difference <= limit
        failed |= not good and middle_difference - 2 * error > limit
        noisy |= error > limit
        print(f"  {name}: {middle_difference:+.2%} ± {error:.2%}  <= {limit:.0%}  {'ok' if good else 'MISSED'}")
    if noisy and not failed:
        print("  the machine is too noisy for this limit: run it again when it is quiet, or with more --rounds")
    sys.exit(1 if failed else 2 if noisy else 0)


if __name__ == "__main__":
    main()
