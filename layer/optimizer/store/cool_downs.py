"""How long a resource is left alone after a change, and which values did worse on it."""

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
        """Leave the target alone until then. A cool-down that lasts longer stays."""
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
        """Until when each of the targets is left alone, for those that were ever changed; may lie in the past."""
        items = self._table.each((f"TARGET#{target}", f"COOLDOWN#{tuner.value}") for target in targets)
        return {str(item["pk"]).removeprefix("TARGET#"): datetime.fromisoformat(str(item["until"])) for item in items}

    def remember_taken_back(self, target: str, tuner: Tuner, value: str, now: datetime, reason: str) -> None:
        """This value of the tuner's knob did worse on the target; it is not to be tried again for three months."""
        item: Item = {
            "pk": f"TARGET#{target}",
            "sk": f"TAKEN_BACK#{tuner.value}#{value}",
            "at": now.astimezone(UTC).isoformat(),
            "expires_at": table.timestamp(now + _REMEMBERED),
            "reason": reason,
        }
        self._table.write(table.put(item))

    def taken_back(self, target: str, tuner: Tuner, now: datetime) -> dict[str, str]:
        """The values that did worse on the target, and why."""
        prefix = f"TAKEN_BACK#{tuner.value}#"
        return {
            str(item["sk"]).removeprefix(prefix): str(item["reason"])
            for item in self._table.query(f"TARGET#{target}", prefix)
            if int(item["expires_at"]) > table.timestamp(now)
        }
