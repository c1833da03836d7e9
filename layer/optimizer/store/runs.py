"""Records of runs with their facts, of the run lock, and of sent messages. The state machine releases the lock."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer.store import table
from optimizer.store.errors import LockContended, NoSuchRun
from optimizer.store.table import Item, ItemTable

# Index of the table: `kind` (run, change, or ended for a change that has ended) and `at`, its beginning or end.
_BY_KIND = "by_kind"
_LOCK_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Publication:
    """A message about a run or a change: `message_id` is empty until the topic has taken it."""

    message_id: str
    started_at: datetime


class RunRecords:
    """Runs, the run lock and sent messages. Part of RunStore."""

    _table: ItemTable

    def record_run(self, run_id: str, now: datetime, **facts: Any) -> None:
        """Record that the run is active, with facts about it. Facts recorded earlier under other names stay."""
        values: Item = {f"fact_{name}": table.json_text(value) for name, value in facts.items()}
        values["run_id"] = run_id
        first: Item = {"status": "running", **_started(now)}
        self._table.write(table.update(f"RUN#{run_id}", "RUN", values, once=first))

    def finish_run(self, run_id: str, status: str, now: datetime, **facts: Any) -> None:
        """Record the end of the run. Recording the same status again keeps the first time."""
        values: Item = {f"fact_{name}": table.json_text(value) for name, value in facts.items()}
        values |= {"run_id": run_id, "status": status, "finished_at": now.isoformat()}
        other = "attribute_not_exists(#finished_at) OR #status <> :status"
        self._table.write(table.update(f"RUN#{run_id}", "RUN", values, other, {"status": status}, once=_started(now)))

    def run(self, run_id: str) -> dict[str, Any]:
        """Return `run_id`, `status`, `started_at`, `finished_at` (datetimes, the latter after its end) and the facts.

        Raise NoSuchRun if it is not recorded."""
        item = self._table.get(f"RUN#{run_id}", "RUN")
        if item is None:
            raise NoSuchRun(f"no run {run_id} is recorded")
        return _run(item)

    def runs(self, since: datetime, limit: int) -> list[dict[str, Any]]:
        """Return the runs started since then, the newest first, each in the form of `run`."""
        keys = self._table.newest(_BY_KIND, "run", since.astimezone(UTC).isoformat(), limit)
        return [_run(item) for item in self._table.each(keys)]

    # The lock.

    def take_lock(self, run_id: str, now: datetime, lease: timedelta) -> str:
        """Take the lock, or extend it if the run holds it. Return the run that holds it afterwards."""
        item = _lock(run_id, now, lease)
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
        self._table.write(table.put(_lock(holder, now, lease)))

    def lock_holder(self, now: datetime) -> str | None:
        """Return the run that holds the lock, or None if it is free or its lease has ended."""
        held = self._table.get("LOCK", "RUN")
        return str(held["run_id"]) if held and int(held["expires_at"]) > table.timestamp(now) else None

    # Publications.

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


def _lock(holder: str, now: datetime, lease: timedelta) -> Item:
    return {
        "pk": "LOCK",
        "sk": "RUN",
        "run_id": holder,
        "taken_at": now.isoformat(),
        "expires_at": table.timestamp(now + lease),
    }


def _run(item: Item) -> dict[str, Any]:
    facts: dict[str, Any] = {name[5:]: table.read_json(item, name) for name in item if name.startswith("fact_")}
    times: dict[str, Any] = {
        name: datetime.fromisoformat(str(item[name])) for name in ("started_at", "finished_at") if name in item
    }
    return {**facts, **times, "run_id": str(item["run_id"]), "status": str(item["status"])}


def _started(now: datetime) -> dict[str, str | int]:
    return {"started_at": now.isoformat(), "kind": "run", "at": now.astimezone(UTC).isoformat()}
