"""Proposes a memory size or an amount of provisioned concurrency for one function, or says why neither. Pure.

Both are decided on one bill: the memory size changes the duration, the duration changes the environments needed, and
those decide whether provisioned concurrency pays. A function gets one change at a time, the one that saves more; the
other waits for the end of the observation.
"""

from optimizer.capacity.function_facts import FunctionFacts, Proposal
from optimizer.capacity.memory.propose import memory_limits, plan_memory
from optimizer.capacity.provisioned import held_facts, plan_provisioned
from optimizer.core import Change, NoChange, Tuner
from optimizer.policy import Policy

__all__ = ["FunctionFacts", "Proposal", "memory_limits", "plan_function"]


def plan_function(facts: FunctionFacts, policy: Policy) -> list[Proposal]:
    """Return a proposal for the memory size and one for provisioned concurrency; at most one of them is a Change."""
    memory = plan_memory(facts, policy)
    provisioned = plan_provisioned(facts, policy)
    if not (isinstance(memory, Change) and isinstance(provisioned, Change)):
        return [memory, provisioned]
    # An alias with provisioned concurrency does not allow the canary that a memory change needs.
    if memory.evidence["canary_weight"] > 0 or _saving(memory) >= _saving(provisioned):
        return [memory, _postponed(provisioned, facts, "memory size")]
    return [_postponed(memory, facts, "provisioned concurrency"), provisioned]


def _saving(change: Change) -> float:
    return -change.effect.usd_month.estimate if change.effect.usd_month else 0.0


def _postponed(change: Change, facts: FunctionFacts, first: str) -> NoChange:
    held = held_facts(facts) if change.tuner is Tuner.PROVISIONED_CONCURRENCY else {}
    evidence = {"wanted": dict(change.after), **held}
    reason = f"One change of a function at a time: its {first} first; this is decided again after the observation."
    return NoChange(change.run_id, change.tuner, change.target, reason, evidence)
