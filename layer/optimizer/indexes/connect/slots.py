"""Places at a database server for connections of this application: no more than a set number, however many execution
environments there are, and none taken for good by an environment that is asleep."""

import time

from optimizer.core import OptimizerError
from optimizer.indexes.connect.drivers import APPLICATION, Connection, rows

# Idle for so long, a connection is between two invocations: its environment opens another when it wakes.
_ASLEEP_S = 10
_ENDS_WITHIN_S = 2.0
_LOOK_AGAIN_S = 0.05


class TooManyConnections(OptimizerError, RuntimeError):
    """This application has as many connections to the server as the policy allows; a later attempt can succeed."""


def take_place(connection: Connection, most: int) -> None:
    """Keep a new connection only if it is one of the `most` that there may be; where all others are taken, end one that
    has been idle for long. TooManyConnections if none has."""
    take, wake = (_take_mysql, _end_asleep_mysql) if hasattr(connection, "cursor") else (_take, _end_asleep)
    if take(connection, most):
        return
    if wake(connection, most):
        deadline = time.monotonic() + _ENDS_WITHIN_S
        while time.monotonic() < deadline:
            if take(connection, most):
                return
            time.sleep(_LOOK_AGAIN_S)
    raise TooManyConnections(f"{most} connections to the server are open already")


# Of sessions opened at the same time the earlier ones stay: each counts those before it.
_EARLIER = """
SELECT other.pid,
       CASE WHEN other.state LIKE 'idle%' THEN extract(epoch FROM clock_timestamp() - other.state_change) END AS idle_s
FROM pg_stat_activity other, pg_stat_activity own
WHERE own.pid = pg_backend_pid() AND other.application_name = own.application_name
  AND other.usesysid = own.usesysid AND (other.backend_start, other.pid) < (own.backend_start, own.pid)
ORDER BY idle_s DESC NULLS LAST"""


def _take(connection: Connection, most: int) -> bool:
    return len(rows(connection, _EARLIER)) < most


def _end_asleep(connection: Connection, _most: int) -> bool:
    """A role may end its own sessions."""
    longest = next(iter(rows(connection, _EARLIER)), None)
    if longest is None or (longest["idle_s"] or 0.0) < _ASLEEP_S:
        return False
    return bool(rows(connection, "SELECT pg_terminate_backend(:pid) AS ended", pid=longest["pid"])[0]["ended"])


def _take_mysql(connection: Connection, most: int) -> bool:
    """A lock of the server's for each place."""
    return any(
        rows(connection, "SELECT GET_LOCK(%(name)s, 0) AS taken", name=name)[0]["taken"] == 1 for name in _names(most)
    )


def _end_asleep_mysql(connection: Connection, most: int) -> bool:
    """A user may see and end its own sessions."""
    holders = {
        rows(connection, "SELECT IS_USED_LOCK(%(name)s) AS holder", name=name)[0]["holder"] for name in _names(most)
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


def _names(most: int) -> list[str]:
    return [f"{APPLICATION}-{place}" for place in range(most)]
