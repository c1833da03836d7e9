"""Active warm-up plans and how much they keep warm, so that each new plan respects the limits on all together.

Items `WARMUPS` / `PLAN#<function_name>#<change_id>`: `environments`, `usd_day`, `until`."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.aws import DynamoDBClient
from optimizer.store import table
from optimizer.store.table import ItemTable

_PARTITION = "WARMUPS"
_PLAN = "PLAN#"
_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeptWarm:
    """Totals of warm-up plans: the sum of each plan's most environments at once, and the cost of a day."""

    environments: int
    usd_day: float


class PlansInPlace:
    """Records of active plans: each is recorded before it is applied, and ends when it is replaced, removed or over."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def record(self, function_name: str, change_id: str, kept: KeptWarm, until: datetime) -> None:
        """Record a plan. `until`: end of the effect of its last pings."""
        self._table.write(
            table.put(
                {
                    "pk": _PARTITION,
                    "sk": f"{_PLAN}{function_name}#{change_id}",
                    "environments": kept.environments,
                    "usd_day": repr(kept.usd_day),
                    "until": table.timestamp(until),
                    "expires_at": table.timestamp(until + _KEPT),
                }
            )
        )

    def elsewhere(self, function_name: str, now: datetime) -> KeptWarm:
        """Return the totals of all other functions. While a plan is being replaced, the larger of both counts."""
        kept: dict[str, KeptWarm] = {}
        for item in self._table.query(_PARTITION, _PLAN):
            name = str(item["sk"]).split("#")[1]
            if name != function_name and int(item["until"]) > table.timestamp(now):
                before = kept.get(name, KeptWarm(0, 0.0))
                kept[name] = KeptWarm(
                    max(before.environments, int(item["environments"])),
                    max(before.usd_day, float(item["usd_day"])),
                )
        return KeptWarm(
            sum(plan.environments for plan in kept.values()),
            sum(plan.usd_day for plan in kept.values()),
        )

    def is_in_place(self, function_name: str, change_id: str, now: datetime) -> bool:
        """Return if the plan of this change is in place now."""
        item = self._table.get(_PARTITION, f"{_PLAN}{function_name}#{change_id}")
        return item is not None and int(item["until"]) > table.timestamp(now)

    def end(self, function_name: str, change_id: str, now: datetime) -> None:
        """Record that the plan of this change has ended."""
        self._end(f"{_PLAN}{function_name}#{change_id}", now)

    def end_others(self, function_name: str, change_id: str, now: datetime) -> None:
        """Record that all plans of the function except that of this change have ended."""
        for item in self._table.query(_PARTITION, f"{_PLAN}{function_name}#"):
            if item["sk"] != f"{_PLAN}{function_name}#{change_id}" and int(item["until"]) > table.timestamp(now):
                self._end(str(item["sk"]), now)

    def _end(self, sk: str, now: datetime) -> None:
        self._table.write(table.update(_PARTITION, sk, {"until": table.timestamp(now)}, "attribute_exists(pk)"))
