"""The steps of a change of provisioned concurrency, one at a time. Pure; executor.py runs them.

A timetable is applied entry by entry, each a schedule whose name tells the Change; then the alias gets what the
timetable says for this moment. A timetable that it replaces is removed first, and nothing is set before a step of the
old one that was under way has ended.
"""

from dataclasses import dataclass
from datetime import datetime

from optimizer.capacity.live_function import LiveFunction, Scaling
from optimizer.capacity.memory.steps import Abandon, Done, Provision, Wait
from optimizer.capacity.obstacles import held_elsewhere
from optimizer.capacity.provisioned.amount import Amount, Place, held, place
from optimizer.capacity.provisioned.timetable import Entry

_MOVES = "Lambda moves the alias to another version, which takes up to 15 minutes"

__all__ = ["Action", "Amount", "PutEntry", "RemoveEntries", "Scale", "apply", "held", "revert"]


@dataclass(frozen=True, slots=True)
class Scale:
    """Set the bounds of the scaling target."""

    bounds: Scaling


@dataclass(frozen=True, slots=True)
class PutEntry:
    """Create the schedule of an entry of a timetable."""

    plan: str
    number: int
    entry: Entry
    timezone: str


@dataclass(frozen=True, slots=True)
class RemoveEntries:
    """Delete the schedules of a timetable."""

    plan: str


type Action = Provision | Scale | PutEntry | RemoveEntries | Wait | Done | Abandon


def apply(before: Amount, after: Amount, live: LiveFunction, moment: datetime, *, settled: bool = True) -> Action:
    """Return the next action on the way from `before` to `after`.

    settled: no step of a timetable that was removed can still be under way.
    """
    theirs = _theirs(before, after, live)
    if theirs:
        return Abandon(theirs)
    hindered = _hindered(live)
    if hindered is not None:
        return hindered
    if before.plan and before.plan != after.plan and before.plan in live.plans:
        return RemoveEntries(before.plan)
    missing = _missing(after, live)
    if missing is not None:
        return missing
    if not settled:
        return Wait("a step of the timetable before may be under way", soon=False)
    wanted = after.at(moment)
    if live.scaling is not None:
        return Done() if place(live) == wanted else _set(wanted)
    if live.provisioned is not None and live.provisioned.status == "IN_PROGRESS":
        return Wait("environments are being allocated")
    if place(live) != wanted:
        return _set(wanted)
    if live.provisioned is not None and live.provisioned.status == "FAILED":
        reason = live.provisioned.reason or "no reason given"
        return Abandon(f"the environments could not be allocated: {reason}", failed=True)
    return Done()


def revert(before: Amount, after: Amount, live: LiveFunction, moment: datetime, *, settled: bool = True) -> Action:
    """Return the next action on the way back to `before`; an amount that somebody else set stays."""
    if after.plan and after.plan in live.plans:
        return RemoveEntries(after.plan)
    if not settled:
        return Wait("a step of the timetable may be under way", soon=False)
    theirs = _theirs(before, after, live)
    if theirs:
        return Done(f"{theirs}, which stays")
    missing = _missing(before, live)
    if missing is not None:
        return missing
    wanted = before.at(moment)
    if live.provisioned is not None and live.provisioned.status == "IN_PROGRESS" and live.scaling is None:
        return Wait("environments are being allocated")
    if place(live) == wanted:
        return Done()
    if live.leaving and live.scaling is None:
        return Wait(_MOVES, soon=False)
    if live.weights and live.scaling is None and wanted[0]:
        return Wait("traffic of the alias is being shifted, which refuses provisioned concurrency")
    return _set(wanted)


def _hindered(live: LiveFunction) -> Abandon | Wait | None:
    """Return why the alias can take no provisioned concurrency now, or None."""
    elsewhere = held_elsewhere(live)
    if elsewhere and live.scaling is None:
        return Abandon(elsewhere)
    if live.leaving:
        return Wait(_MOVES, soon=False)
    if live.weights:
        return Abandon("traffic of the alias is being shifted, which refuses provisioned concurrency")
    return None


def _theirs(before: Amount, after: Amount, live: LiveFunction) -> str:
    """Return what somebody else did, in words; empty if nothing."""
    if (live.scaling is None) != (after.bounds is None):
        return "a scaling target was made or removed for the alias"
    if set(live.plans) - {before.plan, after.plan}:
        return "somebody else put another timetable in place"
    now = place(live)
    if now not in before.places | after.places:
        return f"somebody else set the provisioned concurrency to {_words(now)}"
    return ""


def _missing(amount: Amount, live: LiveFunction) -> PutEntry | None:
    """Return the first entry of the timetable that has no schedule yet."""
    if amount.timetable is None:
        return None
    placed = live.entries_of(amount.plan)
    numbered = enumerate(amount.timetable.entries)
    return next(
        (PutEntry(amount.plan, n, entry, amount.timetable.timezone) for n, entry in numbered if n not in placed), None
    )


def _set(wanted: Place) -> Provision | Scale:
    least, most = wanted
    return Provision(least) if most is None else Scale(Scaling(least, most))


def _words(now: Place) -> str:
    return str(now[0]) if now[1] is None else f"{now[0]} to {now[1]}"
