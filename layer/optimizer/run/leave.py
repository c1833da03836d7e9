"""Leaving an account: roll back what is under observation, and what is paid for by the hour.

Every step may be repeated: the lock has a holder of its own, executions are found again by their names, and a change
that was rolled back is not found a second time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from optimizer.aws import ExecutionListItemTypeDef, SFNClient
from optimizer.core import FINAL, Status, StoredChange, Tuner
from optimizer.lifecycle import roll_back
from optimizer.store import RunStore

type _Status = Literal["RUNNING", "FAILED", "TIMED_OUT", "ABORTED"]

HOLDER = "leaving"
REASON = "The optimizer leaves this account."
# If leaving is given up, runs start again after this time.
_LEASE = timedelta(hours=1)
_OPEN = frozenset({Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.REVERTING})
_UNFINISHED: tuple[_Status, ...] = ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED")
_AT_ONCE = 20
_PAUSE_S = 1.0
# Time of the Lambda that is kept for its answer.
_RESERVE_MS = 30_000


@dataclass(slots=True)
class Left:
    """Ids of the changes that were rolled back, and of those that were not, with the reason."""

    taken_back: list[str] = field(default_factory=list)
    remaining: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaving:
    """The removal of the application from an account. `sleep` takes seconds; `remaining_ms`: time left of this call."""

    store: RunStore
    sfn: "SFNClient"
    optimize_arn: str
    approve_arn: str
    change_arn: str
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]

    def leave(self, now: datetime) -> Left:
        """Stop the runs and let none start, then roll back; whatever does not fit into the time remains."""
        self.store.seize_lock(HOLDER, now, _LEASE)
        self._stop(self.optimize_arn)
        # Nobody can approve anything any more.
        self._stop(self.approve_arn)
        left = self._roll_back(self._to_roll_back())
        if not left.remaining:
            # These executions only wait for the next observation of changes that have ended.
            self._stop(self.change_arn)
        return left

    def _to_roll_back(self) -> list[StoredChange]:
        """Return the changes to roll back, the newest first, so that a change goes before the one that it replaced.

        A change under observation has an execution that has not succeeded: it is observing, or it failed half-way.
        """
        unfinished = self._executions(self.change_arn, *_UNFINISHED)
        begun = {roll_back.change_id_of(execution["name"]) for execution in unfinished}
        found = {stored.change.id: stored for stored in self.store.changes(begun) if stored.status in _OPEN}
        found |= {stored.change.id: stored for stored in self.store.kept(Tuner.PROVISIONED_CONCURRENCY)}
        return sorted(found.values(), key=lambda stored: min(stored.times.values()), reverse=True)

    def _roll_back(self, waiting: list[StoredChange]) -> Left:
        """Roll the changes back, one of each target at a time."""
        left, active = Left(), dict[str, tuple[StoredChange, str]]()
        while (waiting or active) and self.remaining_ms() > _RESERVE_MS:
            for stored in list(waiting):
                if stored.change.target in active or len(active) == _AT_ONCE:
                    continue
                waiting.remove(stored)
                try:
                    arn = roll_back.start(self.sfn, self.change_arn, stored, REASON)
                except roll_back.TriedTooOften as often:
                    left.remaining[stored.change.id] = str(often)
                    continue
                active[stored.change.target] = (stored, arn)
            self.sleep(_PAUSE_S)
            for target, (stored, arn) in list(active.items()):
                if self.sfn.describe_execution(executionArn=arn)["status"] != "RUNNING":
                    del active[target]
                    self._record(left, stored.change.id)
        left.remaining |= {stored.change.id: "it is still being rolled back" for stored, _ in active.values()}
        left.remaining |= {stored.change.id: "there was no time left" for stored in waiting}
        return left

    def _record(self, left: Left, change_id: str) -> None:
        after = self.store.change(change_id)
        if after.status in FINAL and after.status is not Status.KEPT:
            left.taken_back.append(change_id)
        else:
            left.remaining[change_id] = f"it is {after.status.value}; {after.message}".rstrip("; ")

    def _stop(self, machine: str) -> None:
        for arn in self._running(machine):
            try:
                self.sfn.stop_execution(executionArn=arn, error="Leaving", cause=REASON)
            except self.sfn.exceptions.ValidationException:
                # It may have ended by itself since it was listed.
                if arn in self._running(machine):
                    raise

    def _running(self, machine: str) -> list[str]:
        return [execution["executionArn"] for execution in self._executions(machine, "RUNNING")]

    def _executions(self, machine: str, *statuses: _Status) -> Iterator["ExecutionListItemTypeDef"]:
        for status in statuses:
            pages = self.sfn.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter=status)
            yield from (execution for page in pages for execution in page["executions"])
