"""Records of runs, each with its facts."""

from datetime import UTC, datetime
from typing import Any

from optimizer.store import table
from optimizer.store.errors import NoSuchRun
from optimizer.store.table import Item, ItemTable

# Index of the table: `kind` (run, change, or ended for a change that has ended) and `at`, its beginning or end.
_BY_KIND = "by_kind"


class RunRecords:
    """Runs. Part of RunStore."""

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


def _run(item: Item) -> dict[str, Any]:
    facts: dict[str, Any] = {name[5:]: table.read_json(item, name) for name in item if name.startswith("fact_")}
    times: dict[str, Any] = {
        name: datetime.fromisoformat(str(item[name])) for name in ("started_at", "finished_at") if name in item
    }
    return {**facts, **times, "run_id": str(item["run_id"]), "status": str(item["status"])}


def _started(now: datetime) -> dict[str, str | int]:
    return {"started_at": now.isoformat(), "kind": "run", "at": now.astimezone(UTC).isoformat()}
