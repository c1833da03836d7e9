"""Make families of duration curves that the planner's own model does not contain, for an independent check of it.

Each family relates duration to memory in another way: inverse proportion with a floor, a power law with any exponent,
an exponential approach to a floor, Amdahl's law over two to six threads, the universal scalability law, functions that
mostly wait, garbage collection at small sizes, the 20 ms scheduling periods of the CPU quota, work beside waiting,
transfers whose bandwidth grows with memory, files that fit the page cache or not, a heap that grows with the size,
processes that share the vCPUs of a size, clients that poll or time out, two generations of hosts, and plain noise.
Every size then gets a deviation of its own: mostly 1 to 3 %, now and then 15 % (the published drift).
"""

import math
import random
from collections.abc import Callable

LADDERS = (
    (128, 256, 512, 1024, 1769, 3008),
    (128, 256, 512, 1024, 1769, 2048),
    (128, 256, 512, 1024, 1536, 2048, 3008),
    (128, 256, 512, 768, 1024, 1536, 1769, 2048, 3008),
    (1024, 1769, 2048, 4096, 8192, 10240),
    tuple(range(128, 3009, 128)),
)

Curve = Callable[[float], float]


def inverse_with_floor(rng: random.Random) -> Curve:
    """Work that one thread does, and a wait of any share."""
    cpu = rng.random()
    return lambda mb: 1 - cpu + cpu * max(1.0, 1769 / mb)


def power_law(rng: random.Random) -> Curve:
    """Any exponent up to the knee, flat beyond it."""
    exponent, knee = rng.uniform(0.0, 1.15), rng.choice((1769, 1769, 2048, 3008))
    return lambda mb: (min(mb, knee) / 1769) ** -exponent


def exponential(rng: random.Random) -> Curve:
    """An exponential approach to a floor."""
    height, scale = rng.uniform(0.5, 20.0), rng.uniform(100.0, 700.0)
    return lambda mb: 1 + height * math.exp(-mb / scale)


def amdahl(rng: random.Random) -> Curve:
    """Parallel and serial work, both slowed by the share of CPU."""
    threads, parallel, wait = rng.randint(2, 6), rng.uniform(0.3, 0.98), rng.uniform(0.0, 0.3)

    def duration(mb: float) -> float:
        cores = min(mb / 1769, threads)
        serial = (1 - parallel) / min(cores, 1.0)
        return wait + (1 - wait) * (serial + parallel / cores)

    return duration


def universal_scalability(rng: random.Random) -> Curve:
    """Contention and coherence (Gunther): more CPU makes it slower in the end."""
    contention, coherence = rng.uniform(0.2, 1.0), rng.uniform(0.0, 0.05)

    def duration(mb: float) -> float:
        cores = mb / 1769
        return (1 + contention * max(0.0, cores - 1) + coherence * max(0.0, cores * (cores - 1))) / cores

    return duration


def mostly_waiting(rng: random.Random) -> Curve:
    """A share of CPU work between a thousandth and a fifth."""
    cpu = 10 ** rng.uniform(-3.0, -0.7)
    return lambda mb: 1 - cpu + cpu * max(1.0, 1769 / mb)


def collecting_garbage(rng: random.Random) -> Curve:
    """CPU work that grows as the free memory shrinks; the heap needs 40 to 110 MB."""
    cpu, heap = rng.uniform(0.2, 1.0), rng.uniform(40.0, 110.0)
    return lambda mb: 1 - cpu + cpu * max(1.0, 1769 / mb) * (1 + 0.2 * heap / (mb - heap))


def scheduled_in_periods(rng: random.Random) -> Curve:
    """Short work under a quota of CPU time in each 20 ms: work within the quota is not slowed at all."""
    work_ms, wait_ms = 10 ** rng.uniform(0.0, 1.5), 10 ** rng.uniform(0.0, 1.5)

    def duration(mb: float) -> float:
        quota_ms = max(4.0, 20 * min(mb / 1769, 1.0))
        return wait_ms + work_ms + (20 - quota_ms) * max(0.0, math.ceil(work_ms / quota_ms) - 1)

    return duration


def computing_beside_waiting(rng: random.Random) -> Curve:
    """Asynchronous code: work hides behind the wait until it takes longer, with a rounded or a sharp corner."""
    vcpus, sharpness = 10 ** rng.uniform(-1.2, 0.0), rng.uniform(2.0, 8.0)

    def duration(mb: float) -> float:
        return float((1 + (vcpus * max(1.0, 1769 / mb)) ** sharpness) ** (1 / sharpness))

    return duration


def transferring(rng: random.Random) -> Curve:
    """Work, and a transfer whose bandwidth grows with memory up to a plateau; then a wait of the server's own."""
    cpu, transfer, plateau = rng.uniform(0.0, 0.6), rng.uniform(0.2, 0.8), rng.choice((256, 512, 1024))
    wait = rng.uniform(0.0, 0.3)
    return lambda mb: wait + cpu * max(1.0, 1769 / mb) + transfer * max(1.0, plateau / mb)


def paging(rng: random.Random) -> Curve:
    """Files that are read again from the disk where the page cache does not hold them: a step at their size."""
    cpu, reading, files_mb = rng.random(), rng.uniform(0.3, 4.0), rng.uniform(60.0, 700.0)

    def duration(mb: float) -> float:
        missing = min(1.0, max(0.0, (files_mb + 60 - mb) / files_mb))
        return 1 - cpu + cpu * max(1.0, 1769 / mb) + reading * missing

    return duration


def growing_heap(rng: random.Random) -> Curve:
    """A heap of half of the memory: the less of it is free, the more often it is collected, by a thread beside."""
    cpu, live_mb, collecting = rng.uniform(0.3, 1.0), rng.uniform(20.0, 55.0), rng.uniform(0.1, 0.5)

    def duration(mb: float) -> float:
        work = 1 + collecting * live_mb / (mb / 2 - live_mb)
        return 1 - cpu + cpu * max(work / (mb / 1769), 1.0)

    return duration


def sharing_vcpus(rng: random.Random) -> Curve:
    """A process for each vCPU that the size shows (two up to 3,008 MB, then three to six), with start-up for each."""
    parallel, start = rng.uniform(0.5, 1.0), rng.uniform(0.0, 0.05)

    def duration(mb: float) -> float:
        vcpus, shown = mb / 1769, 2 + sum(mb > step for step in (3008, 5307, 7076, 8845))
        return (1 - parallel + start * shown) / min(vcpus, 1.0) + parallel / min(vcpus, shown)

    return duration


def polling(rng: random.Random) -> Curve:
    """A client that looks for the result of its work at fixed intervals."""
    cpu, interval = rng.uniform(0.2, 1.0), 10 ** rng.uniform(-1.0, 0.3)
    return lambda mb: interval * math.ceil((1 - cpu + cpu * max(1.0, 1769 / mb)) / interval)


def timing_out(rng: random.Random) -> Curve:
    """A request that is sent again, after a wait, where slow encryption passes its timeout."""
    cpu, least_mb, again = rng.uniform(0.0, 0.5), rng.uniform(100.0, 900.0), rng.uniform(0.5, 4.0)
    return lambda mb: 1 - cpu + cpu * max(1.0, 1769 / mb) + (again if mb < least_mb else 0.0)


def two_generations(rng: random.Random) -> Curve:
    """Work on hosts of two generations: each size runs on one of them, a quarter to a half slower or not."""
    cpu, slower = rng.uniform(0.3, 1.0), rng.uniform(1.25, 1.5)
    hosts: dict[float, float] = {}
    return lambda mb: 1 - cpu + cpu * max(1.0, 1769 / mb) * hosts.setdefault(mb, rng.choice((1.0, slower)))


def unrelated(rng: random.Random) -> Curve:
    """Durations that do not depend on memory: every size up to a third up or down."""
    levels: dict[float, float] = {}
    return lambda mb: levels.setdefault(mb, math.exp(rng.gauss(0.0, 0.15)))


FAMILIES = (
    inverse_with_floor,
    power_law,
    exponential,
    amdahl,
    universal_scalability,
    mostly_waiting,
    collecting_garbage,
    scheduled_in_periods,
    computing_beside_waiting,
    transferring,
    paging,
    growing_heap,
    sharing_vcpus,
    polling,
    timing_out,
    two_generations,
    unrelated,
)


def curves(seed: int, each: int) -> dict[tuple[str, str, str], dict[int, tuple[float, int]]]:
    """Return `(family, name, architecture)` to `{memory_mb: (mean duration in ms, invocations)}`, `each` a family."""
    rng = random.Random(seed)
    result = {}
    for family in FAMILIES:
        for number in range(each):
            sizes = LADDERS[number % len(LADDERS)]
            curve = family(rng)
            scale_ms = 1.0 if family is scheduled_in_periods else 10 ** rng.uniform(0.5, 4.0)
            noise = rng.choices((0.01, 0.03, 0.15), (0.6, 0.3, 0.1))[0]
            calls = rng.choice((0, 500))
            result[family.__name__, f"{family.__name__}-{number}", rng.choice(("x86_64", "arm64"))] = {
                mb: (scale_ms * curve(mb) * math.exp(rng.gauss(0.0, noise)), calls) for mb in sizes
            }
    return result
