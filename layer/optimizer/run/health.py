"""How the application itself is: what nobody would notice if it only stopped."""

from datetime import datetime, timedelta

from optimizer.core import ApprovalStatus
from optimizer.store import RunStore

_LOOK_BACK = timedelta(days=30)
_RUNS = 100
_HOUR = timedelta(hours=1)


def run_health(store: RunStore, now: datetime) -> dict[str, float]:
    """`GoodRunAgeHours`: since a run last succeeded (from its start; 0 before there was any in the last month);
    `RunHeldHours`: since the run that goes on began or was last answered, 0 if none goes on
    or it waits for people; `ApprovalWaitsHours`: for how long it has been waiting for them, 0 if it does not."""
    # A review only reads; that it succeeds says nothing of the others.
    runs = [run for run in store.runs(now - _LOOK_BACK, _RUNS) if not (run.get("request") or {}).get("review")]
    found: dict[str, float] = {}
    good = next((run for run in runs if run["status"] == "succeeded"), None)
    # Where none ever succeeded, the oldest one known tells since when none has.
    since = good or (runs[-1] if runs else None)
    found["GoodRunAgeHours"] = (now - since["started_at"]) / _HOUR if since else 0.0
    holder = store.lock_holder(now)
    held = next((run for run in runs if run["run_id"] == holder), None)
    approval = store.approval(holder) if holder else None
    waits = approval is not None and approval.status is ApprovalStatus.PENDING
    # What people took to answer is no sign of a run that is stuck.
    began = (approval.closed_at if approval else None) or (held["started_at"] if held else now)
    found["RunHeldHours"] = 0.0 if waits else (now - began) / _HOUR
    found["ApprovalWaitsHours"] = (now - approval.asked_at) / _HOUR if approval and waits else 0.0
    return {name: round(value, 3) for name, value in found.items()}
