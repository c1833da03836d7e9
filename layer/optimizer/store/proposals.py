"""The findings of a planner for its batch, database or cache, stored for check_guardrails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optimizer.core import Change, NoChange
from optimizer.store.documents import Documents, NoSuchDocument


@dataclass(slots=True)
class Proposals:
    """Proposed changes, resources without a needed change, and targets that could not be checked with the reason.

    `evidence`: of resources that a planner only looked at, because the run was not started for that tuner, by target
    and tuner. Reports measure earlier changes by it; it is neither a proposal nor a reason. `advice`: by target; the
    planner that gives it says what each piece is.
    """

    changes: list[Change] = field(default_factory=list)
    no_changes: list[NoChange] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, dict[str, Mapping[str, Any]]] = field(default_factory=dict)
    advice: dict[str, Sequence[object]] = field(default_factory=dict)

    def add(self, decision: Change | NoChange) -> None:
        """Add a decision to the changes or to the resources that need none."""
        if isinstance(decision, Change):
            self.changes.append(decision)
        else:
            self.no_changes.append(decision)

    def write(self, documents: Documents, run_id: str, name: str) -> None:
        """Store the findings among the run's proposals, the changes with their ids and digests."""
        changes = [change.to_document() for change in self.changes]
        document: dict[str, Any] = {"changes": changes, "no_changes": self.no_changes, "failed": self.failed}
        if self.evidence:
            document["evidence"] = self.evidence
        if self.advice:
            document["advice"] = self.advice
        documents.write(f"runs/{run_id}/proposals/{name}.json", document)

    def answer(self, run_id: str, **of: str) -> dict[str, Any]:
        """Return the answer of the step: counts only. `of`: the batch or the target that was planned."""
        return {
            "outcome": "planned",
            "run_id": run_id,
            **of,
            "changes": len(self.changes),
            "no_changes": len(self.no_changes),
            "failed": len(self.failed),
        }


def read_postponed(documents: Documents, run_id: str) -> list[Mapping[str, Any]]:
    """Return the proposals that check_guardrails left to a later run, in the form of resources without a change."""
    try:
        return list(documents.read(f"runs/{run_id}/plan.json").get("postponed", []))
    except NoSuchDocument:
        return []
