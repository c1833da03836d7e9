"""Describe the target functions of the local account: their configuration, behaviour and traffic."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from local_account.curves import Curve, formula, read_curves
from local_account.seeds import generator
from local_account.synthetic import NOTE, synthetic_traces
from local_account.traces import Trace, Traffic, move_to_now, read_traces

ALIAS = "live"
ON = {"optimizer": "on"}
READY = {**ON, "optimizer:warmup": "ready"}
_MEMORY_MB = (1024, 512, 1536, 2048, 256, 1024, 128, 768, 512, 3008, 1024, 512)
_TIMEOUT_S = 30


class Worse(StrEnum):
    """The damage that a change of a function's memory does, on purpose."""

    NOTHING = "nothing"
    SLOWER = "slower"
    ERRORS = "errors"


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The behaviour of a function: durations follow a log-logistic distribution with `shape` around the curve."""

    curve: Curve
    shape: float
    init_ms: float
    used_memory_mb: int
    error_rate: float
    worse: Worse

    def slowdown(self, memory_mb: int, first_memory_mb: int) -> float:
        """Return the mean duration at this size as a multiple of that at the size the function started with."""
        penalty = 1.7 if self.worse is Worse.SLOWER and memory_mb != first_memory_mb else 1.0
        return penalty * self.curve.ratio(memory_mb, first_memory_mb)

    def errors(self, memory_mb: int, first_memory_mb: int) -> float:
        """Return the share of calls that fail at this size; half of them where the memory does not suffice."""
        if memory_mb < self.used_memory_mb:
            return 0.5
        return 0.08 if self.worse is Worse.ERRORS and memory_mb != first_memory_mb else self.error_rate


@dataclass(frozen=True, slots=True)
class TargetFunction:
    """One target; `alias` is empty where the team calls $LATEST.

    `scaled` means that Application Auto Scaling owns its provisioned concurrency, `tracked` that a policy follows use.
    """

    name: str
    memory_mb: int
    timeout_s: int
    alias: str
    tags: Mapping[str, str]
    json_logs: bool
    scaled: bool
    behaviour: Behaviour
    traffic: Traffic
    source: str
    tracked: bool = False


@dataclass(frozen=True, slots=True)
class FleetSource:
    """The origin of a fleet; the same source and time make the same fleet in every process.

    `busy` adds four functions for which provisioned concurrency pays: at all hours, by day, by night, and by day where
    Application Auto Scaling owns it.
    """

    now: datetime
    traces: Path | None = None
    curves: Path | None = None
    functions: int = 12
    seed: int = 1
    busy: bool = False

    @property
    def says(self) -> str:
        """Return one line for people about the origin of the traffic and the curves."""
        traffic = f"traffic replayed from {self.traces}" if self.traces else f"traffic is {NOTE}"
        return f"{traffic}; duration against memory from {self.curves or 'a formula'}"


def make_fleet(source: FleetSource) -> tuple[TargetFunction, ...]:
    """Return the targets; traces are reused under other names where there are fewer of them than functions.

    The seventh has no alias, the last is not tagged, the third is scaled by Application Auto Scaling. The sixth needs
    most of its memory, so that its size stays and another change can help it.
    """
    traces = read_traces(source.traces) if source.traces else synthetic_traces(source.now, source.seed)
    curves = read_curves(source.curves) if source.curves else []
    fleet = tuple(_target(place, traces, curves, source) for place in range(source.functions))
    return fleet + (_busy(source) if source.busy else ())


def _busy(source: FleetSource) -> tuple[TargetFunction, ...]:
    traces = synthetic_traces(source.now, source.seed, busy=True)
    made = (_target(place, traces, [], source) for place in range(len(traces)))
    return tuple(
        replace(target, tags=ON, memory_mb=512, json_logs=False, scaled=owned, tracked=owned)
        for target in made
        for owned in (target.name.startswith("scaled"),)
    )


def _target(place: int, traces: list[Trace], curves: list[Curve], source: FleetSource) -> TargetFunction:
    trace = traces[place % len(traces)]
    round_number = place // len(traces)
    name = trace.name if not round_number else f"{trace.name}-{round_number + 1}"
    random = generator(source.seed, name, "behaviour")
    memory_mb = _MEMORY_MB[place % len(_MEMORY_MB)]
    cpu_share = float(random.choice([0.1, 0.3, 0.6, 0.9]))
    curve = curves[(place * 7 + source.seed) % len(curves)] if curves else formula(f"cpu {cpu_share:.0%}", cpu_share)
    excluded = place == source.functions - 1
    least_used_mb = 7 * memory_mb // 10 if place % 12 == 5 else 0
    return TargetFunction(
        name=name,
        memory_mb=memory_mb,
        timeout_s=_TIMEOUT_S,
        alias="" if place % 12 == 6 else ALIAS,
        tags={} if excluded else (READY if place % 2 == 0 or place % 12 == 1 else ON),
        json_logs=place % 4 == 3,
        scaled=place % 12 == 2,
        behaviour=Behaviour(
            curve=curve,
            shape=float(random.uniform(5.0, 9.0)),
            init_ms=float(random.uniform(150.0, 900.0)),
            used_memory_mb=max(
                least_used_mb,
                min(memory_mb - 20, int(random.integers(60, 110)) + int(memory_mb * random.uniform(0, 0.2))),
            ),
            error_rate=0.001,
            worse={4: Worse.SLOWER, 9: Worse.ERRORS}.get(place % 12, Worse.NOTHING),
        ),
        traffic=move_to_now(trace, source.now),
        source=trace.note or trace.name,
    )
