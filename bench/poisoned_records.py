"""Plan TTLs with one poisoned record among good ones, many times: the decisions must be those without it.

    python bench/poisoned_records.py [--records 100000]

The records are good ones with one to three fields replaced by numbers, lists and texts of all kinds, the same ones each
time. One that is left out cannot change a decision, so only the others are planned with. Prints how many were left out,
the decisions that differed (the limit is 0), the slowest check, and the largest memory.
"""

import argparse
import json
import random
import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from datetime import timedelta

from optimizer.caches.tuning.read_log import _is_usable_metrics, _is_usable_sample, _parsed

from tests.unit.caches.test_poisoned_records import END, NOW, decided, record

START = NOW - timedelta(hours=24)


def anything(chance: random.Random, depth: int = 0) -> Any:
    """Return a value of any kind."""
    kind = chance.randrange(10 if depth < 3 else 8)
    match kind:
        case 0:
            return chance.choice([0, 1, -1, 2**31, 2**52, 2**53, 2**70, 10**400, END, END - 86_400, END + 60])
        case 1:
            return chance.uniform(-1, 1) * 10 ** chance.randrange(-12, 300)
        case 2:
            return chance.choice([float("nan"), float("inf"), float("-inf"), 1e-12, 0.5])
        case 3:
            return chance.randrange(200)
        case 4:
            return chance.choice([None, True, False])
        case 5 | 6:
            return chance.choice(["", "1", "9" * chance.randrange(1, 400), "price", "f" * 16, "\x1b[2J"])
        case 7:
            return END - chance.uniform(0, 90_000)
        case 8:
            return [anything(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {chance.choice("abc"): anything(chance, depth + 1) for _ in range(chance.randrange(3))}


def mutated(chance: random.Random) -> str:
    """Return a line with a good record of which some fields were replaced."""
    kind = chance.choice(["cache_sample", "metrics"])
    whole = record(kind)
    part = whole["cache_sample"] if kind == "cache_sample" else whole
    for field in chance.sample(sorted(part), chance.randrange(1, 4)):
        part[field] = anything(chance)
    return json.dumps(whole)


def is_left_out(line: str) -> bool:
    """Return True if the record is left out by its own fields."""
    found = _parsed(line)
    if "cache_sample" in found:
        return not _is_usable_sample(found["cache_sample"], START, NOW)
    return not _is_usable_metrics(found, START, NOW)


def main() -> None:
    """Print what the records did."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=100_000)
    count = parser.parse_args().records
    chance, expected = random.Random(21), decided()[0]
    left_out, planned, differed, slowest_ms = 0, 0, 0, 0.0
    for _ in range(count):
        line = mutated(chance)
        started = time.process_time()
        out = is_left_out(line)
        slowest_ms = max(slowest_ms, (time.process_time() - started) * 1000)
        if out:
            left_out += 1
            continue
        planned += 1
        if decided(line)[0] != expected:
            differed += 1
            print("differs:", line)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{count} records: {left_out} left out by their fields, {planned} planned with, {differed} decisions differ")
    print(f"slowest check {slowest_ms:.2f} ms, largest memory {memory_mb:.0f} MiB")
    sys.exit(1 if differed else 0)


if __name__ == "__main__":
    main()
