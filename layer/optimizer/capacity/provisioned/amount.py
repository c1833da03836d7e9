"""The provisioned concurrency that an alias holds or is to hold. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from optimizer.capacity.live_function import LiveFunction, Scaling
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.core import Change

# The id of a Change of this tuner begins with it; the rest stands for the Change in the names of its schedules.
_ID_PREFIX = "provisioned-concurrency-"

# Environments, or the least and the most of a scaling target.
type Place = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Amount:
    """Environments, or the bounds that Application Auto Scaling keeps them within; with a timetable, its largest.

    plan: the mark of the Change that the timetable belongs to. floor: environments that stay without the timetable.
    """

    environments: int
    bounds: Scaling | None = None
    timetable: Timetable | None = None
    plan: str = ""
    floor: int = 0

    @classmethod
    def of(cls, part: Mapping[str, Any], plan: str = "") -> "Amount":
        """Read the `before` or `after` of a Change. plan: the mark of the Change itself, for its `after`."""
        timetable = Timetable.from_document(part["timetable"]) if part.get("timetable") else None
        return cls(
            environments=int(part["environments"]),
            bounds=Scaling(int(part["min"]), int(part["max"])) if "min" in part else None,
            timetable=timetable,
            plan=str(part.get("plan") or plan) if timetable else "",
            floor=int(part.get("floor", 0)),
        )

    @classmethod
    def in_place(cls, change: Change, live: LiveFunction) -> "Amount":
        """Return the amount of a Change whose timetable is in place; a scaling target has its largest size of now."""
        placed = cls.of(change.after, mark_of(change.id))
        if live.scaling is None or placed.bounds is None:
            return placed
        most = live.scaling.maximum
        return replace(placed, environments=most, bounds=Scaling(placed.bounds.minimum, most))

    def document(self) -> dict[str, Any]:
        """Return the JSON object that stands as `before` of a Change."""
        part: dict[str, Any] = {"environments": self.environments}
        if self.bounds is not None:
            part |= {"min": self.bounds.minimum, "max": self.bounds.maximum}
        if self.timetable is not None:
            part |= {"floor": self.floor, "timetable": self.timetable.document(), "plan": self.plan}
        return part

    @property
    def always(self) -> int:
        """Environments held at all hours: the floor of a timetable, the least size of a scaling target, or all."""
        if self.timetable is not None:
            return self.floor
        return self.bounds.minimum if self.bounds else self.environments

    def at(self, moment: datetime) -> Place:
        """Return what is to be held at a moment."""
        least = self.always if self.timetable is None else self.timetable.held_at(moment)
        return least, self.bounds.maximum if self.bounds else None

    @property
    def places(self) -> frozenset[Place]:
        """All that is held at some time of the week."""
        most = self.bounds.maximum if self.bounds else None
        if self.timetable is not None:
            return frozenset((environments, most) for environments in self.timetable.amounts)
        return frozenset({(self.always, most)})


def mark_of(change_id: str) -> str:
    """Return the text that stands for a Change in the names of its schedules."""
    return change_id.removeprefix(_ID_PREFIX)


def change_id_of(mark: str) -> str:
    """Return the id of the Change that a mark stands for."""
    return _ID_PREFIX + mark


def held(live: LiveFunction) -> Amount:
    """Return what the alias holds now; of a scaling target, its largest size counts."""
    if live.scaling is not None:
        return Amount(live.scaling.maximum, live.scaling)
    return Amount(live.provisioned.requested if live.provisioned else 0)


def place(live: LiveFunction) -> Place:
    """Return what the alias holds now in the form of `Amount.at`."""
    if live.scaling is not None:
        return live.scaling.minimum, live.scaling.maximum
    return live.provisioned.requested if live.provisioned else 0, None


def is_held(amount: Amount, live: LiveFunction) -> bool:
    """Return True where the alias holds the amount at some time of the week and no other timetable is in place."""
    plans = {amount.plan} if amount.plan else set()
    same_owner = (live.scaling is None) == (amount.bounds is None)
    return same_owner and set(live.plans) == plans and place(live) in amount.places
