"""News for people: what they have not read yet, and when it is worth a mail. Pure.

Programs get a message about every run and every change. People get one mail a day at the most where nothing needs them:
what is good or new waits for it, and what stays as it was takes one line. A run that somebody started by hand answers
that person at once; a change that was rolled back or failed, and an approval request, are messages of their own.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from optimizer.core import Change, Status, StoredChange, Tuner
from optimizer.report.advice_lines import AdviceLine

KEY = "history/report/told.json"
# The reasons in the inputs of the schedules in template.yaml; any other run was started by somebody.
SCHEDULED = frozenset({"daily", "weekly", "monthly review", "schedule of warm-ups"})
# A proposal that no run has repeated for so long does not stand any more.
_FORGOTTEN = timedelta(days=40)
_MOST_PENDING = 200
_MOST_RUNS = 20
# A number that differs by less is the same proposal.
_SAME = 0.1
_STANDING = (Status.RECOMMENDED, Status.REFUSED)
_NEWS = (
    Status.WATCHING,
    Status.KEPT,
    Status.APPLYING,
    Status.APPROVED,
    Status.REVERTED,
    Status.FAILED,
    Status.STALE,
    Status.REJECTED,
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A recommended or blocked change that every run repeats: since when, and as what it was first told.

    `told`: people have read of it. `usd_month`: the last estimate of the change of the bill.
    """

    status: str
    what: Mapping[str, Any]
    since: str
    seen: str
    usd_month: float | None
    told: bool = False


@dataclass(frozen=True, slots=True)
class Told:
    """The news that people have read. `mailed_at`: the time of their last mail. `pending`: changes for the next one.

    `advice`: what they have read, by its key, with the last run that gave it. `unread_advice`: for the next mail.
    """

    mailed_at: datetime | None = None
    standing: Mapping[str, Standing] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    unreadable: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    advice: Mapping[str, str] = field(default_factory=dict)
    unread_advice: tuple[AdviceLine, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Told":
        """Read the document that `document` returns."""
        at = document["mailed_at"]
        return cls(
            mailed_at=datetime.fromisoformat(at) if at else None,
            standing={key: Standing(**one) for key, one in document["standing"].items()},
            pending=tuple(document["pending"]),
            unreadable=document["unreadable"],
            notes=tuple(document["notes"]),
            runs=tuple(document["runs"]),
            # Releases before the advice wrote neither.
            advice=document.get("advice", {}),
            unread_advice=tuple(AdviceLine(**one) for one in document.get("unread_advice", ())),
        )

    def document(self) -> dict[str, Any]:
        """Return the record as a document."""
        return {"version": 1, **asdict(self)}

    def with_run(
        self, run_id: str, changes: Iterable[StoredChange], checked: Iterable[tuple[str, str]], now: datetime
    ) -> "Told":
        """Return the record after a run. `checked`: target and tuner of all that the run looked at."""
        found = list(changes)
        looked_at = {*checked, *((stored.change.target, stored.change.tuner.value) for stored in found)}
        since = (now - _FORGOTTEN).isoformat()
        standing = {
            key: one for key, one in self.standing.items() if _looked_at(key) not in looked_at and one.seen >= since
        }
        fresh = []
        for stored in found:
            if stored.status in _STANDING:
                key = _key(stored.change)
                standing[key] = _repeated(self.standing.get(key), stored, now)
                fresh += [] if standing[key].told else [stored]
            elif stored.status in _NEWS:
                fresh.append(stored)
        fresh.sort(key=lambda stored: stored.status in _STANDING)
        pending = dict.fromkeys((*self.pending, *(stored.change.id for stored in fresh)))
        return replace(
            self,
            standing=standing,
            pending=tuple(pending)[-_MOST_PENDING:],
            runs=(*self.runs, run_id)[-_MOST_RUNS:],
        )

    def with_advice(self, given: Iterable[AdviceLine], now: datetime) -> "Told":
        """Return the record after a run that gave advice. Advice that comes and goes is not news each time."""
        since = (now - _FORGOTTEN).isoformat()
        known = {key: seen for key, seen in self.advice.items() if seen >= since}
        unread = {one.key: one for one in self.unread_advice}
        for one in given:
            if one.key in known:
                known[one.key] = now.isoformat()
            else:
                unread[one.key] = one
        return replace(self, advice=known, unread_advice=tuple(unread.values())[-_MOST_PENDING:])

    def mailed(self, unreadable: Mapping[str, str], notes: Sequence[str], now: datetime) -> "Told":
        """Return the record after a mail."""
        standing = {key: replace(one, told=True) for key, one in self.standing.items()}
        return replace(
            self,
            mailed_at=now,
            standing=standing,
            pending=(),
            unreadable=dict(unreadable),
            notes=tuple(notes),
            advice={**self.advice, **{one.key: now.isoformat() for one in self.unread_advice}},
            unread_advice=(),
        )

    def unchanged(self, status: Status) -> list[Standing]:
        """Return the standing changes of a status that people have read of."""
        return [one for one in self.standing.values() if one.told and one.status == status.value]

    def unread(self, changes: Iterable[StoredChange]) -> list[StoredChange]:
        """Return the changes that people have not read of, the newest of each setting.

        Neither what a newer plan of pings replaced nor what does not stand any more is news.
        """
        last: dict[str, StoredChange] = {}
        for stored in sorted(changes, key=lambda stored: min(stored.times.values())):
            key, known = _key(stored.change), self.standing.get(_key(stored.change))
            if stored.status not in _STANDING:
                # One plan of pings follows another every few hours; any other change is news by itself.
                last[key if stored.change.tuner is Tuner.WARMUPS else stored.change.id] = stored
            elif known and not known.told:
                last[key] = stored
        return list(last.values())

    def is_day_over(self, now: datetime, time_zone: str) -> bool:
        """Return True if people have had no mail on this day in their time zone."""
        zone = ZoneInfo(time_zone)
        return self.mailed_at is None or self.mailed_at.astimezone(zone).date() < now.astimezone(zone).date()


def is_by_hand(run: Mapping[str, Any]) -> bool:
    """Return True if somebody started the run, and no schedule."""
    return (run.get("request") or {}).get("reason", "") not in SCHEDULED


def unchanged_line(told: Told) -> str:
    """Return one line about all that stays as people know it; empty if nothing does."""
    recommended, blocked = told.unchanged(Status.RECOMMENDED), told.unchanged(Status.REFUSED)
    parts = [
        f"{len(found)} {word}{'' if len(found) == 1 else 's'}"
        for found, word in ((recommended, "recommendation"), (blocked, "blocked change"))
        if found
    ]
    if not parts:
        return ""
    days = sorted({datetime.fromisoformat(one.since).date() for one in (*recommended, *blocked)})
    since = f"{days[0]:%d %b %Y}".lstrip("0")
    first = f"Unchanged since {since}" if len(days) == 1 else f"Unchanged, the oldest since {since}"
    usd = -sum(one.usd_month or 0.0 for one in recommended)
    savings = f" Potential savings: ${usd:,.2f} a month." if recommended and usd > 0 else ""
    return f"{first}: {' and '.join(parts)}.{savings}"


def _key(change: Change) -> str:
    """Return the key of all proposals for one setting: the same from run to run."""
    named = "" if change.tuner is not Tuner.INDEXES else str(change.before.get("index") or change.after.get("index"))
    return "|".join((change.target, change.tuner.value, change.action, named))


def _looked_at(key: str) -> tuple[str, str]:
    target, tuner, _, _ = key.rsplit("|", 3)
    return target, tuner


def _repeated(known: Standing | None, stored: StoredChange, now: datetime) -> Standing:
    effect, what = stored.change.effect.usd_month, _what(stored)
    usd = effect.estimate if effect else None
    if known and known.status == stored.status.value and _is_same(known.what, what):
        return replace(known, seen=now.isoformat(), usd_month=usd)
    return Standing(stored.status.value, what, now.isoformat(), now.isoformat(), usd)


def _what(stored: StoredChange) -> dict[str, Any]:
    """Return the parts that make a proposal another one. Plans of pings differ a little every day, sizes as well."""
    rule = {"rule": stored.rule}
    match stored.change.tuner:
        case Tuner.MEMORY:
            return {**rule, "memory_mb": stored.change.after.get("memory_mb")}
        case Tuner.PROVISIONED_CONCURRENCY:
            after = stored.change.after
            return {**rule, "environments": after.get("environments"), "timetable": bool(after.get("timetable"))}
        case Tuner.CACHE_TTLS:
            return {**rule, **dict(stored.change.after.get("ttl_s") or {})}
        case _:
            return rule


def _is_same(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return first.keys() == second.keys() and all(_are_close(first[name], second[name]) for name in first)


def _are_close(one: Any, other: Any) -> bool:
    if isinstance(one, (int, float)) and isinstance(other, (int, float)) and not isinstance(one, bool):
        return abs(one - other) <= _SAME * max(abs(one), abs(other))
    return bool(one == other)
