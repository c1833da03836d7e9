"""What a planner found for its batch, database or cache, as it is stored for check_guardrails and answered."""

from dataclasses import dataclass, field
from typing import Any

from optimizer.core import Change, NoChange
from optimizer.store.documents import Documents


@dataclass(slots=True)
class Proposals:
    """Changes, what is left as it is and why, and the targets that could not be looked at, and why."""

    changes: list[Change] = field(default_factory=list)
    no_changes: list[NoChange] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)

    def add(self, decision: Change | NoChange) -> None:
        """Put a decision where it belongs."""
        if isinstance(decision, Change):
            self.changes.append(decision)
        else:
            self.no_changes.append(decision)

    def write(self, documents: Documents, run_id: str, name: str) -> None:
        """Store them among the run's proposals, the Changes with their ids and digests."""
        changes = [change.to_document() for change in self.changes]
        document = {"changes": changes, "no_changes": self.no_changes, "failed": self.failed}
        documents.write(f"runs/{run_id}/proposals/{name}.json", document)

    def answer(self, run_id: str, **of: str) -> dict[str, Any]:
        """What the step answers: counts only. of: the batch or the target that was planned."""
        return {
            "outcome": "planned",
            "run_id": run_id,
            **of,
            "changes": len(self.changes),
            "no_changes": len(self.no_changes),
            "failed": len(self.failed),
        }
