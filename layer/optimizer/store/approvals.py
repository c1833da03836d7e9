"""The approval request of a run, with its responses."""

from optimizer.core import Approval, canonical_json
from optimizer.store import table
from optimizer.store.table import Item, ItemTable


class ApprovalRecords:
    """Approval requests. Part of RunStore."""

    _table: ItemTable

    def put_approval(self, approval: Approval) -> bool:
        """Record the approval request of a run; return False if there is one already."""
        item: Item = {
            "pk": f"RUN#{approval.run_id}",
            "sk": "APPROVAL",
            "document": table.json_text(canonical_json.plain(approval)),
            "digest": approval.digest,
            "status": approval.status.value,
        }
        return self._table.write(table.put(item, "attribute_not_exists(pk)"))

    def approval(self, run_id: str) -> Approval | None:
        """Return the approval request of a run with its responses, or None."""
        item = self._table.get(f"RUN#{run_id}", "APPROVAL")
        return Approval.from_document(table.read_json(item, "document")) if item else None

    def replace_approval(self, before: Approval, after: Approval) -> bool:
        """Replace the stored approval request; return False, without a write, if it no longer equals `before`."""
        documents = [table.json_text(canonical_json.plain(approval)) for approval in (before, after)]
        values: Item = {"document": documents[1], "digest": after.digest, "status": after.status.value}
        return self._table.write(
            table.update(f"RUN#{after.run_id}", "APPROVAL", values, "#document = :before", {"before": documents[0]}),
            exactly=True,
        )
