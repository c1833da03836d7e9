"""Leaving an account: what is still on trial is taken back, and what is paid for by the hour.

Everything may be repeated: the lock is this module's own, executions are found again by their names, and a change that
was taken back is not found a second time.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from optimizer.core import FINAL, Status, StoredChange, Tuner
from optimizer.lifecycle import roll_back
from optimizer.store import RunStore

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient
    from mypy_boto3_stepfunctions.type_defs import ExecutionListItemTypeDef

type _Status = Literal["RUNNING", "FAILED", "TIMED_OUT", "ABORTED"]

HOLDER = "leaving"
REASON = "The optimizer leaves this account."
# Whoever gives up leaving has runs again when this has passed.
_LEASE = timedelta(hours=1)
_OPEN = frozenset({Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.REVERTING})
_UNFINISHED: tuple[_Status, ...] = ("RUNNING", "FAILED", "TIMED_OUT", "ABORTED")
_AT_ONCE = 20
_PAUSE_S = 1.0
# Left of the Lambda's time to say how far it came.
_RESERVE_MS = 30_000


@dataclass(slots=True)
class Left:
    """Ids of the changes that were taken back; and of those that were not, why."""

    taken_back: list[str] = field(default_factory=list)
    remaining: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaving:
    """sleep: seconds. remaining_ms: time left of this call."""

    store: RunStore
    sfn: "SFNClient"
    optimize_arn: str
    change_arn: str
    sleep: Callable[[float], None]
    remaining_ms: Callable[[], float]

    def leave(self, now: datetime) -> Left:
        """End the runs and let none begin, then take back; where the time is over, the rest remains."""
        self.store.seize_lock(HOLDER, now, _LEASE)
        self._stop(self.optimize_arn)
        left = self._take_back(self._wanted())
        if not left.remaining:
            # They wait for the next look at a change whose life is over.
            self._stop(self.change_arn)
        return left

    def _wanted(self) -> list[StoredChange]:
        """What is to be taken back, the newest first: what replaced something goes before what it replaced.

        Whatever is on trial has an execution that has not succeeded: it watches, or it failed half-way.
        """
        unfinished = self._executions(self.change_arn, *_UNFINISHED)
        begun = {roll_back.change_id_of(execution["name"]) for execution in unfinished}
        found = {stored.change.id: stored for stored in self.store.changes(begun) if stored.status in _OPEN}
        found |= {stored.change.id: stored for stored in self.store.kept(Tuner.PROVISIONED_CONCURRENCY)}
        return sorted(found.values(), key=lambda stored: min(stored.times.values()), reverse=True)

    def _take_back(self, wanted: list[StoredChange]) -> Left:
        """One change of a target at a time."""
        left, going = Left(), dict[str, tuple[StoredChange, str]]()
        while (wanted or going) and self.remaining_ms() > _RESERVE_MS:
            for stored in list(wanted):
                if stored.change.target in going or len(going) == _AT_ONCE:
                    continue
                wanted.remove(stored)
                try:
                    arn = roll_back.start(self.sfn, self.change_arn, stored, REASON)
                except roll_back.TriedTooOften as often:
                    left.remaining[stored.change.id] = str(often)
                    continue
                going[stored.change.target] = (stored, arn)
            self.sleep(_PAUSE_S)
            for target, (stored, arn) in list(going.items()):
                if self.sfn.describe_execution(executionArn=arn)["status"] != "RUNNING":
                    del going[target]
                    self._note(left, stored.change.id)
        left.remaining |= {stored.change.id: "it is still being taken back" for stored, _ in going.values()}
        left.remaining |= {stored.change.id: "there was no time left" for stored in wanted}
        return left

    def _note(self, left: Left, change_id: str) -> None:
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
                # It may have come to its own end since it was listed.
                if arn in self._running(machine):
                    raise

    def _running(self, machine: str) -> list[str]:
        return [execution["executionArn"] for execution in self._executions(machine, "RUNNING")]

    def _executions(self, machine: str, *statuses: _Status) -> Iterator["ExecutionListItemTypeDef"]:
        for status in statuses:
            pages = self.sfn.get_paginator("list_executions").paginate(stateMachineArn=machine, statusFilter=status)
            yield from (execution for page in pages for execution in page["executions"])
