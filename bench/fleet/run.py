"""Run the handlers as the state machine does, and add up their costs."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from heapq import heappop, heappush
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from account import Service
from shipped import ROOT, default_of, size_of

BATCH_STEPS = ("analyze_traffic", "plan_capacity", "plan_warmups")
# The first reads the metrics, the second settings and logs.
READING_STEPS = ("analyze_traffic", "plan_capacity")


@dataclass(slots=True)
class Cost:
    """The cost of all calls of one Lambda: the longest, the most memory, all CPU, and the limits of template.yaml."""

    memory_mb: int
    timeout_s: float
    wall_s: float = 0.0
    total_wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_mb: float = 0.0
    calls: int = 0


@dataclass(slots=True)
class Done:
    """The result of a run.

    `reading_s` is the time until all new data were read: what each step takes up to its last call that reads, while the
    steps of a batch follow each other. `makespan_s` adds up the measured times of the batches,
    `at_once` of them at a time.
    """

    costs: dict[str, Cost]
    batches: Sequence[Mapping[str, float]] = field(default_factory=list)
    pages_s: list[float] = field(default_factory=list)
    state_bytes: int = 0
    wall_s: float = 0.0
    reading_s: float = 0.0
    makespan_s: float = 0.0
    at_once: int = 0

    @property
    def cpu_s(self) -> float:
        """Return the CPU time of all Lambdas."""
        return sum(cost.cpu_s for cost in self.costs.values())


class Environment:
    """A warm environment of a Lambda: a process."""

    def __init__(self, name: str, service: Service) -> None:
        command = [
            sys.executable,
            str(Path(__file__).parent / "one_lambda.py"),
            str(ROOT / "functions" / name / "app.py"),
        ]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=service.environment
        )

    def invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the answer with its cost; raise RuntimeError where the handler failed."""
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the environment has no pipes")
        self._process.stdin.write(json.dumps(event) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the handler failed on {json.dumps(event)}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait(10)


def run_fleet(service: Service, tuners: Sequence[str], workers: int) -> Done:
    """Run once over all functions."""
    steps = ("start_run", *BATCH_STEPS, "check_guardrails", "render_report", "publish_results")
    done = Done({name: _given(name) for name in steps})
    began = time.perf_counter()
    event = {"run_id": "fleet", "execution_arn": "arn:aws:states:::fleet", "request": {"tuners": list(tuners)}}
    started = _once("start_run", event, service, done)
    if started["outcome"] != "started":
        raise RuntimeError(f"the run did not start: {started}")
    batches = [item["batch"] for item in service.document(started["manifest_key"])]
    idle: SimpleQueue[dict[str, Environment]] = SimpleQueue()
    lambdas = [{name: Environment(name, service) for name in BATCH_STEPS} for _ in range(workers)]
    for environments in lambdas:
        idle.put(environments)

    def work(batch: str) -> tuple[Mapping[str, float], float]:
        environments = idle.get()
        walls, reading_s = {}, 0.0
        for name in BATCH_STEPS:
            answer = environments[name].invoke({"run_id": "fleet", "batch": batch})
            walls[name] = _add(done, name, answer)
            if name in READING_STEPS:
                reading_s += answer["reading_s"]
        idle.put(environments)
        return walls, reading_s

    with ThreadPoolExecutor(workers) as pool:
        done.batches, reading = zip(*pool.map(work, batches), strict=True)
    for environments in lambdas:
        for environment in environments.values():
            environment.close()
    _once("check_guardrails", {"run_id": "fleet"}, service, done)
    done.pages_s = _pages(started["report_parts"], service, done)
    _once("publish_results", {"step": "run", "run_id": "fleet", "failed_batches": []}, service, done)
    done.wall_s = time.perf_counter() - began
    done.at_once = int(default_of("BatchesAtOnce"))
    around = sum(done.costs[name].wall_s for name in ("start_run", "check_guardrails", "publish_results"))
    done.makespan_s = around + _makespan([sum(walls.values()) for walls in done.batches], done.at_once)
    done.makespan_s += _makespan(done.pages_s, done.at_once)
    # The start of the run reads the lists of functions.
    done.reading_s = done.costs["start_run"].wall_s + _makespan(reading, done.at_once)
    return done


def _pages(parts: Sequence[str], service: Service, done: Done) -> list[float]:
    """Render the reports of all parts, one after another in one environment; return seconds for each."""
    environment = Environment("render_report", service)
    answers = [environment.invoke({"run_id": "fleet", "part": part}) for part in parts]
    environment.close()
    return [_add(done, "render_report", answer) for answer in answers]


def _once(name: str, event: Mapping[str, Any], service: Service, done: Done) -> Any:
    environment = Environment(name, service)
    answer = environment.invoke(event)
    _add(done, name, answer)
    environment.close()
    return answer["answer"]


def _add(done: Done, name: str, answer: Mapping[str, Any]) -> float:
    cost = done.costs[name]
    cost.wall_s, cost.peak_mb = max(cost.wall_s, answer["wall_s"]), max(cost.peak_mb, answer["peak_mb"])
    cost.cpu_s += answer["cpu_s"]
    cost.total_wall_s += answer["wall_s"]
    cost.calls += 1
    done.state_bytes = max(done.state_bytes, len(json.dumps(answer["answer"])))
    wall_s: float = answer["wall_s"]
    return wall_s


def _makespan(durations: Sequence[float], at_once: int) -> float:
    """Return the end of the last, if each starts as soon as one of `at_once` is free."""
    ends: list[float] = []
    for duration in durations:
        begin = heappop(ends) if len(ends) >= at_once else 0.0
        heappush(ends, begin + duration)
    return max(ends, default=0.0)


def _given(name: str) -> Cost:
    return Cost(*size_of(name))
