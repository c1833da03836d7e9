"""What became of each ping, kept for the watch of its Change: one item a minute, so that a ping that is delivered
twice counts once."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from optimizer import table
from optimizer.table import Table
from optimizer.warmups.warm import Warmed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Ping:
    """A ping that was carried out. minute: of the plan, since 1970."""

    minute: int
    asked: int
    environments: int
    cold: int
    failed: int
    error: str


class PingLog:
    """Items `CHANGE#<change_id>` / `PING#<minute>` of the application's table."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = Table(dynamodb, table_name)

    def record(self, change_id: str, minute: int, warmed: Warmed, now: datetime) -> None:
        """Record what the ping of this minute met."""
        self._table.write(
            table.put(
                {
                    "pk": f"CHANGE#{change_id}",
                    "sk": f"PING#{minute:012d}",
                    "minute": minute,
                    "asked": warmed.asked,
                    "environments": warmed.environments,
                    "cold": warmed.cold,
                    "failed": warmed.failed,
                    "error": warmed.error,
                    "expires_at": table.timestamp(now + _KEPT),
                }
            )
        )

    def record_replaced(self, change_id: str, minute: int, by: str, now: datetime) -> None:
        """Record that from this minute on the pings of another Change are in place."""
        self._table.write(
            table.put(
                {
                    "pk": f"CHANGE#{change_id}",
                    "sk": "REPLACED",
                    "minute": minute,
                    "by": by,
                    "expires_at": table.timestamp(now + _KEPT),
                },
                "attribute_not_exists(pk)",
            )
        )

    def replaced_at(self, change_id: str) -> int | None:
        """The minute from which the pings of another Change are in place, if they are."""
        item = self._table.get(f"CHANGE#{change_id}", "REPLACED")
        return int(item["minute"]) if item else None

    def between(self, change_id: str, first_minute: int, end_minute: int) -> Iterator[Ping]:
        """The pings of the minutes first..end, end not included."""
        for item in self._table.query(f"CHANGE#{change_id}", "PING#"):
            if first_minute <= int(item["minute"]) < end_minute:
                yield Ping(
                    **{name: int(item[name]) for name in ("minute", "asked", "environments", "cold", "failed")},
                    error=str(item["error"]),
                )
