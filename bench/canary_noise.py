"""Measure the observation on latencies of real machines on which nothing was changed, and with 30 % added to one arm.

    python bench/canary_noise.py SERIES [--windows 1000] [--only NAME] [--json OUT]

SERIES is a folder with series.json and a CSV for each series: time_s and a latency, or a rate per second. Each row is
one observation at its own time; of a rate, its inverse is taken. Three ways are played, each as often on every series:

together    a canary: the rows of seven days in turns to the old and the new arm, looked at as after a change.
direct      no second version: every row belongs to the new setting from one moment on, looked at for up to 14 days;
            hours are compared with the same hours before, and the 42 days before show what is usual.
switchback  the setting takes turns every six hours for 14 days.

"wrong" is a change without effect that is rolled back as too slow, "found" one of 1.3 times that is; "open" ends
without enough data to tell (it is rolled back as well, but says so). Beside it: how often a rank-sum test at 5 % on the
same rows calls the arms different. It ends with 1 if a goal is missed.
"""

import argparse
import csv
import gzip
import json
import math
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import NormalDist, median

import numpy as np
from optimizer.capacity.canary import CanaryComparison, CanaryHealth, LookKind, judge
from optimizer.capacity.duration_ratios import Minute, Side
from optimizer.capacity.observation_times import ObservationTimes
from optimizer.capacity.switchback import Slot, judge_slots
from optimizer.capacity.usual_steps import UsualSteps, usual_steps, weeks_between
from optimizer.policy.model import Memory

MAX_SLOWDOWN, SLOWER = 1.1, 1.3
HOUR_S, DAY_S = 3600, 86_400
DAY_MINUTES = 1440
PAST_HOURS = 42 * 24
SLOT_S = 6 * HOUR_S
TURN_LOOKS_DAYS = (1, 2, 4, 7, 14)
PLAIN = NormalDist().inv_cdf(0.975)


def looks_of(days: int) -> ObservationTimes:
    """Return the looks of the policy, where it lets a change be observed for so many days."""
    return ObservationTimes.of(Memory(longest_watch_hours=24.0 * days), datetime(2026, 1, 1, tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Series:
    """Rows in order of time; a larger value is slower."""

    name: str
    times_s: list[float]
    values: list[float]

    def rows(self, begin: float, end: float) -> list[tuple[float, float]]:
        """Return the rows from `begin` until `end`."""
        first, last = bisect_left(self.times_s, begin), bisect_left(self.times_s, end)
        return list(zip(self.times_s[first:last], self.values[first:last], strict=True))


@dataclass(frozen=True, slots=True)
class Goal:
    """The largest share of wrong verdicts, over all series and in any of them, and the least share found."""

    wrong: float
    wrong_in_any: float
    found: float


@dataclass(frozen=True, slots=True)
class Way:
    """A way to try a change. play: outcomes of one window without and with a slower arm, and of the plain test."""

    name: str
    before_days: int
    days: int
    goal: Goal
    play: Callable[[Series, float, bool], Mapping[str, object]]


def read_series(folder: Path, only: str) -> Iterator[Series]:
    """Yield the series whose names contain `only`."""
    for name in json.loads((folder / "series.json").read_text()):
        if only in name:
            with gzip.open(folder / f"{name}.csv.gz", "rt") as file:
                rows = csv.reader(file)
                is_rate = next(rows)[1].endswith("_per_s")
                pairs = [(float(at), 1e6 / float(value) if is_rate else float(value)) for at, value in rows]
            yield Series(name, [at for at, _ in pairs], [value for _, value in pairs])


def one(value: float) -> Minute:
    """Return a single call."""
    return Minute(1.0, value, value, value)


def no_call() -> Minute:
    """Return a time without a call."""
    return Minute(0.0, 0.0)


def side(minutes: Sequence[Minute]) -> Side:
    """Return the metrics of the calls, which have one each."""
    values = [minute.mean_ms for minute in minutes if minute.calls]
    quantiles = np.quantile(values, (0.9, 0.95, 0.99)).tolist() if values else (None, None, None)
    return Side(tuple(minutes), 0.0, 0.0, *quantiles)


def ended(looks: Iterator[tuple[LookKind, CanaryHealth]]) -> str:
    """Return how the observation ends."""
    for kind, health in looks:
        if not health.healthy:
            return "open" if "too few" in health.reason or "no data" in health.reason else "slower"
        if kind is not LookKind.EARLY and health.enough:
            return "kept"
    return "open"


def differs(old: Sequence[float], new: Sequence[float]) -> bool:
    """Return the answer of a rank-sum test at 5 %, by its normal approximation with ties."""
    values = np.array([*old, *new])
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n, m = len(old), len(new)
    total = n + m
    ties = float(np.sum(counts.astype(float) ** 3 - counts)) / (total * (total - 1))
    spread = math.sqrt(n * m / 12 * (total + 1 - ties))
    return bool(spread > 0 and abs(float(ranks[:n].sum()) - n * (total + 1) / 2) > PLAIN * spread)


def together(series: Series, begin: float, first_is_new: bool, *, days: int) -> Mapping[str, object]:
    """Play a canary: rows take turns."""
    rows = series.rows(begin, begin + days * DAY_S)
    is_new = [bool(number % 2) != first_is_new for number in range(len(rows))]
    times = looks_of(days)

    def verdicts(slower: float) -> Iterator[tuple[LookKind, CanaryHealth]]:
        for number, minutes in enumerate(times.minutes):
            seen = bisect_left(rows, begin + minutes * 60, key=lambda row: row[0])
            old = [no_call() if new else one(value) for (_, value), new in zip(rows[:seen], is_new, strict=False)]
            new = [
                one(value * slower) if new else no_call() for (_, value), new in zip(rows[:seen], is_new, strict=False)
            ]
            kind = times.kind(number)
            yield kind, judge(CanaryComparison(side(old), side(new), MAX_SLOWDOWN, 1.0), times.looks, kind)

    arms = [[value for (_, value), new in zip(rows, is_new, strict=True) if new is which] for which in (False, True)]
    return outcomes(verdicts, arms)


def hours(rows: Sequence[tuple[float, float]], begin: float, count: int, slower: float = 1.0) -> list[Minute]:
    """Return what CloudWatch shows of each hour."""
    cells: list[list[float]] = [[] for _ in range(count)]
    for at, value in rows:
        cells[int((at - begin) // HOUR_S)].append(value * slower)
    return [
        Minute(len(cell), sum(cell) / len(cell), median(cell), float(np.quantile(cell, 0.95))) if cell else no_call()
        for cell in cells
    ]


def direct(series: Series, begin: float, _first_is_new: bool, *, days: int) -> Mapping[str, object]:
    """Play a step: all rows are of the new setting from `begin` on."""
    before, after = series.rows(begin - PAST_HOURS * HOUR_S, begin), series.rows(begin, begin + days * DAY_S)
    past = hours(before, begin - PAST_HOURS * HOUR_S, PAST_HOURS)
    times = looks_of(days)
    usual: dict[int, UsualSteps] = {}

    def verdicts(slower: float) -> Iterator[tuple[LookKind, CanaryHealth]]:
        new = hours(after, begin, days * 24, slower)
        for number, minutes in enumerate(times.minutes):
            length = minutes // 60
            # A row comes every hour or two: earlier looks see at most a handful.
            if minutes < DAY_MINUTES:
                continue
            if length not in usual:
                usual[length] = usual_steps(past, length)
            since = PAST_HOURS - weeks_between(length) * 168
            sides = Side(past[since : since + length]), Side(new[:length])
            comparison = CanaryComparison(*sides, MAX_SLOWDOWN, 1.0, usual=usual[length])
            kind = times.kind(number)
            yield kind, judge(comparison, times.looks, kind)

    last = series.rows(begin - days * DAY_S, begin)
    return outcomes(verdicts, [[value for _, value in rows] for rows in (last, after)])


def turns(series: Series, begin: float, first_is_new: bool, *, days: int) -> Mapping[str, object]:
    """Play a switchback: settings take turns."""
    count = days * DAY_S // SLOT_S
    rows = series.rows(begin, begin + days * DAY_S)
    cells: list[list[float]] = [[] for _ in range(count)]
    for at, value in rows:
        cells[int((at - begin) // SLOT_S)].append(value)
    is_new = [bool(number % 2) != first_is_new for number in range(count)]

    def slots(slower: float) -> Iterator[Slot]:
        for cell, new in zip(cells, is_new, strict=True):
            values = [value * slower if new else value for value in cell]
            shown = (
                Minute(len(values), sum(values) / len(values), median(values), float(np.quantile(values, 0.95)))
                if values
                else no_call()
            )
            yield Slot(new, shown)

    def verdicts(slower: float) -> Iterator[tuple[LookKind, CanaryHealth]]:
        played = list(slots(slower))
        for number, day in enumerate(TURN_LOOKS_DAYS):
            kind = LookKind.FINAL if number == len(TURN_LOOKS_DAYS) - 1 else LookKind.DUE
            seen = played[: day * DAY_S // SLOT_S]
            yield kind, judge_slots(seen, MAX_SLOWDOWN, len(TURN_LOOKS_DAYS), kind)

    arms = [
        [value for cell, new in zip(cells, is_new, strict=True) if new is which for value in cell]
        for which in (False, True)
    ]
    return outcomes(verdicts, arms)


def outcomes(
    verdicts: Callable[[float], Iterator[tuple[LookKind, CanaryHealth]]], arms: Sequence[Sequence[float]]
) -> Mapping[str, object]:
    """Return the outcomes without and with a difference, and those of the plain test."""
    old, new = arms
    return {
        "same": ended(verdicts(1.0)),
        "slower": ended(verdicts(SLOWER)),
        "plain_same": differs(old, new),
        "plain_slower": differs(old, [value * SLOWER for value in new]),
    }


WAYS = (
    Way("together", 0, 7, Goal(0.01, 0.02, 0.9), partial(together, days=7)),
    Way("direct", PAST_HOURS // 24, 14, Goal(0.02, 1.0, 0.6), partial(direct, days=14)),
    Way("switchback", 0, 14, Goal(0.02, 1.0, 0.9), partial(turns, days=14)),
)


def shares(played: Sequence[Mapping[str, object]]) -> dict[str, float]:
    """Return the share of the windows with each outcome."""
    asked = {
        "wrong": ("same", "slower"),
        "open": ("same", "open"),
        "found": ("slower", "slower"),
        "missed": ("slower", "kept"),
        "plain_wrong": ("plain_same", True),
        "plain_found": ("plain_slower", True),
    }
    return {name: sum(one[key] == value for one in played) / len(played) for name, (key, value) in asked.items()}


def shown(name: str, figures: Mapping[str, float]) -> str:
    """Return a line."""
    return f"{name:30}" + "".join(f"{figures[key]:9.1%}" for key in figures)


def main() -> int:
    """Play and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path)
    parser.add_argument("--windows", type=int, default=1000, help="windows over all series, for each way")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="series whose names contain this")
    parser.add_argument("--way", choices=[way.name for way in WAYS])
    parser.add_argument("--json", type=Path, help="write every figure here")
    args = parser.parse_args()
    all_series = list(read_series(args.series, args.only))
    each = math.ceil(args.windows / len(all_series))
    figures: dict[str, dict[str, dict[str, float]]] = {}
    missed = False
    for way in WAYS:
        if args.way not in (None, way.name):
            continue
        started = time.perf_counter()
        print(f"{way.name + f', {each} windows a series':30}    wrong     open    found   missed  plain: wrong found")
        played = []
        figures[way.name] = {}
        for number, series in enumerate(all_series):
            rng = np.random.default_rng((args.seed, number))
            first, last = series.times_s[0] + way.before_days * DAY_S, series.times_s[-1] - way.days * DAY_S
            own = [way.play(series, rng.uniform(first, last), bool(rng.integers(2))) for _ in range(each)]
            played += own
            figures[way.name][series.name] = shares(own)
            print(shown(series.name, shares(own)), flush=True)
        total, goal = shares(played), way.goal
        worst = max(one["wrong"] for one in figures[way.name].values())
        bad = total["wrong"] > goal.wrong or worst > goal.wrong_in_any or total["found"] < goal.found
        missed = missed or bad
        figures[way.name]["together"] = total
        print(shown("all", total))
        print(
            f"goals: wrong {goal.wrong:.0%} together, {goal.wrong_in_any:.0%} in any series; found {goal.found:.0%}: "
            f"{'MISSED' if bad else 'ok'}   {time.perf_counter() - started:.0f} s\n"
        )
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1))
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
