"""The steps of a memory change of a function that is only called as $LATEST: set the size, observe it, restore it.

There is no version to compare with or to fall back to, so there is no canary: every call gets the new size at once.
Pure; executor.py runs the actions.
"""

from optimizer.capacity.live_function import LiveFunction
from optimizer.capacity.memory.steps import Abandon, Done, Phase, Plan, SetLatestMemory, Wait

type Action = SetLatestMemory | Wait | Done | Abandon

_SET_BY_US = frozenset({Phase.RESIZING, Phase.DONE})


def apply(plan: Plan, phase: Phase, live: LiveFunction) -> Action:
    """Return the next action on the way to the new size."""
    if live.latest.failed:
        return Abandon("the update of the function failed", failed=True)
    if not live.latest.settled:
        return Wait("the function is being updated")
    if live.latest.memory_mb == plan.before_mb:
        return SetLatestMemory(plan.after_mb)
    if live.latest.memory_mb == plan.after_mb and phase in _SET_BY_US:
        return Done()
    return Abandon(f"somebody else gave the function {live.latest.memory_mb} MB")


def revert(plan: Plan, phase: Phase, live: LiveFunction) -> Action:
    """Return the next action on the way back; a size that somebody else set stays."""
    if live.latest.memory_mb == plan.before_mb or phase not in _SET_BY_US:
        return Done()
    if live.latest.memory_mb != plan.after_mb:
        return Done(f"somebody else gave the function {live.latest.memory_mb} MB, which stays")
    if not live.latest.settled and not live.latest.failed:
        return Wait("the function is being updated")
    return SetLatestMemory(plan.before_mb)
