"""Shares of calls by the day, with how sure they are. Pure."""

import math
from dataclasses import dataclass

import numpy as np

from optimizer.core import figure
from optimizer.traffic import Floats

DAYS = 7
# Standard errors between a rate and the limit that it must exceed: chance alone does that on one day of a thousand.
_SURE = 3.0
# Fewer on a day are no pattern.
_LEAST = 3
# One day may be an incident that is over.
_LEAST_DAYS = 2
# A day of the last three must be among them.
_RECENT = 3
_RISING, _FALLING = 1.25, 0.8


@dataclass(frozen=True, slots=True)
class Days:
    """Numbers of each of the last days and their totals; the last day is the last."""

    numbers: Floats
    totals: Floats

    @classmethod
    def of(cls, numbers: Floats, totals: Floats, days: int = DAYS) -> "Days":
        """Return the last days of two series of hours. A day has the 24 hours up to the end of the series."""
        found = min(len(totals) // 24, days)
        return cls(*(each[len(each) - 24 * found :].reshape(found, 24).sum(1) for each in (numbers, totals)))

    @property
    def share(self) -> float:
        """The share on all these days; zero without calls."""
        total = float(self.totals.sum())
        return float(self.numbers.sum()) / total if total else 0.0

    def above(self, limit: float) -> int:
        """Return the number of days that are surely above a limit; zero where they are too few or long ago."""
        days = zip(self.numbers.tolist(), self.totals.tolist(), strict=True)
        found = [number >= _LEAST and surely(number, total) > limit for number, total in days]
        return sum(found) if sum(found) >= _LEAST_DAYS and any(found[-_RECENT:]) else 0

    @property
    def trend(self) -> str:
        """`rising`, `falling` or `steady`: the last days against those before; `not known` where these had no calls."""
        half = len(self.totals) // 2
        before, after = Days(self.numbers[:half], self.totals[:half]), Days(self.numbers[half:], self.totals[half:])
        if not before.totals.sum() or not after.totals.sum():
            return "not known"
        return trend_of(before.share, after.share)


def trend_of(before: float, after: float) -> str:
    """Return the trend between two values."""
    if after > _RISING * before:
        return "rising"
    return "falling" if after < _FALLING * before else "steady"


def surely(number: float, total: float) -> float:
    """Return the share that a share surely exceeds: the lower end of Wilson's interval; zero without calls."""
    if not total:
        return 0.0
    share, z2 = min(number / total, 1.0), _SURE**2
    middle = share + z2 / (2 * total)
    half = _SURE * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return max(0.0, (middle - half) / (1 + z2 / total))


def known(numbers: Floats, totals: Floats) -> tuple[Floats, Floats]:
    """Return both series with zero for hours in which one of them is not known."""
    is_known = ~np.isnan(numbers) & ~np.isnan(totals)
    return np.where(is_known, numbers, 0.0), np.where(is_known, totals, 0.0)


def percent(share: float) -> str:
    """Return `4.2%`."""
    return f"{figure(100 * share, 2)}%"
