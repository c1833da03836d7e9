"""Results of pings, for the observation of their change, and to tell the application's own calls from traffic.

There is one item for each ping of a plan, so that a ping that is delivered twice counts once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from optimizer.aws import DynamoDBClient
from optimizer.core import Warmed, Warmup, minute_of, moment_of
from optimizer.core.ping import Ping
from optimizer.store import table
from optimizer.store.table import ItemTable

_KEPT = timedelta(days=30)
_DEPLOY = "#DEPLOY"
_NUMBERS = ("minute", "at_minute", "asked", "environments", "cold", "calls", "failed", "busy_ms")


class PingLog:
    """Items `PINGS#<function_name>` / `<minute of the plan>#<change_id>` of the application's table, and
    `CHANGE#<change_id>` / `REPLACED`."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)

    def record(self, warmup: Warmup, warmed: Warmed, now: datetime) -> None:
        """Record the result of a ping. `now`: the time of its calls. A ping after a deploy is recorded beside the
        plan's own of the same minute."""
        minute = minute_of(now) if warmup.minute is None else warmup.minute
        self._table.write(
            table.put(
                {
                    "pk": f"PINGS#{warmup.function_name}",
                    "sk": f"{_text(minute)}#{warmup.change_id}{_DEPLOY if warmup.after_deploy else ''}",
                    "change_id": warmup.change_id,
                    "run_id": warmup.run_id,
                    "alias": warmup.alias,
                    "planned": warmup.environments,
                    "planned_hold_ms": warmup.hold_ms,
                    "callers": warmup.callers,
                    "keep_free": warmup.keep_free,
                    "after_deploy": int(warmup.after_deploy),
                    "minute": minute,
                    "at_minute": minute_of(now),
                    "asked": warmed.asked,
                    "environments": warmed.environments,
                    "cold": warmed.cold,
                    "calls": warmed.calls,
                    "failed": warmed.failed,
                    "busy_ms": round(warmed.busy_ms),
                    "error": warmed.error,
                    "held_back": warmed.held_back,
                    "own_code": len(warmed.own_code),
                    "expires_at": table.timestamp(now + _KEPT),
                }
            )
        )

    def between(self, function_name: str, first_minute: int, end_minute: int) -> Iterator[Ping]:
        """Yield the pings of a function that were planned for these minutes, without `end_minute`."""
        if first_minute >= end_minute:
            return
        # Keys continue after the minute, so those of `end_minute` lie behind it.
        for item in self._table.between(f"PINGS#{function_name}", _text(first_minute), _text(end_minute)):
            yield Ping(
                change_id=str(item["change_id"]),
                error=str(item["error"]),
                held_back=str(item.get("held_back", "")),
                after_deploy=bool(int(item.get("after_deploy", 0))),
                own_code=int(item.get("own_code", 0)),
                **{name: int(item[name]) for name in _NUMBERS},
            )

    def latest_warmup(self, function_name: str, alias: str, first_minute: int, end_minute: int) -> Warmup | None:
        """Return the last ping of a plan that was sent to the alias in these minutes, without `end_minute`, as it was
        planned; None if there was none."""
        for item in reversed(self._table.between(f"PINGS#{function_name}", _text(first_minute), _text(end_minute))):
            # Pings of earlier versions of the application have no alias.
            if item.get("alias") == alias and not int(item["after_deploy"]):
                return Warmup(
                    function_name=function_name,
                    alias=alias,
                    environments=int(item["planned"]),
                    hold_ms=int(item["planned_hold_ms"]),
                    run_id=str(item["run_id"]),
                    change_id=str(item["change_id"]),
                    minute=int(item["minute"]),
                    callers=int(item["callers"]),
                    keep_free=int(item["keep_free"]),
                )
        return None

    def record_replaced(self, change_id: str, minute: int, by: str, now: datetime) -> None:
        """Record that from this minute on the pings of another change replace those of this one."""
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
        """Return the minute from which the pings of another change replace those of this one, or None."""
        item = self._table.get(f"CHANGE#{change_id}", "REPLACED")
        return int(item["minute"]) if item else None


def _text(minute: int) -> str:
    return moment_of(minute).astimezone(UTC).strftime("%Y-%m-%dT%H:%M")
