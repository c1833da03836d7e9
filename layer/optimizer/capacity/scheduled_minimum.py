"""Provisioned concurrency by the time of day: environments to hold in each hour ahead, and when to change them. Pure.

For functions that are busy enough in some hours only. Whoever carries it out uses scheduled actions of Application Auto
Scaling where the team has a scaling target (they move its minimum), and schedules of their own where not.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic.history import Floats

# Environments are ready one to two minutes after they were asked for, and none of them before all are.
READY_MINUTES = 2
_HOUR = 60


@dataclass(frozen=True, slots=True)
class Step:
    """From `at` on (aware, in the function's own time zone) so many environments are held."""

    at: datetime
    environments: int


@dataclass(frozen=True, slots=True)
class ScheduledMinimum:
    """environments: held in each hour ahead. utilisation: the share of that time that they are expected to be busy, 0
    if none is held. steps: the changes, the first hour included; more is asked for READY_MINUTES before its hour,
    except before the first."""

    environments: tuple[int, ...]
    utilisation: float
    steps: tuple[Step, ...]

    @property
    def environment_hours(self) -> int:
        """What is paid for."""
        return sum(self.environments)


def usual_hours(busy: Floats, calls_ahead: Floats, calls_then: Floats) -> Floats:
    """Busy environments to expect, [hours, samples], from those of the same hours on other days.

    busy: [days, hours, 60] in the minutes of those hours, NaN not known. calls_then: calls of each of them, [days,
    hours]. calls_ahead: the forecast for each hour ahead; NaN where there is none, and the past stands as it was.
    Each past hour is taken with its own ups and downs, at the level of the forecast.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = np.where((calls_then > 0) & ~np.isnan(calls_ahead), calls_ahead / calls_then, 1.0)
    scaled = busy * factor[:, :, None]
    return np.asarray(scaled.transpose(1, 0, 2).reshape(busy.shape[1], -1))


def scheduled_minimum(
    expected: Floats, start: datetime, zone: ZoneInfo, *, least_utilisation: float, most: int, held_now: int = 0
) -> ScheduledMinimum:
    """Hold each further environment through those hours in which it is busy enough.

    expected: as of `usual_hours`; an hour of which nothing is known holds nothing. start: aware, the full hour that the
    first row is. least_utilisation: from which share of busy time on an environment is worth its price (the break-even,
    or less where the policy buys latency). most: the limit. held_now: what is held before the first hour: to start more
    costs what they cost until they are ready, so that none is given back for an hour to be started again.
    """
    if not 0 < least_utilisation <= 1:
        raise ValueError(f"least_utilisation must be above 0 and at most 1, not {least_utilisation}")
    hours = len(expected)
    held, busy_hours = np.zeros(hours, int), 0.0
    for environment in range(1, most + 1):
        share = np.clip(expected - (environment - 1), 0, 1)
        known = ~np.isnan(expected).all(axis=1)
        used = np.array([np.nanmean(row) if is_known else 0.0 for row, is_known in zip(share, known, strict=True)])
        worth = used - least_utilisation
        through = _worth_holding(worth, least_utilisation * READY_MINUTES / _HOUR, environment <= held_now)
        if not through.any():
            break
        held += through
        busy_hours += float(used[through].sum())
    total = int(held.sum())
    return ScheduledMinimum(
        tuple(held.tolist()), busy_hours / total if total else 0.0, _steps(held, start.astimezone(zone), held_now)
    )


def _worth_holding(worth: Floats, start_cost: float, held_before: bool) -> np.ndarray:
    """The hours that add up to the most worth, less `start_cost` for each time that holding begins. Exact, by dynamic
    programming backwards; of equals, nothing is held."""
    hours = len(worth)
    gain = np.zeros((hours + 1, 2))
    choice = np.zeros((hours, 2), bool)
    for hour in range(hours - 1, -1, -1):
        for before in (0, 1):
            holding = worth[hour] + gain[hour + 1, 1] - (0.0 if before else start_cost)
            choice[hour, before] = holding > gain[hour + 1, 0]
            gain[hour, before] = max(holding, gain[hour + 1, 0])
    through = np.zeros(hours, bool)
    state = int(held_before)
    for hour in range(hours):
        through[hour] = choice[hour, state]
        state = int(through[hour])
    return through


def _steps(held: np.ndarray, start: datetime, held_now: int) -> tuple[Step, ...]:
    """More is asked for before the hour, less at the hour. Hours are counted in absolute time: a day on which clocks
    change has 23 or 25 of them."""
    steps = []
    before = held_now
    utc = start.astimezone(ZoneInfo("UTC"))
    for hour, environments in enumerate(held.tolist()):
        if environments != before:
            early = READY_MINUTES if environments > before and hour else 0
            at = utc + timedelta(hours=hour, minutes=-early)
            steps.append(Step(at.astimezone(start.tzinfo), environments))
        before = environments
    return tuple(steps)
