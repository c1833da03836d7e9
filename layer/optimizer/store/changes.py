"""Records of changes: status, progress and history, cool-downs, and values that did worse."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import Any

from optimizer.core import Change, Judged, Rejection, Status, StoredChange, Tuner, id_prefix, observed_together
from optimizer.store import table
from optimizer.store.errors import DifferentChange, NoSuchChange, Overtaken
from optimizer.store.table import Item, ItemTable

# A change takes three operations and some ten kilobytes at most, far below the four megabytes of a transaction.
_RECORDED_AT_ONCE = table.MOST_OPERATIONS // 3
# Index of the table: `kind` (run, change, or ended for a change that has ended) and `at`, its beginning or end.
_BY_KIND = "by_kind"
_ENDED = frozenset({Status.KEPT, Status.REVERTED, Status.FAILED})
_OBSERVED = frozenset({Status.APPLYING, Status.WATCHING, Status.REVERTING})
# Longer than any observation; an index is hidden for a week or two before it is dropped.
_OBSERVED_AT_MOST = timedelta(days=30)
_ASKED = frozenset({Status.AWAITING_APPROVAL, Status.APPROVED})
# A change whose window has opened is applied within this time, or nobody waits for it any more.
_STARTS_WITHIN = timedelta(hours=1)
_EVER = "0"
_REMEMBERED = timedelta(days=90)
_TURN = timedelta(days=7)


class ChangeRecords:
    """Changes and cool-downs. Part of RunStore."""

    _table: ItemTable
    _progress_read: dict[str, str | int | None]

    def record_change(
        self, change: Change, status: Status, now: datetime, *, verdict: str = "", rule: str = "", message: str = ""
    ) -> None:
        """Record a proposal with its verdict. An existing record stays as it is.

        Raise DifferentChange if it has other content under the same id."""
        if self._table.write(*_first_record(Judged(change, status, verdict, rule, message), now)):
            return
        stored = self.change(change.id)
        if stored.change.digest != change.digest:
            raise DifferentChange(
                f"change {change.id} is recorded with other content; a new run is needed to replace it"
            )

    def record_changes(self, judged: Sequence[Judged], now: datetime) -> None:
        """Record each like `record_change`, in as few calls as possible."""
        for group in batched(judged, _RECORDED_AT_ONCE, strict=False):
            # A transaction writes all or none: if one is recorded already, each is written alone.
            if len(group) > 1 and self._table.write(*(part for one in group for part in _first_record(one, now))):
                continue
            for one in group:
                self.record_change(one.change, one.status, now, verdict=one.verdict, rule=one.rule, message=one.message)

    def change(self, change_id: str) -> StoredChange:
        """Return the record. Raise NoSuchChange if there is none."""
        item = self._change_item(change_id)
        self._progress_read[change_id] = item.get("progress")
        return _stored(item)

    def _change_item(self, change_id: str) -> Item:
        item = self._table.get(f"CHANGE#{change_id}", "CHANGE")
        if item is None:
            raise NoSuchChange(f"no change {change_id} is recorded")
        return item

    def changes(self, change_ids: Iterable[str]) -> list[StoredChange]:
        """Return the changes that are recorded, in the order of their ids."""
        return [_stored(item) for item in self._table.each((f"CHANGE#{name}", "CHANGE") for name in sorted(change_ids))]

    def changes_of(self, run_id: str, tuner: Tuner | None = None) -> Iterator[StoredChange]:
        """Yield all changes of a run, or those of one tuner, in the order of their ids.

        They are read while they are consumed, because a run may have thousands."""
        prefix = f"CHANGE#{id_prefix(tuner) if tuner else ''}"
        # A query returns them in the order of their sort keys, which contain the ids.
        pointers = self._table.query(f"RUN#{run_id}", prefix)
        return map(_stored, self._table.each((str(pointer["sk"]), "CHANGE") for pointer in pointers))

    def move(
        self, change_id: str, to: Status, now: datetime, *, from_any: Collection[Status], message: str = ""
    ) -> bool:
        """Move a change to a status if it is in one of `from_any`, and add to its history.

        Return True also if it has that status already, False if it has another one. Raise NoSuchChange if it is not
        recorded."""
        names = {f"from_{n}": status.value for n, status in enumerate(sorted(from_any))}
        condition = f"#status IN ({', '.join(f':{name}' for name in names)})"
        values: Item = {"status": to.value}
        if message:
            values["message"] = message
        if to in _ENDED:
            values |= {"kind": "ended", "at": now.astimezone(UTC).isoformat()}
        once: Item = {f"at_{to.value}": now.isoformat()}
        operation = table.update(f"CHANGE#{change_id}", "CHANGE", values, condition, names, once=once)
        if to not in from_any and self._table.write(operation, _event(change_id, to, now, message)):
            return True
        return _stored(self._change_item(change_id)).status is to

    def wait_until(self, change: Change, until: datetime, now: datetime, message: str) -> bool:
        """Record that an approved change waits for its window, so that no run proposes another one for its resource.

        Return False if it is not approved, or not any more."""
        values: Item = {"waits_until": until.astimezone(UTC).isoformat(), "message": message}
        approved = {"approved": Status.APPROVED.value}
        operation = table.update(f"CHANGE#{change.id}", "CHANGE", values, "#status = :approved", approved)
        event = _event_item(change.id, Status.APPROVED, now, message)
        # Recorded again by a repeated call, and beside the event of the approval.
        if not self._table.write(operation, table.put({**event, "sk": f"{event['sk']}#waits"})):
            return False
        self.remember_request([change], until + _STARTS_WITHIN)
        return True

    def save_progress(self, change_id: str, progress: Mapping[str, Any]) -> None:
        """Replace the acting Lambda's record; call it before each side effect.

        Raise Overtaken if the record is not the one that `change` read or this method wrote last: a step whose answer
        was lost is called again while its first call may still be active. Raise NoSuchChange if it is not recorded."""
        values: Item = {"progress": table.json_text(progress)}
        known = self._progress_read.get(change_id)
        if known is None:
            unchanged = "attribute_exists(#pk) AND attribute_not_exists(#progress)"
            operation = table.update(f"CHANGE#{change_id}", "CHANGE", values, unchanged)
        else:
            operation = table.update(f"CHANGE#{change_id}", "CHANGE", values, "#progress = :known", {"known": known})
        if not self._table.write(operation, exactly=True):
            self._change_item(change_id)
            raise Overtaken(f"another call is working on change {change_id}")
        self._progress_read[change_id] = values["progress"]

    def history(self, change_id: str) -> list[dict[str, Any]]:
        """Return `{"at", "status", "message"}` of every move of the change, the oldest first."""
        return [
            {"at": datetime.fromisoformat(str(item["at"])), "status": item["status"], "message": item["message"]}
            for item in self._table.query(f"CHANGE#{change_id}", "EVENT#")
        ]

    def changes_since(self, since: datetime, limit: int) -> list[StoredChange]:
        """Return the changes proposed since then that have not ended, and those that ended since then."""
        return [*self._newest("change", since, limit), *self.ended_since(since, limit)]

    def ended_since(self, since: datetime, limit: int, tuner: Tuner | None = None) -> list[StoredChange]:
        """Return the changes that were applied and then kept, rolled back or failed since then, the newest first.

        `tuner`: only its changes."""
        return self._newest("ended", since, limit, f"CHANGE#{id_prefix(tuner)}" if tuner else "")

    def kept(self, tuner: Tuner) -> list[StoredChange]:
        """Return all changes of a tuner that were ever kept and not rolled back since, the newest first."""
        keys = self._table.newest(_BY_KIND, "ended", _EVER, None, pk_prefix=f"CHANGE#{id_prefix(tuner)}")
        return [one for one in map(_stored, self._table.each(keys)) if one.status is Status.KEPT]

    def _newest(self, kind: str, since: datetime, limit: int, pk_prefix: str = "") -> list[StoredChange]:
        keys = self._table.newest(_BY_KIND, kind, since.astimezone(UTC).isoformat(), limit, pk_prefix=pk_prefix)
        return [_stored(item) for item in self._table.each(keys)]

    # Cool-downs, and what is not proposed again.

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

    def remember_turns(self, changes: Iterable[Change], now: datetime) -> None:
        """Record that these changes got a place in a run, so that the places of the next runs go to others first."""
        puts = [
            table.put(
                {
                    "pk": f"TARGET#{change.target}",
                    "sk": f"TURN#{change.tuner.value}",
                    "at": now.astimezone(UTC).isoformat(),
                    "expires_at": table.timestamp(now + _TURN),
                }
            )
            for change in changes
        ]
        for group in batched(puts, table.MOST_OPERATIONS, strict=False):
            self._table.write(*group)

    def turns(self, targets: Iterable[str], tuner: Tuner, now: datetime) -> dict[str, datetime]:
        """Return when changes of these targets last got a place in a run, as far as that was in the last week."""
        items = self._table.each((f"TARGET#{target}", f"TURN#{tuner.value}") for target in targets)
        return {
            str(item["pk"]).removeprefix("TARGET#"): datetime.fromisoformat(str(item["at"]))
            for item in items
            if int(item["expires_at"]) > table.timestamp(now)
        }

    def remember_rejection(self, change: Change, now: datetime, said: str) -> None:
        """Record that people do not want this change; for 90 days the same one is not asked for again."""
        item: Item = {
            "pk": f"TARGET#{change.target}",
            "sk": f"REJECTED#{change.tuner.value}#{change.action}",
            "at": now.astimezone(UTC).isoformat(),
            "expires_at": table.timestamp(now + _REMEMBERED),
            "change": table.json_text(change.to_document()),
            "said": said,
        }
        self._table.write(table.put(item))

    def rejections(self, changes: Sequence[Change], now: datetime) -> dict[str, Rejection]:
        """Return, by the id of the change, what people said of the last one of its kind in the last 90 days."""
        keys = {
            (f"TARGET#{change.target}", f"REJECTED#{change.tuner.value}#{change.action}"): change.id
            for change in changes
        }
        return {
            keys[str(item["pk"]), str(item["sk"])]: Rejection(
                Change.from_document(table.read_json(item, "change")),
                datetime.fromisoformat(str(item["at"])),
                datetime.fromtimestamp(int(item["expires_at"]), UTC),
                str(item["said"]),
            )
            for item in self._table.each(keys)
            if int(item["expires_at"]) > table.timestamp(now)
        }

    def remember_request(self, changes: Iterable[Change], until: datetime) -> None:
        """Record that people are asked about these changes until then."""
        for change in changes:
            item: Item = {
                "pk": f"TARGET#{change.target}",
                "sk": f"ASKED#{change.tuner.value}",
                "change_id": change.id,
                "until": until.astimezone(UTC).isoformat(),
                "expires_at": table.timestamp(until),
            }
            self._table.write(table.put(item))

    def open_requests(self, changes: Sequence[Change], now: datetime) -> dict[str, tuple[StoredChange, datetime]]:
        """Return, by the id of the change, what people are already asked about its target by the same tuner, and until
        when they can respond. Approved changes that are not applied yet count, too, and one that waits for its window
        also where another tuner's change would disturb its observation."""
        keys = {(one.target, tuner) for one in changes for tuner in observed_together(one.tuner) | {one.tuner}}
        items = {
            (str(item["pk"]).removeprefix("TARGET#"), str(item["sk"]).removeprefix("ASKED#")): item
            for item in self._table.each((f"TARGET#{target}", f"ASKED#{tuner.value}") for target, tuner in sorted(keys))
            if int(item["expires_at"]) > table.timestamp(now)
        }
        asked = {one.change.id: one for one in self.changes({str(item["change_id"]) for item in items.values()})}
        found: dict[str, tuple[StoredChange, datetime]] = {}
        for change in changes:
            for tuner in (change.tuner, *sorted(observed_together(change.tuner) - {change.tuner})):
                item = items.get((change.target, tuner.value))
                stored = asked.get(str(item["change_id"])) if item else None
                if not item or not stored or stored.status not in _ASKED or stored.change.run_id == change.run_id:
                    continue
                if stored.waits_until or tuner is change.tuner:
                    found[change.id] = stored, datetime.fromisoformat(str(item["until"]))
        return found

    def begin(self, change: Change, target: str, now: datetime) -> None:
        """Record that a change is about to be applied to the target: while it is observed, no other is applied."""
        item: Item = {
            "pk": f"TARGET#{target}",
            "sk": f"LAST#{change.tuner.value}",
            "change_id": change.id,
            "expires_at": table.timestamp(now + _OBSERVED_AT_MOST),
        }
        self._table.write(table.put(item))

    def under_observation(
        self, targets: Iterable[str], tuners: Iterable[Tuner], now: datetime
    ) -> dict[tuple[str, Tuner], StoredChange]:
        """Return the change of each target and tuner that is being applied, observed or rolled back.

        One that nobody ends does not hold its target for ever: after some weeks it no longer counts."""
        keys = [(f"TARGET#{target}", f"LAST#{tuner.value}") for target in targets for tuner in tuners]
        last = {
            str(item["change_id"]): (str(item["pk"]).removeprefix("TARGET#"), Tuner(str(item["sk"])[len("LAST#") :]))
            for item in self._table.each(keys)
            if int(item["expires_at"]) > table.timestamp(now)
        }
        return {last[one.change.id]: one for one in self.changes(last) if one.status in _OBSERVED}

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


def _first_record(judged: Judged, now: datetime) -> tuple[dict[str, Any], ...]:
    """Return the operations that record a new change: the change, its run's pointer to it, and its history."""
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
    return table.put(_event_item(change_id, status, now, message), "attribute_not_exists(pk)")


def _event_item(change_id: str, status: Status, now: datetime, message: str) -> Item:
    at = now.astimezone(UTC).isoformat(timespec="microseconds")
    return {
        "pk": f"CHANGE#{change_id}",
        "sk": f"EVENT#{at}#{status.value}",
        "at": at,
        "status": status.value,
        "message": message,
    }


def _stored(item: Item) -> StoredChange:
    return StoredChange(
        change=Change.from_document(table.read_json(item, "document")),
        status=Status(str(item["status"])),
        progress=table.read_json(item, "progress") or {},
        verdict=str(item["verdict"]),
        rule=str(item["rule"]),
        message=str(item["message"]),
        times={k[3:]: datetime.fromisoformat(str(v)) for k, v in item.items() if k.startswith("at_")},
        waits_until=datetime.fromisoformat(str(item["waits_until"])) if "waits_until" in item else None,
    )
