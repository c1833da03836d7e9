"""Back-test warm-up plans on known traffic, call by call, compared with the usual alternatives. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.policy import Warmups
from optimizer.prices import aws_lambda
from optimizer.traffic import (
    DAY_MINUTES,
    HOURS_KEPT,
    MINUTES_KEPT,
    Floats,
    History,
    Ints,
    Series,
    hours_from_minutes,
    offsets_minutes,
)
from optimizer.warmups.occasions import Occasions
from optimizer.warmups.plan import plan_warmups
from optimizer.warmups.plan_value import HOLD_MS, PingRates, ping_prices, pings_usd
from optimizer.warmups.propose import WarmedFunction, adjust_policy, warmup_request
from optimizer.warmups.simulation.play import (
    Pings,
    Played,
    TimedCalls,
    arrivals,
    billed_minutes,
    calls_by_day,
    known_durations,
    one_in,
    play,
    ready,
)

# The default of most warmers.
FLAT_ENVIRONMENTS = 2
FLAT_EVERY_MINUTES = 5
# CloudWatch's newest minutes are not complete, and a plan begins two minutes after it is made.
_UNKNOWN_MINUTES = 5
_LEARNING_DAYS = 14
# More calls are played thinned. A million of them takes a second.
_MOST_CALLS = 1_000_000
# 1 January 1970 was a Thursday, three days after a Monday.
_FIRST_WEEKDAY = 3
_NO_DAYS = (0.0,) * 7


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
    rates: PingRates
    init_ms: float
    # False if `init_ms` is an assumption.
    is_init_seen: bool = False
    # None takes the policy's.
    keep_alive_minutes: int | None = None
    # With their exact times, in seconds from the first minute on; None places them within their minutes.
    calls: TimedCalls | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def function(self) -> WarmedFunction:
        """The facts that prices depend on."""
        return WarmedFunction(self.memory_mb, self.rates, self.init_ms)

    def calls_from(self, first: int) -> Iterator[TimedCalls]:
        """Yield the calls from minute `first` of the series on."""
        if self.calls is None:
            thinned = one_in(np.nansum(self.minutes.values["invocations"][first:]), _MOST_CALLS)
            yield from calls_by_day(self.minutes, self.name, first, one_in=thinned)
        else:
            begin = int(np.searchsorted(self.calls.at, first * 60))
            yield TimedCalls(self.calls.at[begin:], self.calls.duration_s[begin:])


@dataclass(frozen=True, slots=True)
class WarmupPlans:
    """Pings and provisioned environments over a whole series."""

    # (index of the minute, environments), rising.
    pings: Pings
    # Provisioned environments in each minute; None means none at all.
    provisioned: Ints | None = None


@dataclass(frozen=True, slots=True)
class WarmupOutcome:
    """Totals of the tested minutes under one strategy."""

    cold_starts: float = 0.0
    # Environment-minutes beyond those of doing nothing.
    idle_minutes: float = 0.0
    # TimedCalls of the function made by pings.
    pings: int = 0
    # The price of pings with the INIT that they start, and of provisioned concurrency beyond what it saves on calls.
    # Avoided INIT is not subtracted.
    usd: float = 0.0
    # The same less the INIT of avoided cold starts: what the bill grows by.
    net_usd: float = 0.0
    # What cheaper calls on provisioned concurrency save beyond its own price. It is part of no other figure.
    saved_usd: float = 0.0
    # Cold starts and USD by weekday in the function's time zone, Monday first.
    weekday_cold_starts: tuple[float, ...] = _NO_DAYS
    weekday_usd: tuple[float, ...] = _NO_DAYS

    def __add__(self, other: "WarmupOutcome") -> "WarmupOutcome":
        return WarmupOutcome(
            self.cold_starts + other.cold_starts,
            self.idle_minutes + other.idle_minutes,
            self.pings + other.pings,
            self.usd + other.usd,
            self.net_usd + other.net_usd,
            self.saved_usd + other.saved_usd,
            _added(self.weekday_cold_starts, other.weekday_cold_starts),
            _added(self.weekday_usd, other.weekday_usd),
        )


def _added(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, ...]:
    return tuple(a + b for a, b in zip(ours, theirs, strict=True))


@dataclass(frozen=True, slots=True)
class WarmupBacktest:
    """The result of one function."""

    name: str
    # Tested days; 0 if too little is known to test anything.
    days: float
    # The most calls in progress at once in the tested time.
    most_needed: int
    outcomes: Mapping[Strategy, WarmupOutcome]
    init_ms: float = 0.0
    is_init_seen: bool = False
    keep_alive_minutes: int = 0
    # Where the dollars have their prices from.
    prices: str = ""


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
    policy = adjust_policy(policy, subject.keep_alive_minutes or policy.keep_alive_minutes, subject.function)
    starts = plan_starts(subject, hours_between_plans)
    if not starts:
        return WarmupBacktest(subject.name, 0.0, 0, dict.fromkeys(Strategy, WarmupOutcome()))
    calls, length = subject.minutes.values["invocations"], len(subject.minutes)
    most = policy.max_environments_per_function
    busy = np.nan_to_num(calls) * known_durations(subject.minutes) / 60_000
    tracking = np.zeros(length, np.int64)
    if most:
        tracking[starts[0] :] = track_utilisation(busy, most)[starts[0] :]
    plans = {
        Strategy.NOTHING: WarmupPlans(()),
        Strategy.PLANNED: planned_warmups(subject, policy, starts, report_plan, occasions),
        Strategy.FLAT: WarmupPlans(_flat(starts, length, min(FLAT_ENVIRONMENTS, most))),
    }
    if subject.rates.function.has_provisioned:
        plans[Strategy.TARGET_TRACKING] = WarmupPlans((), tracking)
    played = {way: play_plans(subject, each, starts[0], policy.keep_alive_minutes) for way, each in plans.items()}
    nothing = played[Strategy.NOTHING]
    tested = float((~np.isnan(calls[starts[0] :])).sum()) / DAY_MINUTES
    outcomes = {way: outcome_of(subject, plans[way], each, nothing, starts[0]) for way, each in played.items()}
    return WarmupBacktest(
        subject.name,
        tested,
        nothing.most_at_once,
        outcomes,
        subject.init_ms,
        subject.is_init_seen,
        policy.keep_alive_minutes,
        subject.rates.function.words,
    )


def total_outcomes(results: Sequence[WarmupBacktest]) -> dict[Strategy, WarmupOutcome]:
    """Return the sum over all functions for each strategy that has a price for each of them."""
    priced = [each for each in Strategy if all(each in result.outcomes for result in results)]
    return {each: sum((result.outcomes[each] for result in results), WarmupOutcome()) for each in priced}


def play_plans(
    subject: Subject, plans: WarmupPlans, first: int, keep_alive_minutes: float, arrive_at: Floats | None = None
) -> Played:
    """Play the plans over the minutes from `first` on, with a day before them in which nothing is held warm.

    arrive_at: the second at which a ping of each minute arrives; None takes any second of the minute."""
    length = len(subject.minutes)
    at = arrivals(subject.name, length) if arrive_at is None else arrive_at
    return play(
        subject.calls_from(max(0, first - DAY_MINUTES)),
        [(float(at[minute]), environments) for minute, environments in plans.pings],
        init_s=subject.init_ms / 1000,
        keep_alive_s=keep_alive_minutes * 60,
        end_s=length * 60.0,
        provisioned=None if plans.provisioned is None else ready(plans.provisioned),
    )


def outcome_of(subject: Subject, plans: WarmupPlans, played: Played, nothing: Played, first: int) -> WarmupOutcome:
    """Return the outcome from minute `first` on. nothing: the same time without anything held warm."""
    cold, cold_anyway = (each.cold_at[each.cold_at >= first * 60] for each in (played, nothing))
    prices = ping_prices(subject.rates, subject.memory_mb, subject.init_ms)
    each_usd = [
        _pings_usd(subject, environments, started)
        for (_, environments), started in zip(plans.pings, played.started, strict=True)
    ]
    held_usd = provisioned_usd(subject, plans.provisioned, played)
    usd = sum(each_usd) + max(0.0, held_usd)
    weekdays = _weekdays(subject)
    by_weekday = np.bincount(
        weekdays[np.array([minute for minute, _ in plans.pings], np.int64)], np.array(each_usd), minlength=7
    )
    if plans.provisioned is not None and plans.provisioned.any():
        held = np.bincount(weekdays, plans.provisioned, minlength=7)
        by_weekday = by_weekday + max(0.0, held_usd) * held / held.sum()
    return WarmupOutcome(
        cold_starts=float(len(cold)),
        idle_minutes=(played.idle_s - nothing.idle_s + _unused_s(plans.provisioned, played)) / 60,
        pings=sum(environments for _, environments in plans.pings),
        usd=usd,
        net_usd=usd - prices.init_usd * (len(cold_anyway) - len(cold)),
        saved_usd=max(0.0, -held_usd),
        weekday_cold_starts=tuple(
            np.bincount(weekdays[(cold // 60).astype(np.int64)], minlength=7).astype(np.float64).tolist()
        ),
        weekday_usd=tuple(by_weekday.astype(np.float64).tolist()),
    )


def planned_warmups(
    subject: Subject,
    policy: Warmups,
    starts: range,
    report_plan: Callable[[], None] = lambda: None,
    occasions: Occasions | None = None,
) -> WarmupPlans:
    """Return the plans made at `starts`, each until the next one."""
    pings: list[tuple[int, int]] = []
    for start in starts:
        known = _known_at(subject.minutes, start)
        request = warmup_request(known, subject.timezone, policy, subject.function, occasions=occasions)
        since = start - policy.keep_alive_minutes
        sent = tuple((minute - start, environments) for minute, environments in pings if minute >= since)
        made = plan_warmups(replace(request, sent=sent, renewed_after_hours=starts.step // 60))
        # Minutes until the next plan takes over.
        span = min(starts.step, policy.horizon_hours * 60, len(subject.minutes) - start)
        pings.extend((start + minute, environments) for minute, environments in made.pings if minute < span)
        report_plan()
    return WarmupPlans(pings)


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


def _weekdays(subject: Subject) -> Ints:
    """Return the weekday of each minute in the function's time zone; Monday is 0."""
    minutes = subject.minutes.start + np.arange(len(subject.minutes))
    local = minutes + offsets_minutes(ZoneInfo(subject.timezone), minutes)
    return np.asarray((local // DAY_MINUTES + _FIRST_WEEKDAY) % 7)


def _pings_usd(subject: Subject, environments: int, started: int) -> float:
    return pings_usd(
        rates=subject.rates,
        memory_mb=subject.memory_mb,
        schedules=1,
        calls=environments,
        cold_calls=started,
        hold_ms=HOLD_MS,
        init_ms=subject.init_ms,
    )


def provisioned_usd(subject: Subject, provisioned: Ints | None, played: Played) -> float:
    """Return the price of provisioned concurrency less what calls on it save; it may be below zero."""
    if provisioned is None:
        return 0.0
    rates = subject.rates.function
    saved = float(aws_lambda.cheaper_usd(rates)) * played.provisioned_s
    held = float(aws_lambda.provisioned_usd(rates, 1024, 1, 300)) / 300 * 60 * billed_minutes(provisioned)
    return subject.memory_mb / 1024 * (held - saved)


def _unused_s(provisioned: Ints | None, played: Played) -> float:
    """Return the seconds in which provisioned environments are ready and not used."""
    return 0.0 if provisioned is None else 60.0 * float(ready(provisioned).sum()) - played.provisioned_s


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
