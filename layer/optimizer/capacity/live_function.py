"""A function and its alias at one moment. Pure; lambda_account.py reads and writes them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from optimizer.core import OptimizerError
from optimizer.function_logs import LogSource

SCALABLE_DIMENSION: Literal["lambda:function:ProvisionedConcurrency"] = "lambda:function:ProvisionedConcurrency"

# Stands for the alias of a function that has none.
LATEST = "$LATEST"
USUAL_STORAGE_MB = 512


class NoSuchFunction(OptimizerError, LookupError):
    """The function does not exist."""


class NoSuchAlias(OptimizerError, LookupError):
    """The function has no alias of this name."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version or $LATEST.

    content: hash of code and configuration without the memory size. settled: the last update has ended and the version
    can be called. failed: the last update failed.
    """

    name: str
    memory_mb: int
    code_sha256: str
    content: str
    revision: str
    settled: bool
    failed: bool
    architecture: str = "x86_64"
    # Ephemeral storage.
    storage_mb: int = USUAL_STORAGE_MB
    package_type: str = "Zip"
    snap_start: bool = False
    managed_instances: bool = False
    durable: bool = False
    tenant_isolation: bool = False
    refuses_pings: str = ""
    ping_advice: str = ""
    timeout_s: float | None = None
    # Empty for a container image, or where it is not known.
    runtime: str = ""
    has_file_system: bool = False


@dataclass(frozen=True, slots=True)
class ProvisionedConfig:
    """The provisioned concurrency of an alias; status IN_PROGRESS, READY or FAILED."""

    requested: int
    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Scaling:
    """The bounds of an Application Auto Scaling target."""

    minimum: int
    maximum: int


@dataclass(frozen=True, slots=True)
class Placed:
    """The schedules that move provisioned concurrency by the time of day.

    entries: numbers of our schedules, by the mark of the Change that their timetable belongs to. team_actions:
    scheduled actions that are not ours. tracked: a scaling policy releases environments that are not used.
    """

    entries: Mapping[str, frozenset[int]]
    team_actions: tuple[str, ...] = ()
    tracked: bool = False


@dataclass(frozen=True, slots=True)
class LiveFunction:
    """A function behind an alias.

    weights: share of the calls (0 to 1) by additional version. placed: None where timetables were not read.
    held_elsewhere: who else holds provisioned concurrency of the alias' version, in words; a version has one holder.
    """

    function_name: str
    alias: str
    alias_version: str
    alias_revision: str
    weights: Mapping[str, float]
    latest: Version
    version: Version
    provisioned: ProvisionedConfig | None = None
    scaling: Scaling | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    reserved: int | None = None
    log_group: str = ""
    function_arn: str = ""
    placed: Placed | None = None
    held_elsewhere: tuple[str, ...] = ()

    @property
    def log_source(self) -> LogSource:
        """The log group, and whose lines in it count."""
        return LogSource(self.log_group, self.function_name)

    @property
    def leaving(self) -> str:
        """The version that Lambda itself still gives all calls, until the environments of the alias' version are
        ready; empty if there is none.

        After an alias with provisioned concurrency was pointed at another version, Lambda leaves its traffic with the
        version before by a weight of 1. It takes up to 15 minutes, and it is nobody's canary.
        """
        if self.provisioned is None or len(self.weights) != 1:
            return ""
        ((version, weight),) = self.weights.items()
        return version if weight >= 1.0 and version != self.alias_version else ""

    @property
    def plans(self) -> tuple[str, ...]:
        """Marks of the Changes whose timetables are in place."""
        return tuple(self.placed.entries) if self.placed else ()

    def entries_of(self, plan: str) -> frozenset[int]:
        """Return the numbers of the schedules of one timetable."""
        return self.placed.entries.get(plan, frozenset()) if self.placed else frozenset()
