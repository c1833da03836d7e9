"""Slots at a database server for connections of this application: a fixed number for all execution environments.

No environment that sleeps keeps a slot for good: its connection is ended when another environment needs the slot.
"""

import time

from optimizer.core import OptimizerError
from optimizer.indexes.connect.drivers import APPLICATION, Connection, rows

# A connection that is idle for so long belongs to an environment between two invocations, which can open another one.
_ASLEEP_S = 10
_ENDS_WITHIN_S = 2.0
_RETRY_S = 0.05


class TooManyConnections(OptimizerError, RuntimeError):
    """All connections to the server that the policy allows are open; a later attempt can succeed."""


def take_slot(connection: Connection, limit: int) -> None:
    """Keep a new connection only if it is one of the `limit` that may exist.

    If there is no free slot, end a connection that sleeps and take its slot. Raise TooManyConnections if none sleeps.
    """
    is_mysql = hasattr(connection, "cursor")
    take, end_sleeping = (
        (_take_mysql, _end_sleeping_mysql) if is_mysql else (_take_postgresql, _end_sleeping_postgresql)
    )
    if take(connection, limit):
        return
    if end_sleeping(connection, limit):
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while time.monotonic() < deadline:
            if take(connection, limit):
                return
            time.sleep(_RETRY_S)
    raise TooManyConnections(f"max_connections allows {limit} connections to the server, and all are in use")


# Each session counts those opened before it, so that of sessions opened at the same time the earlier ones stay.
_EARLIER_SESSIONS = """
SELECT
  other.pid,
  CASE WHEN other.state LIKE 'idle%' THEN extract(epoch FROM clock_timestamp() - other.state_change) END AS idle_s
FROM pg_stat_activity other, pg_stat_activity own
WHERE own.pid = pg_backend_pid()
  AND other.application_name = own.application_name
  AND other.usesysid = own.usesysid
  AND (other.backend_start, other.pid) < (own.backend_start, own.pid)
ORDER BY idle_s DESC NULLS LAST"""


def _take_postgresql(connection: Connection, limit: int) -> bool:
    return len(rows(connection, _EARLIER_SESSIONS)) < limit


def _end_sleeping_postgresql(connection: Connection, _limit: int) -> bool:
    """End the session that is idle for longest; a role may end its own sessions."""
    longest = next(iter(rows(connection, _EARLIER_SESSIONS)), None)
    if longest is None or (longest["idle_s"] or 0.0) < _ASLEEP_S:
        return False
    return bool(rows(connection, "SELECT pg_terminate_backend(:pid) AS ended", pid=longest["pid"])[0]["ended"])


def _take_mysql(connection: Connection, limit: int) -> bool:
    """Take one of the server's named locks; there is one for each slot."""
    return any(
        rows(connection, "SELECT GET_LOCK(%(name)s, 0) AS taken", name=name)[0]["taken"] == 1
        for name in _slot_names(limit)
    )


def _end_sleeping_mysql(connection: Connection, limit: int) -> bool:
    """End the session that sleeps for longest; a user may see and end its own sessions."""
    holders = {
        rows(connection, "SELECT IS_USED_LOCK(%(name)s) AS holder", name=name)[0]["holder"]
        for name in _slot_names(limit)
    }
    asleep = [
        row
        for row in rows(connection, "SHOW PROCESSLIST")
        if row["Id"] in holders and row["Command"] == "Sleep" and (row["Time"] or 0) >= _ASLEEP_S
    ]
    if not asleep:
        return False
    longest = max(asleep, key=lambda row: int(row["Time"]))
    rows(connection, f"KILL CONNECTION {int(longest['Id'])}")
    return True


def _slot_names(limit: int) -> list[str]:
    return [f"{APPLICATION}-{slot}" for slot in range(limit)]
