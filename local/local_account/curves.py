"""Provide duration against memory: measured curves from a folder, or a formula."""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

# One vCPU: single-threaded code gets no faster above this size (AWS Lambda's developer guide).
FULL_VCPU_MB = 1769
_FEWEST_SIZES = 4


class NoCurves(FileNotFoundError):
    """The folder holds no curves.csv, or no function measured at enough sizes."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Mean duration at each measured size, sizes rising; between them it is straight in logarithms, outside flat."""

    name: str
    arch: str
    sizes_mb: tuple[float, ...]
    durations_ms: tuple[float, ...]

    def ratio(self, memory_mb: float, reference_mb: float) -> float:
        """Return the duration at `memory_mb` as a multiple of the duration at `reference_mb`."""
        logs = np.interp(np.log([memory_mb, reference_mb]), np.log(self.sizes_mb), np.log(self.durations_ms))
        return float(np.exp(logs[0] - logs[1]))


def formula(name: str, cpu_share: float) -> Curve:
    """Return the curve of work that computes for `cpu_share` of its time and waits for the rest.

    `cpu_share` is 0..1, at 1,769 MB and in one thread.
    """
    sizes = tuple(float(size) for size in (128, 192, 256, 384, 512, 768, 1024, 1536, FULL_VCPU_MB, 3008, 10240))
    durations = tuple(100.0 * (1 - cpu_share + cpu_share * FULL_VCPU_MB / min(size, FULL_VCPU_MB)) for size in sizes)
    return Curve(name, "x86_64", sizes, durations)


def read_curves(folder: Path) -> list[Curve]:
    """Return every function of curves.csv that was measured at four sizes or more; raise NoCurves if there is none."""
    path = folder / "curves.csv"
    points: defaultdict[tuple[str, str, str], dict[float, float]] = defaultdict(dict)
    try:
        with path.open(newline="") as text:
            for row in csv.DictReader(text):
                key = (row["dataset"], row["function"], row["arch"])
                points[key][float(row["memory_mb"])] = float(row["duration_ms"])
    except FileNotFoundError as missing:
        raise NoCurves(f"{path} does not exist") from missing
    curves = []
    for (dataset, function, arch), sizes in sorted(points.items()):
        measured = sorted((size, duration) for size, duration in sizes.items() if duration > 0)
        if len(measured) >= _FEWEST_SIZES:
            memory, durations = zip(*measured, strict=True)
            curves.append(Curve(f"{dataset}/{function}", _architecture(arch), memory, durations))
    if not curves:
        raise NoCurves(f"{path} has no function measured at {_FEWEST_SIZES} sizes or more")
    return curves


def _architecture(arch: str) -> str:
    return "arm64" if arch == "arm64" else "x86_64"
