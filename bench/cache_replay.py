"""Replay a trace through the cache client against a real server, and compare predicted with measured hit ratios.

    python bench/cache_replay.py TRACE.csv.gz [--speed 20] [--sample-rate 0.3] [--server valkey|redis|URL]

The first half runs with one TTL for all namespaces (60 s of trace time). From the records that the client logs, TTLs
are allocated for half the memory that half could use (`--memory-share`); the second half runs with these. Time, TTLs
included, runs `--speed` times faster. Prints for each namespace the predicted hit ratio with the standard error that
the sample of keys gives, the measured one, and the one that a replay of all reads gives on paper; the largest
difference of predicted and measured counts (limit 2 points).

Predicted and paper differ because of the reads outside the sample and because the second half differs from the first;
measured and paper because of the server, the client and the clock. A replay that falls behind in a burst makes the
reads after it come late, in its own time by up to `--speed` times as much, and then proves nothing: more than a tenth
of the shortest TTL ends with 2. Peaks of the trace times the speed have to stay below the capacity of one client, some
8,000 a second.
"""

import argparse
import csv
import gzip
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "packages" / "optimizer-cache"))

from local_account.servers import redis_debian, valkey
from optimizer.caches.tuning.allocate import Space, allocate_ttls
from optimizer.caches.tuning.curves import hit_curve, ttl_grid
from optimizer.caches.tuning.forecast import add_reserve, outlooks
from optimizer.caches.tuning.records import merge_samples
from optimizer_cache import Bounds, Cache, Namespace, connect

LIMIT_PP = 2.0
START_S = 60.0
LEAST_READS = 1000
LATE_SHARE = 0.1
STARTS = {"valkey": valkey.start, "redis": redis_debian.start}
Read = tuple[float, str, str]


def read_trace(path: Path) -> list[Read]:
    """Return (time in seconds, namespace, key), in order of time."""
    with gzip.open(path, "rt") as file:
        rows = csv.DictReader(file)
        return sorted((float(r["time_s"]), r["namespace"], r["key"]) for r in rows)


def play(
    url: str, reads: list[Read], start_s: float, ttls: dict[str, float], speed: float, prefix: str, rate: float
) -> Any:
    """Run the reads; return loads and reads by namespace, the logged samples, and the replay's largest delay."""
    bounds = {name: Bounds(ttl / speed, 1e-3, 1e6) for name, ttl in ttls.items()}
    spaces = {name: Namespace(limit, jitter=0, beta=0) for name, limit in bounds.items()}
    cache = Cache(connect(url, 2.0), spaces, prefix=prefix, sample_rate=rate)
    loads: Counter[str] = Counter()
    samples, late_s, began = [], 0.0, time.monotonic()
    for at, name, key in reads:
        ahead = (at - start_s) / speed - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        late_s = max(late_s, -ahead)
        cache.read(name, key, lambda name=name: loads.update([name]))
        samples += cache.flush(60 / speed)
    samples += cache.flush(0)
    records = [json.loads(line) for line in samples]
    return loads, [r["cache_sample"] for r in records if "cache_sample" in r], late_s


def main() -> None:
    """Replay both halves and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--speed", type=float, default=20)
    parser.add_argument("--memory-share", type=float, default=0.5)
    parser.add_argument("--sample-rate", type=float, default=0.3)
    parser.add_argument("--server", default="valkey")
    args = parser.parse_args()
    reads = read_trace(args.trace)
    middle = (reads[0][0] + reads[-1][0]) / 2
    first, second = [r for r in reads if r[0] < middle], [r for r in reads if r[0] >= middle]
    names = sorted({name for _, name, _ in first})
    run = f"bench{time.time_ns()}"
    with ExitStack() as stack:
        url = args.server
        if url in STARTS:
            url = stack.enter_context(STARTS[url]()).url
        _, samples, late_s = play(
            url, first, first[0][0], dict.fromkeys(names, START_S), args.speed, f"{run}a", args.sample_rate
        )
        print(f"first half: {len(first)} reads, {len(samples)} records, at most {late_s:.2f} s late")
        spaces = {}
        for name, seen in merge_samples(samples).items():
            span = (seen.from_s, seen.to_s)
            grid = [ttl / args.speed for ttl in ttl_grid(1, 3600)]
            curve = hit_curve(seen.accesses, grid, sample=seen.sample, span_s=span)
            spaces[name] = Space(add_reserve(curve, outlooks(seen.accesses, span, grid)), grid[0], grid[-1])
        budget = args.memory_share * sum(space.curve.live_entries[-1] for space in spaces.values())
        chosen = allocate_ttls(spaces, budget).ttl_s
        ttls = {name: chosen[name] * args.speed if name in chosen else START_S for name in names}
        loads, _, late_second_s = play(url, second, middle, ttls, args.speed, f"{run}b", args.sample_rate)
    worst = 0.0
    asked = Counter(name for _, name, _ in second)
    late_s = max(late_s, late_second_s)
    print(f"second half: {len(second)} reads, at most {late_second_s:.2f} s late")
    for name, space in spaces.items():
        if asked[name] < LEAST_READS:
            continue
        at = space.curve.ttl_s.index(chosen[name])
        predicted, error = 100 * space.curve.hit_ratio[at], 100 * space.curve.hit_ratio_error[at]
        measured = 100 * (1 - loads[name] / asked[name])
        span = (middle, second[-1][0])
        paper = hit_curve([(at, key) for at, space_, key in second if space_ == name], [ttls[name]], span_s=span)
        worst = max(worst, abs(predicted - measured))
        print(
            f"  {name:12} TTL {ttls[name]:6.0f} s  predicted {predicted:6.2f} ± {error:.2f}  measured {measured:6.2f}  "
            f"on paper {100 * paper.hit_ratio[0]:6.2f}"
        )
    print(f"largest difference {worst:.2f} points  <= {LIMIT_PP:g}  {'ok' if worst <= LIMIT_PP else 'MISSED'}")
    if late_s * args.speed > LATE_SHARE * min(ttls.values()):
        print(f"the replay fell {late_s * args.speed:.0f} s of the trace behind: use a lower --speed")
        sys.exit(2)
    sys.exit(0 if worst <= LIMIT_PP else 1)


if __name__ == "__main__":
    main()
