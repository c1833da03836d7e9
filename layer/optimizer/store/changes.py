"""Changes, their status, progress and history."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import batched
from typing import Any

from optimizer.core import Change, Judged, Status, StoredChange, Tuner, id_prefix
from optimizer.store import table
from optimizer.store.errors import DifferentChange, NoSuchChange, Overtaken
from optimizer.store.table import Item, ItemTable

# A change is three operations, of which its document is at most some ten kilobytes: far from the four megabytes of a
# transaction.
_RECORDED_AT_ONCE = table.MOST_OPERATIONS // 3
# Index of the table: `kind` (run, change, or ended: a change whose life is over) and `at`, when it began or ended.
_BY_KIND = "by_kind"
_LIFE_OVER = frozenset({Status.KEPT, Status.REVERTED, Status.FAILED})
_EVER = "0"


class ChangeRecords:
    """Changes. Part of RunStore."""

    _table: ItemTable
    _progress_read: dict[str, str | int | None]

    def record_change(
        self, change: Change, status: Status, now: datetime, *, verdict: str = "", rule: str = "", message: str = ""
    ) -> None:
        """Record a proposal with its verdict. A record that exists stays as it is; DifferentChange if it holds
        something else under the same id."""
        if self._table.write(*_first_record(Judged(change, status, verdict, rule, message), now)):
            return
        stored = self.change(change.id)
        if stored.change.digest != change.digest:
            raise DifferentChange(
                f"change {change.id} is recorded with other content; a new run is needed to replace it"
            )

    def record_changes(self, judged: Sequence[Judged], now: datetime) -> None:
        """`record_change` for each, in as few calls as there may be."""
        for group in batched(judged, _RECORDED_AT_ONCE, strict=False):
            # All or none are written: where one is recorded already, each is looked at.
            if len(group) > 1 and self._table.write(*(part for one in group for part in _first_record(one, now))):
                continue
            for one in group:
                self.record_change(one.change, one.status, now, verdict=one.verdict, rule=one.rule, message=one.message)

    def change(self, change_id: str) -> StoredChange:
        """The record; NoSuchChange if there is none."""
        item = self._change_item(change_id)
        self._progress_read[change_id] = item.get("progress")
        return _stored(item)

    def _change_item(self, change_id: str) -> Item:
        item = self._table.get(f"CHANGE#{change_id}", "CHANGE")
        if item is None:
            raise NoSuchChange(f"no change {change_id} is recorded")
        return item

    def changes(self, change_ids: Iterable[str]) -> list[StoredChange]:
        """Those of the changes that are recorded, in the order of their ids."""
        return [_stored(item) for item in self._table.each((f"CHANGE#{name}", "CHANGE") for name in sorted(change_ids))]

    def changes_of(self, run_id: str, tuner: Tuner | None = None) -> Iterator[StoredChange]:
        """All changes of a run, or those of one tuner, in the order of their ids, read as they are taken: a run may
        have thousands."""
        prefix = f"CHANGE#{id_prefix(tuner) if tuner else ''}"
        # A query gives them in the order of their sort keys, which hold the ids.
        pointers = self._table.query(f"RUN#{run_id}", prefix)
        return map(_stored, self._table.each((str(pointer["sk"]), "CHANGE") for pointer in pointers))

    def move(self, change_id: str, to: Status, now: datetime, *, frm: Collection[Status], message: str = "") -> bool:
        """Move a change to a status if it is in one of `frm`, and add to its history. True also if it is already
        there; False if it is elsewhere; NoSuchChange if it is not recorded."""
        names = {f"from_{n}": status.value for n, status in enumerate(sorted(frm))}
        condition = f"#status IN ({', '.join(f':{name}' for name in names)})"
        values: Item = {"status": to.value}
        if message:
            values["message"] = message
        if to in _LIFE_OVER:
            values |= {"kind": "ended", "at": now.astimezone(UTC).isoformat()}
        once: Item = {f"at_{to.value}": now.isoformat()}
        operation = table.update(f"CHANGE#{change_id}", "CHANGE", values, condition, names, once=once)
        if to not in frm and self._table.write(operation, _event(change_id, to, now, message)):
            return True
        return _stored(self._change_item(change_id)).status is to

    def save_progress(self, change_id: str, progress: Mapping[str, Any]) -> None:
        """Replace the acting Lambda's record; call it before each side effect. Overtaken if it is not what `change`
        read or this wrote last: a step whose answer did not arrive is asked for again while its first call may still be
        at work. NoSuchChange if it is not recorded."""
        values: Item = {"progress": table.json_text(progress)}
        known = self._progress_read.get(change_id)
        unchanged, with_ = "#progress = :known", {"known": known} if known is not None else {}
        if known is None:
            unchanged = "attribute_exists(#pk) AND attribute_not_exists(#progress)"
        operation = table.update(f"CHANGE#{change_id}", "CHANGE", values, unchanged, with_)
        if not self._table.write(operation, exactly=True):
            self._change_item(change_id)
            raise Overtaken(f"another call is at work on change {change_id}")
        self._progress_read[change_id] = values["progress"]

    def history(self, change_id: str) -> list[dict[str, Any]]:
        """`{"at", "status", "message"}` of every move of the change, oldest first."""
        return [
            {"at": datetime.fromisoformat(str(item["at"])), "status": item["status"], "message": item["message"]}
            for item in self._table.query(f"CHANGE#{change_id}", "EVENT#")
        ]

    def changes_since(self, since: datetime, limit: int) -> list[StoredChange]:
        """The changes proposed since then and not at the end of a life, and those whose life ended since then."""
        return [*self._newest("change", since, limit), *self.ended_since(since, limit)]

    def ended_since(self, since: datetime, limit: int) -> list[StoredChange]:
        """The changes that were made and then kept, taken back or found to have failed since then, the newest first."""
        return self._newest("ended", since, limit)

    def kept(self, tuner: Tuner) -> list[StoredChange]:
        """All changes of a tuner that were ever kept and not taken back since, the newest first."""
        keys = self._table.newest(_BY_KIND, "ended", _EVER, None, pk_prefix=f"CHANGE#{id_prefix(tuner)}")
        return [one for one in map(_stored, self._table.each(keys)) if one.status is Status.KEPT]

    def _newest(self, kind: str, since: datetime, limit: int) -> list[StoredChange]:
        keys = self._table.newest(_BY_KIND, kind, since.astimezone(UTC).isoformat(), limit)
        return [_stored(item) for item in self._table.each(keys)]


def _first_record(judged: Judged, now: datetime) -> tuple[dict[str, Any], ...]:
    """The operations that record a change if it is not recorded yet: itself, its run's pointer to it, its history."""
    change, status = judged.change, judged.status
    key = f"CHANGE#{change.id}"
    item: Item = {
        "pk": key,
        "sk": "CHANGE",
        "run_id": change.run_id,
        "document": table.json_text(change.to_document()),
        "digest": change.digest,
        "status": status.value,
        "verdict": judged.verdict,
        "rule": judged.rule,
        "message": judged.message,
        f"at_{status.value}": now.isoformat(),
        "kind": "change",
        "at": now.astimezone(UTC).isoformat(),
    }
    pointer: Item = {"pk": f"RUN#{change.run_id}", "sk": key, "change_id": change.id}
    history = _event(change.id, status, now, judged.message)
    return table.put(item, "attribute_not_exists(pk)"), table.put(pointer), history


def _event(change_id: str, status: Status, now: datetime, message: str) -> dict[str, Any]:
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    item: Item = {
        "pk": f"CHANGE#{change_id}",
        "sk": f"EVENT#{at}#{status.value}",
        "at": at,
        "status": status.value,
        "message": message,
    }
    return table.put(item, "attribute_not_exists(pk)")


def _stored(item: Item) -> StoredChange:
    return StoredChange(
        change=Change.from_document(table.read_json(item, "document")),
        status=Status(str(item["status"])),
        progress=table.read_json(item, "progress") or {},
        verdict=str(item["verdict"]),
        rule=str(item["rule"]),
        message=str(item["message"]),
        times={k[3:]: datetime.fromisoformat(str(v)) for k, v in item.items() if k.startswith("at_")},
    )
