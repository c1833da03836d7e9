"""Functions as an earlier run read them, and when that may still stand for what they are. Pure.

Reading a function takes a call of the quota that the whole account shares. Most functions are the same day after day,
and bulk lists tell: only what is listed differently, what holds or gets provisioned concurrency, and the few that were
read longest ago are read again. No change is proposed from memory.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any

from optimizer.capacity.live_function import LATEST, LiveFunction, Placed, Version
from optimizer.core import canonical_json

# An alias may be moved, and provisioned concurrency be bought for it and never used, without a trace in the lists: so
# every run reads this share of a batch again, and whatever was not read for as many days.
_DAYS = 28
# The facts that this version reads of a function. One with other facts was stored by another version of the
# application, and says nothing of what was not read then.
_SHAPE = canonical_json.sha256([[each.name for each in fields(kind)] for kind in (LiveFunction, Version)])[:16]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A function at the time of an earlier run. alias: the one that was asked for, where the function may have none."""

    read_at: datetime
    fingerprint: str
    alias: str
    tags: Mapping[str, str]
    live: LiveFunction
    shape: str = _SHAPE


@dataclass(frozen=True, slots=True)
class RememberedFunctions:
    """The functions of a batch as earlier runs read them, and what the lists of this run tell of them now.

    fingerprints: by name. provisioned: names whose calls met provisioned concurrency lately.
    """

    now: datetime
    functions: Mapping[str, Remembered] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    provisioned: Collection[str] = ()

    @classmethod
    def of(cls, stored: Mapping[str, Any], batch: Mapping[str, Any], now: datetime) -> "RememberedFunctions":
        """Return the memory of a batch document. stored: what `remember` returned for an earlier run, by name."""
        own = {name: one for name, one in stored.items() if one.get("shape") == _SHAPE}
        known: dict[str, Remembered] = {name: canonical_json.read(Remembered, one) for name, one in own.items()}
        due = due_of({name: one.read_at for name, one in known.items()}, now)
        kept = {name: one for name, one in known.items() if name not in due}
        return cls(now, kept, batch.get("fingerprints", {}), frozenset(batch.get("provisioned", ())))

    def only(self, names: Collection[str]) -> "RememberedFunctions":
        """Return the memory of these functions alone."""
        return replace(self, functions={name: one for name, one in self.functions.items() if name in names})

    def recall(self, target: Mapping[str, Any]) -> LiveFunction | None:
        """Return the function as it is known to be, or None where it must be read."""
        name = target["function_name"]
        known = self.functions.get(name)
        if known is None or name in self.provisioned:
            return None
        now = (self.fingerprints.get(name), target["alias"], target.get("tags", {}))
        if now != (known.fingerprint, known.alias, known.tags):
            return None
        return replace(known.live, placed=None if known.live.alias == LATEST else Placed({}))

    def remember(self, target: Mapping[str, Any], live: LiveFunction, *, read: bool) -> Remembered | None:
        """Return what the next run may remember; None where it must read. read: this run did so."""
        name = target["function_name"]
        if not read:
            return self.functions[name]
        if not is_quiet(live) or name not in self.fingerprints:
            return None
        return Remembered(
            self.now,
            self.fingerprints[name],
            target["alias"],
            target.get("tags", {}),
            replace(live, placed=None),
        )


def due_of(read_at: Mapping[str, datetime], now: datetime) -> set[str]:
    """Return the functions that must be read again: those that were read longest ago, so that each one's turn comes."""
    oldest = sorted(read_at, key=lambda name: (read_at[name], name))
    due = set(oldest[: math.ceil(len(oldest) / _DAYS)])
    return due | {name for name, then in read_at.items() if now - then >= timedelta(days=_DAYS)}


def is_quiet(live: LiveFunction) -> bool:
    """Return True where nothing of the function moves by itself: no provisioned concurrency, no update, no deployment.

    Where the schedules in place were not read, it is not known."""
    held = live.provisioned or live.held_elsewhere or live.scaling
    placed = live.placed and (live.placed.entries or live.placed.team_actions)
    unread = live.placed is None and live.alias != LATEST
    return not (held or placed or unread or live.weights) and live.latest.settled and live.version.settled
