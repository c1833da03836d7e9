"""Records of the messages about runs and changes, so that each is sent once."""

from dataclasses import dataclass
from datetime import datetime

from optimizer.store import table
from optimizer.store.errors import LockContended
from optimizer.store.table import ItemTable


@dataclass(frozen=True, slots=True)
class Publication:
    """A message about a run or a change: `message_id` is empty until the topic has taken it."""

    message_id: str
    started_at: datetime


class PublicationRecords:
    """Publications. Part of RunStore."""

    _table: ItemTable

    def start_publication(self, subject: str, now: datetime) -> Publication:
        """Record that a message about `RUN#<id>` or `CHANGE#<id>` is about to be sent.

        Return the record; it is an earlier one if the message was started before."""
        self._table.write(
            table.put(
                {"pk": subject, "sk": "PUBLICATION", "started_at": now.isoformat(), "message_id": ""},
                "attribute_not_exists(pk)",
            )
        )
        item = self._table.get(subject, "PUBLICATION")
        if item is None:
            raise LockContended(f"the publication record of {subject} was removed while it was read")
        return Publication(str(item["message_id"]), datetime.fromisoformat(str(item["started_at"])))

    def end_publication(self, subject: str, message_id: str) -> None:
        """Record the message id that the topic returned."""
        self._table.write(table.update(subject, "PUBLICATION", {"message_id": message_id}))
