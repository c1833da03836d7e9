"""Which plans of pings are in place and how much they keep warm, so that the limits on all together hold when each is
put in place. Items `WARMUPS` / `PLAN#<function_name>#<change_id>`: `environments`, `usd_day`, `until`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optimizer.store import table
from optimizer.store.table import ItemTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_PARTITION = "WARMUPS"
_PLAN = "PLAN#"
_KEPT = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeptWarm:
    """What plans keep warm together: the sum of each plan's most environments at once, and what a day of it costs."""

    environments: int
    usd_day: float


class PlansInPlace:
    """A plan is recorded before it is put in place, and ends when it is replaced, taken away or over."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def record(self, function_name: str, change_id: str, kept: KeptWarm, until: datetime) -> None:
        """Record a plan. `until`: when its last pings have worn off."""
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
        """What the plans of all other functions keep warm. Of one whose plan is just being replaced, the larger."""
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
            sum(one.environments for one in kept.values()),
            sum(one.usd_day for one in kept.values()),
        )

    def end(self, function_name: str, change_id: str, now: datetime) -> None:
        """The plan of this Change is not in place any more."""
        self._end(f"{_PLAN}{function_name}#{change_id}", now)

    def end_others(self, function_name: str, change_id: str, now: datetime) -> None:
        """Nor are the function's other plans than that of this Change."""
        for item in self._table.query(_PARTITION, f"{_PLAN}{function_name}#"):
            if item["sk"] != f"{_PLAN}{function_name}#{change_id}" and int(item["until"]) > table.timestamp(now):
                self._end(str(item["sk"]), now)

    def _end(self, sk: str, now: datetime) -> None:
        self._table.write(table.update(_PARTITION, sk, {"until": table.timestamp(now)}, "attribute_exists(pk)"))
