"""Records of the memory sizes that kept changes have replaced."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from optimizer.aws import DynamoDBClient
from optimizer.core import Change, Replaced, Tuner
from optimizer.store import table
from optimizer.store.table import Item, ItemTable

# Whoever sets a size again at each deployment does so for years, and some deploy a few times a year only.
_REMEMBERED = timedelta(days=365)


class ReplacedSizes:
    """Sizes by function: who sets one of them again owns the size."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def remember(self, change: Change, now: datetime) -> None:
        """Record that a change was kept; a second time does nothing."""
        before, after = str(change.before["memory_mb"]), str(change.after["memory_mb"])
        earlier = self.of([change.target], now).get(change.target)
        if earlier and earlier.change.digest == change.digest:
            return
        self._write(Replaced.by(change, before, after, now, earlier), now + _REMEMBERED)

    def forget(self, change: Change, now: datetime) -> None:
        """Record that a change was rolled back: its function has an earlier size because we set it."""
        if self.of([change.target], now):
            self._write(Replaced(change, frozenset(), now, ""), now)

    def of(self, targets: Iterable[str], now: datetime) -> dict[str, Replaced]:
        """Return the sizes that were replaced in the last year, of each function that has any."""
        return {
            str(item["pk"]).removeprefix("TARGET#"): Replaced(
                Change.from_document(table.read_json(item, "change")),
                frozenset(table.read_json(item, "values")),
                datetime.fromisoformat(str(item["at"])),
                str(item["after"]),
            )
            for item in self._table.each(_key(target) for target in targets)
            if int(item["expires_at"]) > table.timestamp(now)
        }

    def _write(self, replaced: Replaced, until: datetime) -> None:
        pk, sk = _key(replaced.change.target)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "at": replaced.at.astimezone(UTC).isoformat(),
            "expires_at": table.timestamp(until),
            "change": table.json_text(replaced.change.to_document()),
            "values": table.json_text(sorted(replaced.values)),
            "after": replaced.after,
        }
        self._table.write(table.put(item))


def _key(target: str) -> tuple[str, str]:
    return f"TARGET#{target}", f"REPLACED#{Tuner.MEMORY.value}"
