"""Memory planning played on trace files, with functions that follow curves."""

from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from local_account.closed_loop import ClosedLoop
from local_account.closed_loop_result import saved_by_day, state_of
from local_account.fleet import ALIAS, FleetSource, TargetFunction, Worse, make_fleet
from local_account.traces import read_traces
from optimizer.capacity import MemoryBacktestRow, Try, month_of_days
from optimizer.core import Interval, Tuner, function_name
from optimizer.policy import Mode, Override, Policy

# Traces are moved to the weekdays before this moment, which is fixed so that the same files give the same result.
_NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)


class NoSuchSeries(LookupError):
    """None of the series has one of the requested names."""


def play(
    traces: Path,
    curves: Path | None,
    policy: Policy,
    days: int,
    only: Collection[str],
    day_is_over: Callable[[], None],
    region: str,
) -> tuple[list[MemoryBacktestRow], Interval, list[str]]:
    """Return one row for each series, the total savings, and where their prices are from; raise NoTraces, NoCurves,
    NoSuchSeries, or NoPrice for a Region without prices.

    There is one plan a day, from what was known by then; a change that would need an approval counts as approved.
    """
    source = FleetSource(_NOW, traces, curves, functions=len(read_traces(traces)))
    targets = [_played(target) for target in make_fleet(source) if not only or target.name in only]
    if not targets:
        raise NoSuchSeries(f"{traces} has no series {', '.join(sorted(only))}")
    acting = replace(
        policy,
        mode=Mode.AUTO,
        memory=replace(policy.memory, mode=Mode.AUTO),
        overrides=tuple(map(_without_mode, policy.overrides)),
    )
    acting = replace(acting, provisioned_concurrency=replace(acting.provisioned_concurrency, max_per_function=0))
    loop = ClosedLoop(targets, acting, _NOW - timedelta(days=days), region=region)
    prices = [loop.rates.words]
    loop.run(days, lambda _day: day_is_over())
    saved = {target.name: saved_by_day(loop, target, days) for target in targets}
    every_day = [sum(day) for day in zip(*saved.values(), strict=True)]
    return [_row(loop, target, saved[target.name]) for target in targets], month_of_days(every_day), prices


def _without_mode(entry: Override) -> Override:
    return replace(entry, mode=None, memory={key: value for key, value in entry.memory.items() if key != "mode"})


def _played(target: TargetFunction) -> TargetFunction:
    return replace(target, alias=ALIAS, behaviour=replace(target.behaviour, worse=Worse.NOTHING))


def _row(loop: ClosedLoop, target: TargetFunction, saved: list[float]) -> MemoryBacktestRow:
    tries = tuple(
        Try(int(end.change.after["memory_mb"]), end.status.value, end.message or end.change.reason)
        for end in loop.ended
        if end.change.tuner is Tuner.MEMORY and function_name(end.change.target) == target.name
    )
    why = [
        item.reason
        for item in loop.no_changes
        if item.tuner is Tuner.MEMORY and function_name(item.target) == target.name
    ]
    note = "" if tries or not why else why[-1]
    return MemoryBacktestRow(
        target.name, target.memory_mb, state_of(loop, target.name)[0], tries, month_of_days(saved), note=note
    )
