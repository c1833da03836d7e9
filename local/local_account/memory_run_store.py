"""Keep the part of the run store that acting Lambdas use in memory: like RunStore, without DynamoDB."""

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from optimizer.core import Change, Status, StoredChange, Tuner
from optimizer.store import NoSuchChange


class MemoryRunStore:
    """Changes, their progress and cool-downs; `called` receives the name of every write."""

    def __init__(self, called: Callable[[str], None] = lambda _name: None) -> None:
        self._called = called
        self._changes: dict[str, StoredChange] = {}
        self._taken_back: dict[tuple[str, Tuner], dict[str, str]] = {}
        self._cooling: dict[tuple[str, Tuner], datetime] = {}
        self._last: dict[tuple[str, Tuner], str] = {}

    def record_change(self, change: Change, status: Status, now: datetime) -> None:
        """Begin the record of a change."""
        self._changes[change.id] = StoredChange(change, status, {}, "", "", "", {status.value: now})

    def change(self, change_id: str) -> StoredChange:
        """Return the change and its status; raise NoSuchChange."""
        try:
            return self._changes[change_id]
        except KeyError:
            raise NoSuchChange(f"no change {change_id} is recorded") from None

    def changes_of(self, run_id: str, tuner: Tuner | None = None) -> Iterator[StoredChange]:
        """Return all changes of a run, or those of one tuner, in the order of their ids."""
        for _, stored in sorted(self._changes.items()):
            if stored.change.run_id == run_id and tuner in (None, stored.change.tuner):
                yield stored

    def move(
        self, change_id: str, to: Status, now: datetime, *, from_any: Collection[Status], message: str = ""
    ) -> bool:
        """Return whether the change is in status `to` afterwards."""
        stored = self.change(change_id)
        if stored.status in from_any:
            times = {to.value: now, **stored.times}
            self._changes[change_id] = replace(stored, status=to, message=message or stored.message, times=times)
            self._called("move")
        return self.change(change_id).status is to

    def wait_until(self, change: Change, until: datetime, _now: datetime, message: str) -> bool:
        """Record that an approved change waits for its window."""
        stored = self.change(change.id)
        if stored.status is not Status.APPROVED:
            return False
        self._changes[change.id] = replace(stored, waits_until=until, message=message)
        self._called("wait_until")
        return True

    def save_progress(self, change_id: str, progress: Mapping[str, Any]) -> None:
        """Store the acting Lambda's record."""
        self._changes[change_id] = replace(self.change(change_id), progress=json.loads(json.dumps(progress)))
        self._called("save_progress")

    def cool_down(self, target: str, tuner: Tuner, until: datetime, _change_id: str) -> None:
        """Store until when the target gets no other change."""
        self._cooling[target, tuner] = until
        self._called("cool_down")

    def begin(self, change: Change, target: str, _now: datetime) -> None:
        """Record that a change is about to be applied to the target."""
        self._last[target, change.tuner] = change.id
        self._called("begin")

    def under_observation(
        self, targets: Iterable[str], tuners: Iterable[Tuner], _now: datetime
    ) -> dict[tuple[str, Tuner], StoredChange]:
        """Return the change of each target and tuner that is being applied, observed or rolled back."""
        keys = [(target, tuner) for target in targets for tuner in tuners]
        found = {key: self.change(self._last[key]) for key in keys if key in self._last}
        active = (Status.APPLYING, Status.WATCHING, Status.REVERTING)
        return {key: stored for key, stored in found.items() if stored.status in active}

    def remember_taken_back(self, target: str, tuner: Tuner, value: str, _now: datetime, reason: str) -> None:
        """Remember that this value did worse on the target."""
        self._taken_back.setdefault((target, tuner), {})[value] = reason
        self._called("remember_taken_back")

    def taken_back(self, target: str, tuner: Tuner, _now: datetime) -> dict[str, str]:
        """Return the values that did worse, with their reasons."""
        return dict(self._taken_back.get((target, tuner), {}))

    def cool_downs(self, targets: Iterable[str], tuner: Tuner) -> dict[str, datetime]:
        """Return the end of the cool-down of each target that has one."""
        return {target: self._cooling[target, tuner] for target in targets if (target, tuner) in self._cooling}
