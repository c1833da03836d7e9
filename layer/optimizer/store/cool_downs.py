"""Cool-downs of resources after a change, and the values that did worse on them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from optimizer.core import Tuner
from optimizer.store import table
from optimizer.store.table import Item, ItemTable

_REMEMBERED = timedelta(days=90)


class CoolDownRecords:
    """Cool-downs. Part of RunStore."""

    _table: ItemTable

    def cool_down(self, target: str, tuner: Tuner, until: datetime, change_id: str) -> None:
        """Record a cool-down of the target until then. A longer one stays."""
        item: Item = {
            "pk": f"TARGET#{target}",
            "sk": f"COOLDOWN#{tuner.value}",
            "until": until.astimezone(UTC).isoformat(),
            "expires_at": table.timestamp(until),
            "change_id": change_id,
        }
        longer = "attribute_not_exists(pk) OR #expires_at < :expires_at"
        self._table.write(table.put(item, longer, {"expires_at": item["expires_at"]}))

    def cool_downs(self, targets: Iterable[str], tuner: Tuner) -> dict[str, datetime]:
        """Return the end of the cool-down of each target that was ever changed. It may be in the past."""
        items = self._table.each((f"TARGET#{target}", f"COOLDOWN#{tuner.value}") for target in targets)
        return {str(item["pk"]).removeprefix("TARGET#"): datetime.fromisoformat(str(item["until"])) for item in items}

    def remember_taken_back(self, target: str, tuner: Tuner, value: str, now: datetime, reason: str) -> None:
        """Record that this value of the tuner's setting did worse on the target; it is not tried for 90 days."""
        item: Item = {
            "pk": f"TARGET#{target}",
            "sk": f"TAKEN_BACK#{tuner.value}#{value}",
            "at": now.astimezone(UTC).isoformat(),
            "expires_at": table.timestamp(now + _REMEMBERED),
            "reason": reason,
        }
        self._table.write(table.put(item))

    def taken_back(self, target: str, tuner: Tuner, now: datetime) -> dict[str, str]:
        """Return the values that did worse on the target in the last 90 days, with the reasons."""
        prefix = f"TAKEN_BACK#{tuner.value}#"
        return {
            str(item["sk"]).removeprefix(prefix): str(item["reason"])
            for item in self._table.query(f"TARGET#{target}", prefix)
            if int(item["expires_at"]) > table.timestamp(now)
        }
