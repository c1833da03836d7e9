"""The approval request of a run, with its responses."""

from datetime import UTC, datetime

from optimizer import core
from optimizer.core import canonical_json
from optimizer.store import table
from optimizer.store.table import Item, ItemTable

_OPEN, _CLOSED = "asked", "answered"


class ApprovalRecords:
    """Approval requests. Part of RunStore."""

    _table: ItemTable

    def put_approval(self, approval: "core.Approval") -> bool:
        """Record the approval request of a run; return False if there is one already."""
        item: Item = {
            "pk": f"RUN#{approval.run_id}",
            "sk": "APPROVAL",
            "document": table.json_text(canonical_json.plain(approval)),
            "digest": approval.digest,
            "status": approval.status.value,
            "kind": _kind(approval),
            "at": approval.asked_at.astimezone(UTC).isoformat(),
        }
        return self._table.write(table.put(item, "attribute_not_exists(pk)"))

    def approval(self, run_id: str) -> "core.Approval | None":
        """Return the approval request of a run with its responses, or None."""
        item = self._table.get(f"RUN#{run_id}", "APPROVAL")
        return core.Approval.from_document(table.read_json(item, "document")) if item else None

    def open_approvals(self, since: datetime) -> "list[core.Approval]":
        """Return the approval requests since then that wait for a response, the newest first.

        Those of an earlier version are not listed; the run that waits for such a request holds the lock."""
        keys = self._table.newest("by_kind", _OPEN, since.astimezone(UTC).isoformat(), None)
        found = (core.Approval.from_document(table.read_json(item, "document")) for item in self._table.each(keys))
        return [approval for approval in found if approval.status is core.ApprovalStatus.PENDING]

    def replace_approval(self, before: "core.Approval", after: "core.Approval") -> bool:
        """Replace the stored approval request; return False, without a write, if it no longer equals `before`."""
        documents = [table.json_text(canonical_json.plain(approval)) for approval in (before, after)]
        values: Item = {
            "document": documents[1],
            "digest": after.digest,
            "status": after.status.value,
            "kind": _kind(after),
            "at": after.asked_at.astimezone(UTC).isoformat(),
        }
        return self._table.write(
            table.update(f"RUN#{after.run_id}", "APPROVAL", values, "#document = :before", {"before": documents[0]}),
            exactly=True,
        )


def _kind(approval: "core.Approval") -> str:
    """Return the kind by which the index lists requests that wait."""
    return _OPEN if approval.status is core.ApprovalStatus.PENDING else _CLOSED
