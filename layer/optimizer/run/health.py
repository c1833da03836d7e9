"""The health of the application itself, so that somebody notices if it stops."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from optimizer import core
from optimizer.core import Tuner
from optimizer.store import RunTable

_LOOK_BACK = timedelta(days=30)
_RUNS = 200
_HOUR = timedelta(hours=1)
# The schedules whose runs must succeed, by metric, each with a tuner that no other schedule asks for. Runs for warm-ups
# alone come in addition to the daily run, which plans pings as well.
_SCHEDULES = {"GoodRunAgeHours": Tuner.PROVISIONED_CONCURRENCY, "GoodWeeklyRunAgeHours": Tuner.MEMORY}


def run_health(store: RunTable, now: datetime) -> dict[str, float]:
    """Return the ages in hours that the alarms are set on.

    `GoodRunAgeHours`, `GoodWeeklyRunAgeHours`: since the start of the last run that succeeded and checked all that the
    daily and the weekly schedule are for; 0 without any run in the last 30 days. `RunHeldHours`: since the active run
    started; 0 without one. `ApprovalWaitsHours`: how long the oldest open approval request has been waiting, or 0."""
    # A review only reads, so its success says nothing about other runs.
    runs = [run for run in store.runs(now - _LOOK_BACK, _RUNS) if not (run.get("request") or {}).get("review")]
    found: dict[str, float] = {}
    for metric, tuner in _SCHEDULES.items():
        good = next((run for run in runs if run["status"] == "succeeded" and _checks_all(run, tuner)), None)
        # If none has succeeded, the oldest known run gives the time without success.
        since = good or (runs[-1] if runs else None)
        found[metric] = (now - since["started_at"]) / _HOUR if since else 0.0
    holder = store.lock_holder(now)
    held = next((run for run in runs if run["run_id"] == holder), None)
    approval = store.approval(holder) if holder else None
    waiting = [one for one in store.open_approvals(now - _LOOK_BACK) if now < one.expires_at + _HOUR]
    # A run of an earlier version waits itself, and the time that people take to respond is no sign of a stuck run.
    if approval and approval.status is core.ApprovalStatus.PENDING and holder not in {one.run_id for one in waiting}:
        waiting.append(approval)
        held = None
    began = (approval.closed_at if approval else None) or (held["started_at"] if held else now)
    found["RunHeldHours"] = (now - began) / _HOUR
    found["ApprovalWaitsHours"] = max(((now - one.asked_at) / _HOUR for one in waiting), default=0.0)
    return {name: round(value, 3) for name, value in found.items()}


def _checks_all(run: Mapping[str, Any], tuner: Tuner) -> bool:
    """Return True if the run was started for the tuner, and not for named resources only."""
    request = run.get("request") or {}
    names = request.get("functions") is not None or request.get("databases") is not None
    return not names and tuner in (request.get("tuners") or Tuner)
