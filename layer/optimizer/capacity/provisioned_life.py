"""The steps of a change of provisioned concurrency, one at a time. Pure; see memory_life for how they are used."""

from dataclasses import dataclass

from optimizer.capacity.live import LiveFunction, Scaling
from optimizer.capacity.memory_life import Abandon, Done, Provision, Wait


@dataclass(frozen=True, slots=True)
class Amount:
    """What the alias holds: environments, or the bounds that Application Auto Scaling keeps it within."""

    environments: int
    bounds: Scaling | None = None


@dataclass(frozen=True, slots=True)
class Scale:
    """Set the bounds of the scaling target."""

    bounds: Scaling


type Action = Provision | Scale | Wait | Done | Abandon


def held(live: LiveFunction) -> Amount:
    """What the alias holds now; with a scaling target, its largest size counts."""
    if live.scaling is not None:
        return Amount(live.scaling.maximum, live.scaling)
    return Amount(live.provisioned.requested if live.provisioned else 0)


def apply(before: Amount, after: Amount, live: LiveFunction) -> Action:
    """The next action on the way from `before` to `after`."""
    now = held(live)
    if (now.bounds is None) != (after.bounds is None):
        return Abandon("a scaling target was made or removed for the alias")
    if now not in (before, after):
        return Abandon(f"somebody else set the provisioned concurrency to {_words(now)}")
    if live.weights:
        return Abandon("traffic of the alias is being shifted, which refuses provisioned concurrency")
    if after.bounds is not None:
        return Done() if now == after else Scale(after.bounds)
    if live.provisioned is not None and live.provisioned.status == "IN_PROGRESS":
        return Wait("environments are being allocated")
    if now == before:
        return Provision(after.environments)
    if live.provisioned is not None and live.provisioned.status == "FAILED":
        reason = live.provisioned.reason or "no reason given"
        return Abandon(f"the environments could not be allocated: {reason}", failed=True)
    return Done()


def revert(before: Amount, after: Amount, live: LiveFunction) -> Action:
    """The next action on the way back to `before`; an amount that somebody else set stays."""
    now = held(live)
    if (now.bounds is None) != (after.bounds is None) or now not in (before, after):
        return Done(f"somebody else set the provisioned concurrency to {_words(now)}, which stays")
    if live.provisioned is not None and live.provisioned.status == "IN_PROGRESS" and after.bounds is None:
        return Wait("environments are being allocated")
    if now == before:
        return Done()
    if before.bounds is not None:
        return Scale(before.bounds)
    if live.weights and before.environments:
        return Wait("traffic of the alias is being shifted, which refuses provisioned concurrency")
    return Provision(before.environments)


def _words(amount: Amount) -> str:
    if amount.bounds is not None:
        return f"{amount.bounds.minimum} to {amount.bounds.maximum}"
    return str(amount.environments)
