"""The steps of a memory change, one at a time: decide from what is recorded and what is live what to do next. Pure.

The plan of a canary: $LATEST gets the new size, is published, and gets its old size back at once, so that a deployment
by the team during the observation releases nothing of ours. The new version then gets a share of the alias' calls.
Keeping the change moves the alias over and gives $LATEST the new size; rolling back only moves the alias.

Every write is guarded by the revision that was read with the state it was decided on, and the version on the alias is
judged by its content, never by what was recorded as done. So a step may die after any call and be run again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from optimizer.capacity.live_function import LiveFunction, ProvisionedConfig, Version


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned change.

    version, before_mb: of the alias before. weight: the canary's share of the calls (0 to 1); 0 moves the whole alias
    at once, where provisioned concurrency forbids weights. provisioned: environments that the alias holds.
    """

    version: str
    before_mb: int
    after_mb: int
    weight: float
    provisioned: int = 0


class Phase(StrEnum):
    """The progress of the change, recorded before each write that it allows.

    Only in RESIZING, PUBLISHING and KEEPING may a new size of $LATEST be ours.
    """

    NEW = "new"
    RESIZING = "resizing"
    PUBLISHING = "publishing"
    ROUTING = "routing"
    KEEPING = "keeping"
    DONE = "done"


_MOVES = "Lambda moves the provisioned environments to the version, which takes up to 15 minutes"
_OURS_IN_LATEST = frozenset({Phase.RESIZING, Phase.PUBLISHING, Phase.KEEPING, Phase.DONE})


@dataclass(frozen=True, slots=True)
class SetLatestMemory:
    """Give $LATEST this size."""

    memory_mb: int


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish $LATEST."""


@dataclass(frozen=True, slots=True)
class Route:
    """Point the alias at a version, with weights for others."""

    version: str
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Provision:
    """Set the provisioned concurrency that the alias had."""

    environments: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Lambda is at work; try again later. soon: it may end within this call."""

    reason: str
    soon: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """The step is complete. note: for the people who read the change; may be empty."""

    note: str = ""


@dataclass(frozen=True, slots=True)
class Abandon:
    """The change cannot go on: what is ours must be removed, and what the team set stays.

    failed: Lambda could not do it; otherwise the team deployed in between.
    """

    reason: str
    failed: bool = False


type Action = SetLatestMemory | Publish | Route | Provision | Wait | Done | Abandon


def apply(plan: Plan, phase: Phase, candidate: Version | None, live: LiveFunction) -> Action:
    """Return the next action on the way to the canary. candidate: the version we published, if we have."""
    theirs = _theirs(plan, candidate, live)
    if theirs:
        return Abandon(theirs)
    if live.leaving:
        return _until_moved(live)
    if live.latest.failed:
        return Abandon("the update of $LATEST failed", failed=True)
    if not live.latest.settled:
        return Wait("$LATEST is being updated")
    if candidate is None:
        return _towards_candidate(plan, phase, live)
    return _towards_calls(plan, phase, candidate, live)


def keep(plan: Plan, candidate: Version, live: LiveFunction) -> Action:
    """Return the next action on the way to the new size for every call."""
    if live.leaving and live.alias_version in (plan.version, candidate.name):
        return _until_moved(live)
    moved = live.alias_version == candidate.name and not live.weights
    if not moved:
        theirs = _theirs(plan, candidate, live)
        if theirs:
            return Abandon(theirs)
        return Route(candidate.name, {})
    if live.latest.content != candidate.content or live.latest.memory_mb not in (plan.before_mb, plan.after_mb):
        note = (
            f"$LATEST holds something else than version {candidate.name} and was not changed: "
            f"set its memory size to {plan.after_mb} MB before it is released"
        )
        return _provisioned(plan, live) or Done(note)
    if not live.latest.settled:
        return Wait("$LATEST is being updated")
    if live.latest.memory_mb == plan.before_mb:
        return SetLatestMemory(plan.after_mb)
    return _provisioned(plan, live) or Done()


def revert(plan: Plan, phase: Phase, candidate: Version | None, live: LiveFunction) -> Action:
    """Return the next action on the way back; what the team did meanwhile stays."""
    if candidate is not None and live.alias_version == candidate.name:
        # Weights that Lambda itself left on the alias name the version to go back to, or ours; neither is written back.
        return Route(plan.version, _without(live.weights, plan.version, candidate.name))
    if live.leaving and live.provisioned is not None and live.provisioned.status == "IN_PROGRESS":
        return Wait(_MOVES, soon=False)
    if candidate is not None and candidate.name in live.weights:
        return Route(live.alias_version, _without(live.weights, live.alias_version, candidate.name))
    if phase in _OURS_IN_LATEST and live.latest.memory_mb == plan.after_mb:
        # Only the size is ours; code that the team put there meanwhile is not touched.
        if not live.latest.settled and not live.latest.failed:
            return Wait("$LATEST is being updated")
        return SetLatestMemory(plan.before_mb)
    if live.alias_version != plan.version:
        return Done(f"the alias points at version {live.alias_version}, which somebody deployed meanwhile")
    return _provisioned(plan, live) or Done()


def _theirs(plan: Plan, candidate: Version | None, live: LiveFunction) -> str:
    """Return what somebody else changed on the alias or in $LATEST, in words; empty if nothing."""
    ours = {plan.version} if candidate is None or plan.weight else {plan.version, candidate.name}
    if live.alias_version not in ours:
        return f"the alias was moved to version {live.alias_version}"
    # Weights of Lambda's own, while it moves an alias with provisioned concurrency, are nobody's canary.
    if not live.leaving and set(live.weights) - ({candidate.name} if candidate else set()):
        return f"somebody else shifts traffic of the alias to version {', '.join(sorted(live.weights))}"
    if live.latest.content != live.version.content:
        return "$LATEST holds code or configuration that was not released"
    if live.latest.memory_mb not in (plan.before_mb, plan.after_mb):
        return f"$LATEST was given {live.latest.memory_mb} MB"
    return ""


def _towards_candidate(plan: Plan, phase: Phase, live: LiveFunction) -> Action:
    if live.latest.memory_mb == plan.before_mb:
        return SetLatestMemory(plan.after_mb)
    if phase is Phase.NEW:
        return Abandon(f"$LATEST has {live.latest.memory_mb} MB, which was not released")
    return Publish()


def _towards_calls(plan: Plan, phase: Phase, candidate: Version, live: LiveFunction) -> Action:
    if candidate.content != live.version.content or candidate.memory_mb != plan.after_mb:
        return Abandon(f"version {candidate.name} is not what was to be published")
    if candidate.failed:
        return Abandon(f"version {candidate.name} failed to start", failed=True)
    if live.latest.memory_mb == plan.after_mb:
        if phase is Phase.ROUTING:
            return Abandon(f"somebody else gave $LATEST {plan.after_mb} MB")
        return SetLatestMemory(plan.before_mb)
    if not candidate.settled:
        return Wait(f"version {candidate.name} is being prepared")
    if plan.weight == 0:
        return _direct(plan, candidate, live)
    if live.provisioned is not None and candidate.name not in live.weights:
        return Abandon("the alias has got provisioned concurrency, which does not allow a canary")
    return Done() if candidate.name in live.weights else Route(plan.version, {candidate.name: plan.weight})


def _direct(plan: Plan, candidate: Version, live: LiveFunction) -> Action:
    if live.alias_version == plan.version:
        return Route(candidate.name, {})
    if live.provisioned is not None and live.provisioned.status == "FAILED":
        return _not_allocated(live.provisioned)
    return _provisioned(plan, live) or Done()


def _provisioned(plan: Plan, live: LiveFunction) -> Action | None:
    """Return the action that restores what the alias had; Lambda moves it along with the alias, within minutes."""
    if plan.provisioned == 0 or live.scaling is not None:
        return None
    if live.provisioned is None:
        return None if live.weights else Provision(plan.provisioned)
    return Wait(_MOVES, soon=False) if live.provisioned.status == "IN_PROGRESS" else None


def _until_moved(live: LiveFunction) -> Action:
    """Return the wait for environments that Lambda prepares, up to 15 minutes; the old version serves until then."""
    if live.provisioned is not None and live.provisioned.status == "FAILED":
        return _not_allocated(live.provisioned)
    return Wait(_MOVES, soon=False)


def _not_allocated(provisioned: ProvisionedConfig) -> Abandon:
    reason = provisioned.reason or "no reason given"
    return Abandon(f"the provisioned environments could not be allocated: {reason}", failed=True)


def _without(weights: Mapping[str, float], *versions: str) -> dict[str, float]:
    return {version: weight for version, weight in weights.items() if version not in versions}
