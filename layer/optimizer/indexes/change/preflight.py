"""What stands in the way of a change for now. Pure."""

import sys
from dataclasses import replace

from optimizer.guardrails import MIB
from optimizer.indexes.change.server import Conditions, Job, Machine
from optimizer.policy import Indexes

# They scan or wait for whole tables; the others are over in a moment or give way by themselves.
_HEAVY = frozenset({Job.REBUILD, Job.CREATE, Job.DROP, Job.OPTIMIZE})
# They read a table and write something of its size.
BUILDING = _HEAVY - {Job.DROP}
# What is built, and what is sorted on the way.
_COPIES = 2


def obstacle(job: Job, conditions: Conditions, limits: Indexes) -> str:
    """Why the job must not start now, in one sentence; empty if nothing stands in its way. What is not known does not:
    every statement gives up by itself when it waits too long for a lock."""
    if conditions.busy:
        return f"Something else works on the table: {conditions.busy}."
    if job not in _HEAVY:
        return ""
    if conditions.transaction_s is not None and conditions.transaction_s > limits.max_transaction_s:
        return (
            f"A transaction has been open for {conditions.transaction_s:.0f} s ({conditions.holder}); "
            f"{limits.max_transaction_s:g} s are the most, because the change would wait for it."
        )
    if conditions.lock_waiters is not None and conditions.lock_waiters > limits.max_lock_waiters:
        wait = _sessions(conditions.lock_waiters, "waits", "wait")
        return f"{wait} for a lock; {limits.max_lock_waiters} are the most."
    if conditions.replica_lag_s is not None and conditions.replica_lag_s > limits.max_replica_lag_s:
        return f"A replica is {conditions.replica_lag_s:.1f} s behind; {limits.max_replica_lag_s:g} s are the most."
    sessions = conditions.active_sessions
    if job in BUILDING and sessions is not None and sessions > limits.max_active_sessions:
        return f"{_sessions(sessions, 'is', 'are')} at work on the server; {limits.max_active_sessions} are the most."
    return ""


def obstacle_of_machine(machine: Machine, needs_bytes: float, limits: Indexes) -> str:
    """Why something of so many bytes must not be built now; empty if nothing stands in its way. A server that is not
    RDS's is nobody's to ask. Of one that is, what is not known stands in the way: a full disk stops the database."""
    if not machine.name:
        return ""
    if machine.cpu_percent is None or machine.free_bytes is None:
        return f"How busy {machine.name} is and what storage it has free is not known: {machine.problem}."
    if machine.cpu_percent > limits.max_cpu_percent:
        return (
            f"The processors of {machine.name} are used to {machine.cpu_percent:.0f} %; "
            f"{limits.max_cpu_percent:g} % are the most."
        )
    needed_mb = _COPIES * needs_bytes / MIB + limits.min_free_storage_mb
    if machine.free_bytes < needed_mb * MIB:
        return (
            f"{machine.free_bytes / MIB:,.0f} MiB of storage are free on {machine.name}; "
            f"{needed_mb:,.0f} MiB are needed, {limits.min_free_storage_mb:,} of them to be left."
        )
    return ""


def at_any_load(limits: Indexes) -> Indexes:
    """For what takes something back: the load may well come from what was done."""
    return replace(limits, max_active_sessions=sys.maxsize)


def _sessions(number: int, one: str, many: str) -> str:
    return f"1 session {one}" if number == 1 else f"{number} sessions {many}"
