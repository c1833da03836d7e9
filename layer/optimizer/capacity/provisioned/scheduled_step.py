"""A step of a timetable when its time has come: sets what the timetable says for this moment.

The alias must still be as the timetable left it, and today's policy must allow the amount.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from optimizer.capacity.lambda_account import LambdaAccount, Raced, WriteRefused
from optimizer.capacity.live_function import LiveFunction, NoSuchAlias, NoSuchFunction
from optimizer.capacity.obstacles import held_elsewhere
from optimizer.capacity.provisioned.amount import Amount, mark_of, place
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables
from optimizer.core import Change, Status
from optimizer.guardrails import Refusal
from optimizer.store import NoSuchChange, RunStore

# A timetable that was removed, or never put in place, sets nothing.
_IN_FORCE = frozenset({Status.APPLYING, Status.WATCHING, Status.KEPT})


@dataclass(frozen=True, slots=True)
class HoldMinimum:
    """Holds what timetables say. recheck: today's guardrails of the change on the live state. holidays: those of a
    function in today's policy, in addition to those that were known when its timetable was made."""

    store: RunStore
    account: LambdaAccount
    timetables: PlacedTimetables
    recheck: Callable[[Change, LiveFunction], Refusal | None]
    holidays: Callable[[LiveFunction], frozenset[date]] = lambda _live: frozenset()

    def hold(self, change_id: str, entry: int, now: datetime) -> dict[str, Any]:
        """Set what the timetable says for now.

        The answer is `{"outcome": "held" | "left", "change_id", "environments"?, "message"?}`.
        """
        try:
            stored = self.store.change(change_id)
        except NoSuchChange as unknown:
            return _left(change_id, str(unknown))
        change, after = stored.change, Amount.of(stored.change.after, mark_of(change_id))
        if stored.status not in _IN_FORCE or after.timetable is None:
            return _left(change_id, f"the change is {stored.status.value}")
        name = change.target.rpartition(":")[2]
        try:
            live = self.account.read(name, str(change.evidence["alias"]), owners=True)
        except (NoSuchAlias, NoSuchFunction) as gone:
            return _left(change_id, str(gone))
        # Checked last: whoever removes the timetable waits for a step that has begun.
        if not self.timetables.is_in_place(live.function_arn, after.plan, entry):
            return _left(change_id, "the timetable was removed")
        wanted = after.timetable.held_at(now)
        if wanted > place(live)[0]:
            known = after.timetable.holidays | self.holidays(live)
            wanted = replace(after.timetable, holidays=known).held_at(now)
        reason = why_leave(change, after, live, wanted) or self._refused(change, live, wanted)
        if reason:
            return _left(change_id, reason)
        if place(live)[0] != wanted:
            try:
                self.account.provision(live, wanted)
            except (Raced, WriteRefused) as refused:
                return _left(change_id, str(refused))
        return {"outcome": "held", "change_id": change_id, "environments": wanted}

    def _refused(self, change: Change, live: LiveFunction, wanted: int) -> str:
        """Return the guardrail that blocks the amount, or an empty string. Giving back is always allowed."""
        if wanted <= place(live)[0]:
            return ""
        refusal = self.recheck(change, live)
        return f"{refusal.rule}: {refusal.message}" if refusal else ""


def why_leave(change: Change, after: Amount, live: LiveFunction, wanted: int) -> str:
    """Return the reason that the alias stays as it is; empty if it may be set. Pure."""
    if live.scaling is not None:
        return "Application Auto Scaling owns the provisioned concurrency now"
    now = place(live)
    if now not in after.places | Amount.of(change.before).places:
        return f"somebody else set the provisioned concurrency to {now[0]}"
    elsewhere = held_elsewhere(live)
    if elsewhere and wanted:
        return elsewhere
    if live.leaving and wanted:
        return f"Lambda is moving the alias from version {live.leaving} to {live.alias_version}"
    if live.weights and wanted:
        return "traffic of the alias is being shifted, which refuses provisioned concurrency"
    return ""


def _left(change_id: str, why: str) -> dict[str, Any]:
    return {"outcome": "left", "change_id": change_id, "message": why}
