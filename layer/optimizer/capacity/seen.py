"""All that is known of one function when its capacity is decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.capacity.demand import Demand
from optimizer.capacity.live import LiveFunction
from optimizer.capacity.observed import FunctionHistory
from optimizer.capacity.obstacles import Obstacle
from optimizer.changes import Change, NoChange

type Proposal = Change | NoChange


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of one function. calls_day: None is not known. need_most: the most environments ever needed at
    once, None if not known. scan: what reading its log cost, for the evidence. taken_back: sizes that were tried and
    did worse."""

    run_id: str
    target: str
    live: LiveFunction
    history: FunctionHistory
    demand: Demand
    calls_day: float | None
    need_most: int | None
    scan: Mapping[str, Any]
    taken_back: Collection[int] = ()


def owner_facts(owner: Obstacle | None) -> dict[str, str]:
    """The evidence that a template owns the knob."""
    return {"owner": owner.rule, "template_line": owner.message} if owner else {}
