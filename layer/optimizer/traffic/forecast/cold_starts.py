"""Forecast the cold starts of a function in each minute ahead, for each environment that could be held warm."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from optimizer.traffic.forecast.day_kinds import SATURDAY, DayKinds
from optimizer.traffic.forecast.demand import Levels, Reals
from optimizer.traffic.forecast.lives import Lives
from optimizer.traffic.forecast.minutes_of_hour import shares_of_minutes
from optimizer.traffic.forecast.new_level import STRETCH_MINUTES, new_level
from optimizer.traffic.forecast.old_hours import expected_in_old_hours
from optimizer.traffic.forecast.peaks import chance_of_peaks, highest_peak
from optimizer.traffic.forecast.recency import chance_called_again, since_last_time
from optimizer.traffic.forecast.similar_hours import NOON, Hours, expected_by_hour
from optimizer.traffic.history import Ints, offsets_minutes

HOUR, DAY = 60, 24
# The weight of a day for its hours' usual load halves in five days.
_LOAD_HALF_LIFE_DAYS = 5.0
# The load of a minute is the mean of so many minutes, because single minutes differ by chance.
_LOAD_MINUTES = 5
# A level flickers if it starts cold so many times as often as the first one.
_FLICKERS = 2.0
# A level that is hardly ever cold has so many times the usual cold starts, at most, where it is.
_LEAST_SILENT = 0.05
# The weight of an hour of the other kind of day: rest instead of work, or the reverse.
_OTHER_KIND = 0.05


@dataclass(frozen=True, slots=True)
class KnownTraffic:
    """The traffic of a function up to the minute in which a plan begins. NaN is unknown."""

    # Minutes since 1970.
    start: int
    zone: ZoneInfo
    days: DayKinds
    duration_ms: float
    # Calls in each minute; the last one lies before `start`.
    minutes: Reals
    # Calls in each stretch of 60 minutes, and the most in progress at once; the last one ends at `start`.
    hours: Reals
    hour_peaks: Reals


@dataclass(frozen=True, slots=True)
class ColdStartForecast:
    """The cold starts that are expected if nothing is held warm."""

    levels: Levels
    # [minutes ahead, levels]: cold starts.
    cold: Reals
    # [minutes ahead, levels]: the probability that traffic itself keeps the level warm.
    warm: Reals
    # [minutes ahead]: calls in progress, on the average.
    in_progress: Reals


def forecast_cold_starts(known: KnownTraffic, hours_ahead: int, lives: Lives, between_plans: int) -> ColdStartForecast:
    """Forecast the hours ahead; a plan is made every `between_plans` hours.

    A level starts cold in a minute that needs it if no minute of the keep-alive time before needed it. These cold
    starts are counted by the hour: from the minutes as far as they are known, before that from hours with as many
    calls. The rate of an hour ahead comes from hours that resemble it, and is spread over the hour's minutes as cold
    starts were in the past.
    """
    recent = min(len(known.minutes) // HOUR, len(known.hours))
    by_minute = known.minutes[len(known.minutes) - recent * HOUR :]
    unknown = np.isnan(by_minute)
    calls = np.where(unknown, 0.0, by_minute)
    recent_peaks = known.hour_peaks[len(known.hours) - recent :]
    past_starts = past_cold_starts(calls, known.duration_ms, recent_peaks, lives)
    levels, cold, silent, never = past_starts.levels, past_starts.cold, past_starts.silent, past_starts.never
    past, ahead, place = _local_hours(known, hours_ahead)
    local = np.concatenate([past, ahead])
    hours = Hours(local, *_cold_by_hour(known, cold, unknown, recent, levels), known.days, between_plans)
    by_hour = expected_by_hour(hours)
    ahead_rates = by_hour[len(past) :] * chance_called_again(known.hours)
    recent_rates = by_hour[len(past) - recent : len(past)]
    expected: Reals = np.zeros((len(ahead) * HOUR, len(levels.high)))
    before = np.zeros_like(cold)
    for group in _alike((cold / levels.size).sum(axis=0)):
        happened = (cold[:, group] / levels.size[group]).sum(axis=1).reshape(-1, HOUR)
        shares_before, shares = shares_of_minutes(happened, past[-recent:], ahead)
        expected[:, group] = _by_minute(ahead_rates[:, group], shares)
        before[:, group] = _by_minute(recent_rates[:, group], shares_before)
    usual = _usual_hours(known, past[-recent:], ahead)
    usual_calls: Reals = usual @ calls.reshape(recent, HOUR)
    warm_hours: Reals = usual @ (1 - silent).reshape(recent, HOUR, -1).mean(axis=1)
    level = new_level(*_by_local_clock(known, by_minute))
    if level.is_likely:
        # Loaded only where a function is surprised.
        from optimizer.traffic.forecast.at_new_level import AtNewLevel

        at_level = AtNewLevel(level, usual_calls.mean(axis=1), known.duration_ms, levels, lives)
        expected, warm_hours = at_level.cold(expected, cold, calls), at_level.warm(warm_hours)
        usual_calls = usual_calls * at_level.factors[:, None]
    expected = since_last_time(expected[place], before, cold)
    warm = np.repeat(warm_hours, HOUR, axis=0)[place]
    _know_last_minutes(expected, 1 - warm, never, lives)
    load = _of_last_minutes(usual_calls.ravel() * known.duration_ms / 60_000)
    return ColdStartForecast(levels, expected, warm, load[place])


def _know_last_minutes(expected: Reals, usually_silent: Reals, never: Reals, lives: Lives) -> None:
    """Correct the first minutes ahead, [minutes, levels], by what the last minutes kept warm.

    The usual cold starts of a minute are its demand times the probability that nothing before it keeps the level warm.
    Of the minutes of a life before it, those that are past are known, and the others are as usual.
    """
    usually_silent = np.maximum(usually_silent, _LEAST_SILENT)
    for minute in range(min(lives.longest, len(expected))):
        factor = np.zeros(expected.shape[1])
        for minutes, share in lives.few():
            known = max(minutes - minute, 0)
            silent = np.exp(never[-1] - never[-1 - known])
            factor += share * silent * usually_silent[minute] ** (-known / minutes)
        expected[minute] *= factor


def _of_last_minutes(values: Reals) -> Reals:
    """Return the mean of the minutes up to each one: calls that begin at nine are in progress from nine on."""
    total = np.concatenate([np.zeros(1), np.cumsum(values)])
    end = np.arange(1, len(total))
    begin = np.maximum(end - _LOAD_MINUTES, 0)
    return np.asarray((total[end] - total[begin]) / (end - begin))


@dataclass(frozen=True, slots=True)
class PastColdStarts:
    """The cold starts of past minutes, as they are estimated."""

    levels: Levels
    # [minutes, levels].
    cold: Reals
    # [minutes, levels]: the probability that nothing kept the level warm.
    silent: Reals
    # [minutes + 1, levels]: the logarithm of the probability that no minute before reached the level.
    never: Reals


def past_cold_starts(calls: Reals, duration_ms: float, hour_peaks: Reals, lives: Lives) -> PastColdStarts:
    """Estimate how many environments of each level started cold in each minute.

    calls: a minute, whole hours, none unknown. hour_peaks: the most calls in progress at once in each of these hours;
    NaN if it was not measured.
    """
    levels = Levels.up_to(highest_peak(calls, duration_ms, hour_peaks))
    chance = chance_of_peaks(calls, duration_ms, hour_peaks, levels)
    never = np.concatenate(
        [np.zeros((1, len(levels.high))), np.cumsum(np.log1p(-np.minimum(chance, 1 - 1e-9)), axis=0)]
    )
    silent: Reals = np.zeros_like(chance)
    for minutes, share in lives.few():
        within = never[:-1].copy()
        within[minutes:] -= never[: max(0, len(within) - minutes)]
        silent += share * np.exp(within, out=within)
    cold = chance * silent * levels.size
    # It is unknown what was warm when the history begins.
    cold[: lives.longest] = 0
    return PastColdStarts(levels, cold, silent, never)


def _alike(totals: Reals) -> list[Ints]:
    """Return the levels in groups that start cold at like times: those that do so about as often as the first one, as
    when traffic rises, and those that do so more often, because they flicker."""
    flickers = totals > _FLICKERS * totals[0]
    return [np.flatnonzero(flickers == which) for which in (False, True) if (flickers == which).any()]


def _by_minute(rates: Reals, shares: Reals) -> Reals:
    """Return the cold starts of each minute, [minutes, levels], from those of hours and the shares of their minutes."""
    return np.asarray((rates[:, None, :] * shares[:, :, None]).reshape(-1, rates.shape[1]))


def _local_hours(known: KnownTraffic, hours_ahead: int) -> tuple[Ints, Ints, Ints]:
    """Return the local hour since 1970 in which each known stretch of 60 minutes begins, the local hours ahead, and for
    each minute ahead its place among the minutes of these.

    All stretches begin at the same minute of a local hour, so each has an hour of its own, apart from clock changes.
    """
    begins = known.start + HOUR * np.arange(-len(known.hours), 0)
    minutes = known.start + np.arange(hours_ahead * HOUR)
    local = minutes + offsets_minutes(known.zone, minutes)
    # Clocks that go back soon after the start bring earlier hours again.
    first = local[0] - HOUR * -((local.min() - local[0]) // HOUR)
    place = local - first
    hours = (first + HOUR * np.arange(int(place.max()) // HOUR + 1)) // HOUR
    return (begins + offsets_minutes(known.zone, begins)) // HOUR, hours, place


def _cold_by_hour(known: KnownTraffic, cold: Reals, unknown: Reals, recent: int, levels: Levels) -> tuple[Reals, Reals]:
    """Return the cold starts of each known hour, [hours, levels], and 1 for hours that are known well enough."""
    old = len(known.hours) - recent
    result = np.zeros((len(known.hours), len(levels.high)), np.float32)
    result[old:] = cold.reshape(recent, HOUR, -1).sum(axis=1)
    trust = (~np.isnan(known.hours)).astype(np.float32)
    trust[old:] = unknown.reshape(recent, HOUR).mean(axis=1) < 0.5
    if old:
        result[:old] = expected_in_old_hours(
            result[old:],
            known.hours[old:],
            known.hour_peaks[old:],
            known.hours[:old],
            known.hour_peaks[:old],
            levels,
        )
    return result, trust


def _by_local_clock(known: KnownTraffic, by_minute: Reals) -> tuple[Reals, NDArray[np.bool_]]:
    """Return the last minutes where a local clock without changes has them, and if each half hour is on a day of rest.

    NaN stands for what a clock skips, and the second of two equal local times counts."""
    minutes = known.start + np.arange(-len(by_minute), 0)
    local = minutes + offsets_minutes(known.zone, minutes)
    begin = int(local[-1]) + 1 - len(by_minute)
    is_in = (local >= begin) & (local < begin + len(by_minute))
    moved = np.full(len(by_minute), np.nan)
    moved[local[is_in] - begin] = by_minute[is_in]
    days = (begin + np.arange(0, len(by_minute), STRETCH_MINUTES)) // (DAY * HOUR)
    return moved, np.asarray(known.days.weekdays(days) >= SATURDAY)


def _usual_hours(known: KnownTraffic, past: Ints, ahead: Ints) -> Reals:
    """Return how much each past hour says about each hour ahead: [hours ahead, past hours], rows sum to 1."""
    local = np.concatenate([past, ahead])
    day = local // DAY
    rest = np.where(local % DAY < NOON, known.days.weekdays(day), known.days.after_noon(day)) >= SATURDAY
    weights = 0.5 ** ((len(past) - np.arange(len(past))) / DAY / _LOAD_HALF_LIFE_DAYS)
    same_hour = (ahead % DAY)[:, None] == past % DAY
    same_kind = rest[len(past) :, None] == rest[: len(past)]
    weights = weights * np.where(same_kind, 1.0, _OTHER_KIND) * np.where(same_hour, 1.0, 1e-6)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
