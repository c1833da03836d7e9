"""A piece of advice on a function, and the facts that it is given from. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from optimizer.function_logs import FunctionHistory
from optimizer.prices import FREE_STORAGE_MB, Rates
from optimizer.traffic import Series


class Subject(StrEnum):
    """The subject of advice, the most urgent first."""

    ERRORS = "errors"
    THROTTLES = "throttles"
    TIMEOUTS = "timeouts"
    DURATION = "duration"
    CONCURRENCY = "concurrency"
    LATENCY_GOAL = "latency_goal"
    SNAP_START = "snap_start"
    ARM64 = "arm64"


@dataclass(frozen=True, slots=True)
class Setup:
    """How a function is set up, and the prices of that.

    runtime: empty for a container image. version: behind the alias. holds_provisioned: provisioned concurrency, now or
    by a timetable. rates: of its architecture; arm_rates: of arm64; None where no price is known. cold_start_usd: what
    a cold start less is worth by the policy, with its INIT.
    """

    architecture: str
    runtime: str
    package_type: str = "Zip"
    storage_mb: int = FREE_STORAGE_MB
    snap_start: bool = False
    has_file_system: bool = False
    holds_provisioned: bool = False
    rates: Rates | None = None
    arm_rates: Rates | None = None
    cold_start_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Signals:
    """The facts about one function.

    hours: calls, errors, throttles, durations and concurrency by the hour. version: behind the alias. timeout_s: the
    function's own Timeout. reserved: its reserved concurrency. Both are None where there is none or it is not known.
    setup: None where nobody asks what another one would gain.
    """

    hours: Series
    lines: FunctionHistory
    version: str
    memory_mb: int
    timezone: str = "UTC"
    timeout_s: float | None = None
    reserved: int | None = None
    setup: Setup | None = None


@dataclass(frozen=True, slots=True)
class Advice:
    """A piece of advice.

    fact: the rate, its limit and its trend, one or two sentences. since: ISO 8601, empty where not known. deploy: the
    version since which, empty where no deploy explains it. cause: the likely cause. look_at: what to look at. The last
    two are sentences.
    """

    subject: Subject
    fact: str
    cause: str
    look_at: str
    since: str = ""
    deploy: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def words(self) -> str:
        """Return the advice as one paragraph."""
        return f"{self.fact} {self.cause} {self.look_at}"
