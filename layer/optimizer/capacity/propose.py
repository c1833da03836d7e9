"""Proposes a memory size and an amount of provisioned concurrency for one function, or says why neither. Pure.

Each is decided by itself, and only if it is asked for. A function still gets one change of the two at a time: which one
waits depends on what the policy, cool-downs and people allow, and check_guardrails knows that for the whole run.
"""

from collections.abc import Collection, Mapping
from typing import Any

from optimizer.capacity.function_facts import FunctionFacts, Proposal
from optimizer.capacity.memory.facts import memory_facts
from optimizer.capacity.provisioned import held_facts
from optimizer.core import NoChange, Tuner
from optimizer.policy import Policy

TUNERS = (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)
_EVIDENCE = {Tuner.MEMORY: memory_facts, Tuner.PROVISIONED_CONCURRENCY: held_facts}


def plan_function(facts: FunctionFacts, policy: Policy, asked: Collection[Tuner] = TUNERS) -> list[Proposal]:
    """Return a proposal, or the reason for none, for each of the two tuners that is asked for.

    A function with a change under observation gets none: the change would be judged by calls of both."""
    if facts.observed:
        return [
            NoChange(facts.run_id, tuner, facts.target, facts.observed, read(facts))
            for tuner, read in _EVIDENCE.items()
            if tuner in asked
        ]
    return [_plan(tuner, facts, policy) for tuner in TUNERS if tuner in asked]


def _plan(tuner: Tuner, facts: FunctionFacts, policy: Policy) -> Proposal:
    # Most runs ask for one of the two.
    if tuner is Tuner.MEMORY:
        from optimizer.capacity.memory import plan_memory

        return plan_memory(facts, policy)
    from optimizer.capacity.provisioned import plan_provisioned

    return plan_provisioned(facts, policy)


def evidence_of(facts: FunctionFacts, asked: Collection[Tuner]) -> dict[str, Mapping[str, Any]]:
    """Return the facts that were looked at for the tuners that are not asked for."""
    return {tuner.value: read(facts) for tuner, read in _EVIDENCE.items() if tuner not in asked}
