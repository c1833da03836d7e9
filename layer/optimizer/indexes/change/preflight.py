"""The conditions under which a change must wait. Pure."""

import sys
from dataclasses import replace

from optimizer.guardrails import MIB
from optimizer.indexes.change.server import Conditions, Job, Machine
from optimizer.policy import Indexes

# These jobs scan a table or wait for all its users; the others take a moment or yield by themselves.
_HEAVY = frozenset({Job.REBUILD, Job.CREATE, Job.DROP, Job.OPTIMIZE})
# These jobs read a table and write data of about its size.
BUILDING = _HEAVY - {Job.DROP}
# One copy for the new index and one for sorting.
_COPIES = 2


def obstacle(job: Job, conditions: Conditions, limits: Indexes) -> str:
    """Return, in one sentence, why the job must not start now; an empty string if it may.

    Unknown conditions do not prevent a job, because every statement gives up when it waits too long for a lock.
    """
    if conditions.busy:
        return f"Another command works on the table: {conditions.busy}."
    if job not in _HEAVY:
        return ""
    if job in BUILDING and conditions.faulty_builds:
        return f"{conditions.faulty_builds}."
    if conditions.transaction_s is not None and conditions.transaction_s > limits.max_transaction_s:
        return (
            f"A transaction has been open for {conditions.transaction_s:.0f} s ({conditions.holder}) and the change "
            f"would wait for it; the limit is {limits.max_transaction_s:g} s (indexes.max_transaction_s)."
        )
    if conditions.lock_waiters is not None and conditions.lock_waiters > limits.max_lock_waiters:
        wait = _sessions(conditions.lock_waiters, "waits", "wait")
        return f"{wait} for a lock; the limit is {limits.max_lock_waiters} (indexes.max_lock_waiters)."
    if conditions.replica_lag_s is not None and conditions.replica_lag_s > limits.max_replica_lag_s:
        return (
            f"A replica lags {conditions.replica_lag_s:.1f} s; the limit is {limits.max_replica_lag_s:g} s "
            "(indexes.max_replica_lag_s)."
        )
    sessions = conditions.active_sessions
    if job in BUILDING and sessions is not None and sessions > limits.max_active_sessions:
        active = _sessions(sessions, "is", "are")
        return (
            f"{active} active on the server; the limit is {limits.max_active_sessions} (indexes.max_active_sessions)."
        )
    return ""


def obstacle_of_machine(machine: Machine, needs_bytes: float, limits: Indexes) -> str:
    """Return why a build of `needs_bytes` must not start now; an empty string if it may.

    Nothing is known about a server outside RDS, which does not prevent a build. On RDS an unknown value does, because
    a full disk stops the database.
    """
    if not machine.name:
        return ""
    if machine.cpu_percent is None or machine.free_bytes is None:
        return f"The load and the free storage of {machine.name} are unknown: {machine.problem}."
    if machine.cpu_percent > limits.max_cpu_percent:
        return (
            f"The processors of {machine.name} are {machine.cpu_percent:.0f}% busy; "
            f"the limit is {limits.max_cpu_percent:g}% (indexes.max_cpu_percent)."
        )
    needed_mb = _COPIES * needs_bytes / MIB + limits.min_free_storage_mb
    if machine.free_bytes < needed_mb * MIB:
        return (
            f"{machine.free_bytes / MIB:,.0f} MiB of storage are free on {machine.name}; the build needs "
            f"{needed_mb:,.0f} MiB, including {limits.min_free_storage_mb:,} MiB that must stay free "
            "(indexes.min_free_storage_mb)."
        )
    return ""


def at_any_load(limits: Indexes) -> Indexes:
    """Return the limits for rolling back, which ignore the load because the change itself may cause it."""
    return replace(limits, max_active_sessions=sys.maxsize)


def _sessions(number: int, verb: str, plural_verb: str) -> str:
    return f"1 session {verb}" if number == 1 else f"{number} sessions {plural_verb}"
