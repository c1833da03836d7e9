"""What the application remembers: runs and their lock, changes and their history, cool-downs, approvals.

Every write is conditional and may be repeated: a Lambda that died at any line, or ran twice, is simply run again.
All times are timezone-aware; the caller passes `now`. Keys are listed in docs/architecture.md.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import batched
from typing import TYPE_CHECKING, Any

from optimizer.core import Approval, Change, Status, Tuner, canonical_json, id_prefix
from optimizer.store import table
from optimizer.store.table import Item, ItemTable

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_LOCK_ATTEMPTS = 5
# A change is three operations, of which its document is at most some ten kilobytes: far from the four megabytes of a
# transaction.
_RECORDED_AT_ONCE = table.MOST_OPERATIONS // 3
# Index of the table: `kind` (run, change, or ended: a change whose life is over) and `at`, when it began or ended.
_BY_KIND = "by_kind"
_LIFE_OVER = frozenset({Status.KEPT, Status.REVERTED, Status.FAILED})
_REMEMBERED = timedelta(days=90)
_EVER = "0"


class NoSuchRun(LookupError):
    """No run of this id is recorded."""


class NoSuchChange(LookupError):
    """No change of this id is recorded."""


class DifferentChange(ValueError):
    """The id is recorded with other content: what was shown or approved must not be replaced."""


class Overtaken(RuntimeError):
    """Another call of the same step wrote the change's record since this one read it, and goes on with it."""


class LockContended(RuntimeError):
    """The lock changed hands at every attempt to read it; a later attempt can succeed."""


@dataclass(frozen=True, slots=True)
class StoredChange:
    """A Change and where it is in its life. `progress` is the acting Lambda's own record; `times` says when each
    status was first reached, by its value."""

    change: Change
    status: Status
    progress: Mapping[str, Any]
    verdict: str
    rule: str
    message: str
    times: Mapping[str, datetime]


@dataclass(frozen=True, slots=True)
class Judged:
    """A Change that is to be recorded with its verdict."""

    change: Change
    status: Status
    verdict: str = ""
    rule: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Publication:
    """A message about a run or a change: `message_id` is empty until the topic has taken it."""

    message_id: str
    started_at: datetime


class RunStore:
    """The application's table."""

    def __init__(self, dynamodb: "DynamoDBClient", table_name: str) -> None:
        self._table = ItemTable(dynamodb, table_name)
        self._progress_read: dict[str, str | int | None] = {}

    # The lock: one run at a time.

    def take_lock(self, run_id: str, now: datetime, lease: timedelta) -> str:
        """Take the lock, or extend it if it is already held by the run. Returns the run that holds it afterwards."""
        item: Item = {
            "pk": "LOCK",
            "sk": "RUN",
            "run_id": run_id,
            "taken_at": now.isoformat(),
            "expires_at": table.timestamp(now + lease),
        }
        # A clock that is behind does not shorten a lease.
        longer = "#run_id = :run_id AND #expires_at < :expires_at"
        free = f"attribute_not_exists(pk) OR #expires_at <= :now OR {longer}"
        values: Item = {"now": table.timestamp(now), "run_id": run_id, "expires_at": item["expires_at"]}
        for _ in range(_LOCK_ATTEMPTS):
            if self._table.write(table.put(item, free, values)):
                return run_id
            held = self._table.get("LOCK", "RUN")
            if held is not None:
                return str(held["run_id"])
        raise LockContended("the lock of the run changed hands again and again; try again")

    def seize_lock(self, holder: str, now: datetime, lease: timedelta) -> None:
        """Take the lock whoever holds it. Only for what then ends every run that goes on."""
        item: Item = {
            "pk": "LOCK",
            "sk": "RUN",
            "run_id": holder,
            "taken_at": now.isoformat(),
            "expires_at": table.timestamp(now + lease),
        }
        self._table.write(table.put(item))

    def release_lock(self, run_id: str) -> None:
        """Give the lock back if this run still holds it."""
        self._table.write(table.delete("LOCK", "RUN", "#run_id = :run_id", {"run_id": run_id}))

    def lock_holder(self, now: datetime) -> str | None:
        """The run that holds the lock, or None if it is free or its lease has ended."""
        held = self._table.get("LOCK", "RUN")
        return str(held["run_id"]) if held and int(held["expires_at"]) > table.timestamp(now) else None

    # Runs.

    def record_run(self, run_id: str, now: datetime, **facts: Any) -> None:
        """Record that the run goes on, and what is known of it; facts already recorded under other names stay."""
        values: Item = {f"fact_{name}": table.json_text(value) for name, value in facts.items()}
        values["run_id"] = run_id
        first: Item = {"status": "running", **_started(now)}
        self._table.write(table.update(f"RUN#{run_id}", "RUN", values, once=first))

    def finish_run(self, run_id: str, status: str, now: datetime, **facts: Any) -> None:
        """Record how the run ended. The first end in a status keeps its time when it is recorded again."""
        values: Item = {f"fact_{name}": table.json_text(value) for name, value in facts.items()}
        values |= {"run_id": run_id, "status": status, "finished_at": now.isoformat()}
        other = "attribute_not_exists(#finished_at) OR #status <> :status"
        self._table.write(table.update(f"RUN#{run_id}", "RUN", values, other, {"status": status}, once=_started(now)))

    def run(self, run_id: str) -> dict[str, Any]:
        """`run_id`, `status`, `started_at`, `finished_at` (once it ended; datetimes) and the facts; or NoSuchRun."""
        item = self._table.get(f"RUN#{run_id}", "RUN")
        if item is None:
            raise NoSuchRun(f"no run {run_id} is recorded")
        return _run(item)

    def runs(self, since: datetime, limit: int) -> list[dict[str, Any]]:
        """The runs started since then, the newest first, each as `run` gives it."""
        keys = self._table.newest(_BY_KIND, "run", since.astimezone(UTC).isoformat(), limit)
        return [_run(item) for item in self._table.each(keys)]

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

    # Changes and their history.

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

    # Cool-downs.

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

    # Approvals.

    def put_approval(self, approval: Approval) -> bool:
        """Record the question of a run; False if one is recorded already."""
        item: Item = {
            "pk": f"RUN#{approval.run_id}",
            "sk": "APPROVAL",
            "document": table.json_text(canonical_json.plain(approval)),
            "digest": approval.digest,
            "status": approval.status.value,
        }
        return self._table.write(table.put(item, "attribute_not_exists(pk)"))

    def approval(self, run_id: str) -> Approval | None:
        """The question that was asked for a run, with the answers there are."""
        item = self._table.get(f"RUN#{run_id}", "APPROVAL")
        return Approval.from_document(table.read_json(item, "document")) if item else None

    def replace_approval(self, before: Approval, after: Approval) -> bool:
        """Store what became of the question; False if it is not as it was in `before` any more, and nothing was."""
        documents = [table.json_text(canonical_json.plain(approval)) for approval in (before, after)]
        values: Item = {"document": documents[1], "digest": after.digest, "status": after.status.value}
        return self._table.write(
            table.update(f"RUN#{after.run_id}", "APPROVAL", values, "#document = :before", {"before": documents[0]}),
            exactly=True,
        )

    # Publications.

    def start_publication(self, subject: str, now: datetime) -> Publication:
        """Record that a message about `RUN#<id>` or `CHANGE#<id>` is about to be sent; the one on record if any."""
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
        """Record the id that the topic gave."""
        self._table.write(table.update(subject, "PUBLICATION", {"message_id": message_id}))


def _run(item: Item) -> dict[str, Any]:
    facts: dict[str, Any] = {name[5:]: table.read_json(item, name) for name in item if name.startswith("fact_")}
    times: dict[str, Any] = {
        name: datetime.fromisoformat(str(item[name])) for name in ("started_at", "finished_at") if name in item
    }
    return {**facts, **times, "run_id": str(item["run_id"]), "status": str(item["status"])}


def _started(now: datetime) -> dict[str, str | int]:
    return {"started_at": now.isoformat(), "kind": "run", "at": now.astimezone(UTC).isoformat()}


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
