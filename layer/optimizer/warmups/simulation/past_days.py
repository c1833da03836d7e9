"""Play the pings of a plan on past days, as evidence of a change. Pure."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.traffic import DAY_MINUTES, Floats, Ints, Series, same_time_on_other_days
from optimizer.warmups.simulation.play import Pings, calls_by_day, one_in, play

_PLAYED_DAYS = 14
# More calls than these, over all days, are played thinned: planning a function is to take milliseconds.
_MOST_CALLS = 20_000


@dataclass(frozen=True, slots=True)
class PastDays:
    """The pings of a plan played on past days: one total for each day."""

    cold_without: Floats
    cold_with: Floats
    cold_pings: Floats
    idle_minutes: Floats

    @property
    def days(self) -> int:
        """The number of days that were known well enough to be played."""
        return len(self.cold_without)


@dataclass(frozen=True, slots=True)
class PlayedFunction:
    """The facts about a function that decide what its calls meet."""

    name: str
    time_zone: ZoneInfo
    init_ms: float
    keep_alive_minutes: int
    # Provisioned environments in each minute of the hours ahead; None means none.
    provisioned: Ints | None = None


def play_past_days(minutes: Series, pings: Pings, function: PlayedFunction, horizon_minutes: int) -> PastDays:
    """Play the same pings at the same local times on up to 14 earlier days.

    pings: minutes since 1970, after those of the series."""
    keep_alive = function.keep_alive_minutes
    at = np.array([minute for minute, _ in pings])
    known = ~np.isnan(minutes.values["invocations"])
    ahead = max(0, int(at[0]) - minutes.end) // DAY_MINUTES + 1
    begins = []
    for age in range(ahead, ahead + _PLAYED_DAYS):
        then = same_time_on_other_days(function.time_zone, at, -age)
        begin = int(then[0]) - minutes.start
        if begin < keep_alive:
            break
        if begin + horizon_minutes <= len(minutes) and known[begin : begin + horizon_minutes].mean() >= 0.5:
            begins.append((begin, then - minutes.start - begin + keep_alive))
    thinned = one_in(
        sum(np.nansum(minutes.values["invocations"][begin : begin + horizon_minutes]) for begin, _ in begins),
        _MOST_CALLS,
    )
    rows = []
    for begin, moved in begins:
        # The window begins earlier, so that environments that were already warm count.
        first = minutes.start + begin - keep_alive
        window = minutes.window(first, first + keep_alive + horizon_minutes)
        sent = list(zip(moved.tolist(), (environments for _, environments in pings), strict=True))
        rows.append(_row(window, sent, function, f"{function.name} {first}", thinned))
    if not rows:
        return PastDays(*(np.zeros(1) for _ in range(4)))
    return PastDays(*np.array(rows, np.float64).T)


def _row(window: Series, sent: Pings, function: PlayedFunction, name: str, thinned: int) -> tuple[float, ...]:
    calls = list(calls_by_day(window, name, one_in=thinned))
    random = np.random.default_rng(0)
    # At any second of their minutes.
    seconds = random.uniform(0, 60, len(sent))
    arrive = [(minute * 60 + 1 + second, count) for (minute, count), second in zip(sent, seconds, strict=True)]
    provisioned = None
    if function.provisioned is not None and function.provisioned.any():
        before = np.full(function.keep_alive_minutes, function.provisioned[0])
        provisioned = np.concatenate([before, function.provisioned])
    without, warmed = (
        play(
            calls,
            pings,
            init_s=function.init_ms / 1000,
            keep_alive_s=function.keep_alive_minutes * 60,
            end_s=len(window) * 60,
            provisioned=provisioned,
        )
        for pings in ((), arrive)
    )
    counted = function.keep_alive_minutes * 60
    return (
        float((without.cold_at >= counted).sum()),
        float((warmed.cold_at >= counted).sum()),
        float(sum(warmed.started)),
        (warmed.idle_s - without.idle_s) / 60,
    )
