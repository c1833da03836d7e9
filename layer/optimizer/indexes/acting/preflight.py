"""What stands in the way of a change for now. Pure."""

from optimizer.indexes.acting.server import Conditions, Job
from optimizer.policy.model import Indexes

# They scan or wait for whole tables; the others are over in a moment or give way by themselves.
_HEAVY = frozenset({Job.REBUILD, Job.CREATE, Job.DROP, Job.OPTIMIZE})


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
        return f"{conditions.lock_waiters} sessions wait for a lock; {limits.max_lock_waiters} are the most."
    if conditions.replica_lag_s is not None and conditions.replica_lag_s > limits.max_replica_lag_s:
        return f"A replica is {conditions.replica_lag_s:.1f} s behind; {limits.max_replica_lag_s:g} s are the most."
    return ""
