"""A capacity change in progress, and its comparison with the live state. Pure."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from optimizer.capacity import provisioned
from optimizer.capacity.live_function import LATEST, LiveFunction
from optimizer.capacity.memory import steps
from optimizer.capacity.memory.steps import Phase
from optimizer.capacity.progress import CapacityProgress
from optimizer.core import Change, Tuner, function_name
from optimizer.lifecycle import Recorder

if TYPE_CHECKING:
    from optimizer.capacity.provisioned import Amount


class Goal(StrEnum):
    """The end that the steps of a change work towards."""

    APPLY = "apply"
    KEEP = "keep"
    ROLL_BACK = "revert"


@dataclass(frozen=True, slots=True)
class Work:
    """A change in progress, and its record."""

    change: Change
    progress: CapacityProgress = field(default_factory=CapacityProgress)

    @classmethod
    def of(cls, recorder: Recorder[CapacityProgress]) -> "Work":
        """Return the change as it is recorded now."""
        return cls(recorder.change, recorder.progress)

    @property
    def name(self) -> str:
        """Name of the function."""
        return function_name(self.change.target)

    @property
    def alias(self) -> str:
        """Alias of the function, $LATEST where it has none."""
        return str(self.change.evidence["alias"])

    @property
    def provisions(self) -> bool:
        """True for a change of provisioned concurrency."""
        return self.change.tuner is Tuner.PROVISIONED_CONCURRENCY

    @property
    def latest(self) -> bool:
        """True where the function is called without an alias."""
        return self.alias == LATEST

    @property
    def memory(self) -> steps.Plan:
        """Plan of a memory change."""
        before, after, evidence = self.change.before, self.change.after, self.change.evidence
        return steps.Plan(
            version=str(before["version"]),
            before_mb=int(before["memory_mb"]),
            after_mb=int(after["memory_mb"]),
            weight=float(evidence["canary_weight"]),
            provisioned=int(evidence.get("provisioned_environments", 0)),
        )

    @property
    def observed_version(self) -> str:
        """The version that has the new size; $LATEST where there are none."""
        return LATEST if self.latest else self.progress.version or ""

    @property
    def amounts(self) -> "tuple[Amount, Amount]":
        """Provisioned concurrency before and after."""
        amount = provisioned.Amount
        return amount.of(self.change.before), amount.of(self.change.after, provisioned.mark_of(self.change.id))

    @property
    def phase(self) -> Phase:
        """Progress of a memory change."""
        return self.progress.phase or Phase.NEW


def stale(work: Work, live: LiveFunction) -> str:
    """Return how the live state differs from the planned one; empty if it does not."""
    if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
        same = provisioned.is_held(work.amounts[0], live)
        return "" if same else "the provisioned concurrency differs from the planned one"
    plan = work.memory
    if work.latest and live.latest.content != work.change.before["content"]:
        return "the function was deployed after the change was planned"
    if live.alias_version != plan.version:
        return f"the alias points at version {live.alias_version}, not at {plan.version} as planned"
    if live.version.memory_mb != plan.before_mb:
        return f"the function has {live.version.memory_mb} MB, not {plan.before_mb} as planned"
    if plan.weight > 0 and live.provisioned is not None:
        return "the alias has got provisioned concurrency, which does not allow a canary"
    return ""


def moved(work: Work, live: LiveFunction) -> str:
    """Return what somebody else changed during the observation, in words; empty if nothing."""
    if work.change.tuner is Tuner.PROVISIONED_CONCURRENCY:
        same = provisioned.is_held(work.amounts[1], live)
        return "" if same else "somebody else changed the provisioned concurrency"
    plan = work.memory
    if work.latest:
        same = live.latest.content == work.change.before["content"] and live.latest.memory_mb == plan.after_mb
        return "" if same else "the function was changed by a deployment"
    candidate = work.observed_version
    expected = (plan.version, {candidate}) if plan.weight else (candidate, set())
    # Lambda's own weights stand until it has moved the environments.
    weights = set(live.weights) - {live.leaving}
    if (live.alias_version, weights) != expected:
        return "the alias was changed by a deployment"
    if plan.weight and live.latest.content != live.version.content:
        # A deployment begins with new code in $LATEST and then shifts traffic itself, so our weights make way for its.
        return "a deployment has begun: $LATEST holds code or configuration that was not released"
    return ""
