"""The lock that lets one run act at a time."""

from datetime import datetime, timedelta

from optimizer.store import table
from optimizer.store.errors import LockContended
from optimizer.store.table import Item, ItemTable

_LOCK_ATTEMPTS = 5


class RunLock:
    """The run lock. Part of RunStore."""

    _table: ItemTable

    def take_lock(self, run_id: str, now: datetime, lease: timedelta) -> str:
        """Take the lock, or extend it if the run holds it. Return the run that holds it afterwards."""
        item: Item = {
            "pk": "LOCK",
            "sk": "RUN",
            "run_id": run_id,
            "taken_at": now.isoformat(),
            "expires_at": table.timestamp(now + lease),
        }
        # A clock that is slow must not shorten a lease.
        longer = "#run_id = :run_id AND #expires_at < :expires_at"
        free = f"attribute_not_exists(pk) OR #expires_at <= :now OR {longer}"
        values: Item = {"now": table.timestamp(now), "run_id": run_id, "expires_at": item["expires_at"]}
        for _ in range(_LOCK_ATTEMPTS):
            if self._table.write(table.put(item, free, values)):
                return run_id
            held = self._table.get("LOCK", "RUN")
            if held is not None:
                return str(held["run_id"])
        raise LockContended(f"the run lock changed hands at each of {_LOCK_ATTEMPTS} attempts to read it; try again")

    def seize_lock(self, holder: str, now: datetime, lease: timedelta) -> None:
        """Take the lock from any other holder. Only for a caller that then stops every active run."""
        item: Item = {
            "pk": "LOCK",
            "sk": "RUN",
            "run_id": holder,
            "taken_at": now.isoformat(),
            "expires_at": table.timestamp(now + lease),
        }
        self._table.write(table.put(item))

    def release_lock(self, run_id: str) -> None:
        """Release the lock if this run still holds it."""
        self._table.write(table.delete("LOCK", "RUN", "#run_id = :run_id", {"run_id": run_id}))

    def lock_holder(self, now: datetime) -> str | None:
        """Return the run that holds the lock, or None if it is free or its lease has ended."""
        held = self._table.get("LOCK", "RUN")
        return str(held["run_id"]) if held and int(held["expires_at"]) > table.timestamp(now) else None
