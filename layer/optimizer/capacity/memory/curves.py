"""The family of curves of duration against memory that a function may have before anything is known of it.

    duration(m) = waiting + cpu work / speed(m) * pressure(m)

Lambda gives a function m / 1769 vCPU (AWS, "Configure Lambda function memory"): a single thread is slowed below
1769 MB and no faster above it; more threads go on gaining up to their number. Waiting (network, disk, timers) does not
depend on the size. Below 256 MB garbage collection and a cold page cache can cost more than the smaller share of CPU
explains.

No constant here is fitted to measured curves: the grids cover what is physically possible, and the noise follows from
the drift of the same function between months (2 % median, 15 % at the 90th percentile).
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_VCPU_MB = 1769
PRESSURE_BELOW_MB = 256

# Share of the duration at one vCPU that is CPU work: quantiles of the Jeffreys prior of a proportion, Beta(1/2, 1/2).
# Functions mostly compute or mostly wait, and even little CPU work shows at 128 MB.
CPU_SHARES = np.sin(np.pi / 2 * (np.arange(20) + 0.5) / 20) ** 2
# vCPUs that the code can use, and how likely. Most functions are Python or Node.js, whose own code runs in one thread,
# with a garbage collector, compiler or network thread beside it; six vCPUs are the most that Lambda has.
THREADS = ((1.0, 0.6), (1.15, 0.12), (1.3, 0.12), (1.6, 0.08), (2.5, 0.05), (6.0, 0.03))
# Extra CPU work at 128 MB.
PRESSURE = ((0.0, 0.7), (0.3, 0.2), (1.0, 0.1))
# Standard deviation of the log of a size's mean duration about the function's curve, and how likely: half of the
# functions differ by less than 2 % between two measurements and a tenth by more than 15 %, which one normal
# distribution cannot do. Slow hosts and cold starts in the mean are among what differs.
NOISE = ((0.012, 0.62), (0.05, 0.22), (0.2, 0.16))


@dataclass(frozen=True, slots=True)
class CurveFamily:
    """Equally shaped arrays, (curves, sizes), and the log prior weight of each curve.

    log_durations: relative to one vCPU. computing: the share of the duration that is CPU work, 0 to 1.
    """

    log_durations: Array
    computing: Array
    log_weights: Array


def curve_family(sizes_mb: Sequence[int]) -> CurveFamily:
    """Return the curves at these sizes."""
    sizes = np.asarray(sizes_mb, dtype=float)
    share = sizes / FULL_VCPU_MB
    short = np.clip(PRESSURE_BELOW_MB / sizes - 1.0, 0.0, 1.0)
    working, durations, weights = [], [], []
    for cpu, (threads, likely), (pressure, as_likely) in itertools.product(CPU_SHARES, THREADS, PRESSURE):
        work = cpu / np.minimum(share, threads) * (1.0 + pressure * short)
        working.append(work)
        durations.append(1.0 - cpu + work)
        weights.append(likely * as_likely / len(CPU_SHARES))
    total = np.array(durations)
    return CurveFamily(np.log(total), np.array(working) / total, np.log(weights))
