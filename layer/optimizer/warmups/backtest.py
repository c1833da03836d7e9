"""Back-test warm-up plans on known traffic, compared with the usual alternatives. Pure."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from optimizer.policy import Warmups
from optimizer.prices import aws_lambda
from optimizer.traffic import (
    DAY_MINUTES,
    HOURS_KEPT,
    MINUTES_KEPT,
    Floats,
    History,
    Series,
    environments_needed,
    hours_from_minutes,
)
from optimizer.warmups.occasions import Occasions
from optimizer.warmups.plan import plan_warmups
from optimizer.warmups.plan_value import HOLD_MS, pings_usd
from optimizer.warmups.propose import WarmedFunction, adjust_policy, warmup_request
from optimizer.warmups.replay import Pings, WarmupReplay, replay

# The default of most warmers.
FLAT_ENVIRONMENTS = 2
FLAT_EVERY_MINUTES = 5
# CloudWatch's newest minutes are not complete, and a plan begins two minutes after it is made.
_UNKNOWN_MINUTES = 5
_LEARNING_DAYS = 14


class Strategy(StrEnum):
    """The strategies that are compared.

    PLANNED: the pings of the shipped plans. FLAT: FLAT_ENVIRONMENTS every FLAT_EVERY_MINUTES. TARGET_TRACKING:
    provisioned concurrency that follows its utilisation.
    """

    NOTHING = "nothing"
    PLANNED = "planned"
    FLAT = "flat"
    TARGET_TRACKING = "target_tracking"


@dataclass(frozen=True, slots=True)
class Subject:
    """A function that is back-tested."""

    name: str
    # `invocations`, `duration_ms` and `concurrency`; NaN is unknown.
    minutes: Series
    timezone: str
    memory_mb: int
    architecture: str
    init_ms: float
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def function(self) -> WarmedFunction:
        """The facts that prices depend on."""
        return WarmedFunction(self.memory_mb, self.architecture, self.init_ms)


@dataclass(frozen=True, slots=True)
class WarmupOutcome:
    """Totals of the tested minutes under one strategy."""

    cold_starts: float = 0.0
    # Environment-minutes beyond those of doing nothing.
    idle_minutes: float = 0.0
    # Calls of the function made by pings.
    pings: int = 0
    # Added to the bill: pings with their INIT, or provisioned concurrency with its INIT minus the savings of calls on
    # it. Avoided INIT is not subtracted.
    usd: float = 0.0

    def __add__(self, other: "WarmupOutcome") -> "WarmupOutcome":
        return WarmupOutcome(
            self.cold_starts + other.cold_starts,
            self.idle_minutes + other.idle_minutes,
            self.pings + other.pings,
            self.usd + other.usd,
        )


@dataclass(frozen=True, slots=True)
class WarmupBacktest:
    """The result of one function."""

    name: str
    # Tested days; 0 if too little is known to test anything.
    days: float
    # The most environments needed in a tested minute.
    most_needed: int
    outcomes: Mapping[Strategy, WarmupOutcome]


def plan_starts(subject: Subject, hours_between_plans: int) -> range:
    """Return the indices of the minutes at which a new plan begins.

    The first plan begins after 14 days to learn from, or after half of the known days if these are fewer.
    """
    known = np.flatnonzero(~np.isnan(subject.minutes.values["invocations"]))
    if not len(known):
        return range(0)
    first, length = int(known[0]), len(subject.minutes)
    learning = min(_LEARNING_DAYS * DAY_MINUTES, (length - first) // (2 * DAY_MINUTES) * DAY_MINUTES)
    return range(first + learning, length, hours_between_plans * 60) if learning else range(0)


def backtest_warmups(
    subject: Subject,
    policy: Warmups,
    hours_between_plans: int,
    report_plan: Callable[[], None] = lambda: None,
    occasions: Occasions | None = None,
) -> WarmupBacktest:
    """Play each strategy over the tested minutes.

    Each plan uses only what was known when it was made and the policy's horizon, and the next plan replaces it.
    `report_plan` is called after each plan. occasions: as in `warmup_request`.
    """
    policy = adjust_policy(policy, policy.keep_alive_minutes, subject.function)
    starts = plan_starts(subject, hours_between_plans)
    if not starts:
        return WarmupBacktest(subject.name, 0.0, 0, dict.fromkeys(Strategy, WarmupOutcome()))
    calls, duration_ms = subject.minutes.values["invocations"], subject.minutes.values["duration_ms"]
    most = policy.max_environments_per_function
    planned = planned_pings(subject, policy, starts, report_plan, occasions)
    flat = _flat(starts, len(calls), min(FLAT_ENVIRONMENTS, most))
    busy = np.where(calls > 0, np.nan_to_num(calls * duration_ms) / 60_000, 0.0)
    held = track_utilisation(busy, most) if most else np.zeros(len(busy))
    held[: starts[0]] = 0
    tested = np.arange(len(calls)) >= starts[0]
    tested &= ~np.isnan(calls)
    need = environments_needed(subject.minutes)
    nothing = replay(need, (), policy.keep_alive_minutes)
    idle_anyway = float(nothing.idle[tested].sum())

    def outcome(pings: Pings) -> WarmupOutcome:
        played = replay(need, pings, policy.keep_alive_minutes)
        return WarmupOutcome(
            cold_starts=float(played.cold[tested].sum()),
            idle_minutes=float(played.idle[tested].sum()) - idle_anyway,
            pings=sum(environments for _, environments in pings),
            usd=_pings_usd(subject, pings, played),
        )

    spilled = replay(np.maximum(need - held, 0), (), policy.keep_alive_minutes)
    unused = np.maximum(held - np.nan_to_num(need), 0)
    outcomes = {
        Strategy.NOTHING: WarmupOutcome(cold_starts=float(nothing.cold[tested].sum())),
        Strategy.PLANNED: outcome(planned),
        Strategy.FLAT: outcome(flat),
        Strategy.TARGET_TRACKING: WarmupOutcome(
            cold_starts=float(spilled.cold[tested].sum()),
            idle_minutes=float((spilled.idle + unused)[tested].sum()) - idle_anyway,
            usd=_provisioned_usd(subject, held, busy),
        ),
    }
    most_needed = int(need[tested].max()) if tested.any() else 0
    return WarmupBacktest(subject.name, float(tested.sum()) / DAY_MINUTES, most_needed, outcomes)


def total_outcomes(results: Sequence[WarmupBacktest]) -> dict[Strategy, WarmupOutcome]:
    """Return the sum over all functions for each strategy."""
    return {each: sum((result.outcomes[each] for result in results), WarmupOutcome()) for each in Strategy}


def planned_pings(
    subject: Subject,
    policy: Warmups,
    starts: range,
    report_plan: Callable[[], None] = lambda: None,
    occasions: Occasions | None = None,
) -> Pings:
    """Return the pings (index of the minute, environments) of the plans made at `starts`, each until the next one."""
    pings: list[tuple[int, int]] = []
    for start in starts:
        known = _known_at(subject.minutes, start)
        made = plan_warmups(warmup_request(known, subject.timezone, policy, subject.function, occasions=occasions))
        # Minutes until the next plan takes over.
        span = min(starts.step, policy.horizon_hours * 60, len(subject.minutes) - start)
        pings.extend((start + minute, environments) for minute, environments in made.pings if minute < span)
        report_plan()
    return pings


def _known_at(minutes: Series, start: int) -> History:
    """Return what a plan of this minute knows: the last days by the minute, and the weeks before by the hour."""
    now = minutes.start + start
    # A window is a copy.
    known = minutes.window(max(minutes.start, now - HOURS_KEPT * 60), now)
    for series in known.values.values():
        series[-_UNKNOWN_MINUTES:] = np.nan
    return History(known.window(max(known.start, now - MINUTES_KEPT), now), hours_from_minutes(known))


def _flat(starts: range, end: int, environments: int) -> Pings:
    return [(minute, environments) for minute in range(starts[0], end, FLAT_EVERY_MINUTES)] if environments else []


def _pings_usd(subject: Subject, pings: Pings, played: WarmupReplay) -> float:
    return pings_usd(
        architecture=subject.architecture,
        memory_mb=subject.memory_mb,
        schedules=len(pings),
        calls=sum(environments for _, environments in pings),
        cold_calls=float(played.cold_pings.sum()),
        hold_ms=HOLD_MS,
        init_ms=subject.init_ms,
    )


def _provisioned_usd(subject: Subject, held: Floats, busy: Floats) -> float:
    rate = aws_lambda.rates(subject.architecture)
    gb = subject.memory_mb / 1024
    started = float(np.maximum(np.diff(held, prepend=0.0), 0).sum())
    saved = float(rate.tiers[0].gb_second_usd - rate.provisioned_duration_usd)
    return gb * (
        60 * float(held.sum()) * float(rate.provisioned_usd)
        - 60 * float(np.minimum(held, busy).sum()) * saved
        + started * subject.init_ms / 1000 * float(rate.tiers[0].gb_second_usd)
    )


TARGET = 0.7
LOW = 0.63
_HIGH_MINUTES = 3
_LOW_MINUTES = 15


def track_utilisation(busy: Floats, most: int) -> Floats:
    """Return the provisioned environments in each minute, from 1 to `most`.

    busy: average busy environments in each minute (Little's law); NaN counts as none.
    """
    held, high, low = 1, 0, 0
    provisioned = np.empty(len(busy))
    for minute, at_work in enumerate(np.nan_to_num(busy).tolist()):
        provisioned[minute] = held
        used = min(at_work / held, 1.0)
        high = high + 1 if used > TARGET else 0
        low = low + 1 if used < LOW else 0
        if high >= _HIGH_MINUTES or low >= _LOW_MINUTES:
            held = max(1, min(most, math.ceil(held * used / TARGET - 1e-9)))
    return provisioned
