"""Start MariaDB from Debian (10.11), with its counters on, and with its defaults."""

import shutil
from pathlib import Path

from local_account.servers import Installation
from local_account.servers.mysql_family import MysqlServer

_COUNTING = {"performance-schema": "ON", "userstat": "ON"}


def _debian() -> Path | None:
    """Return the path of mariadbd; Debian keeps it in a folder that not every user searches."""
    found = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    return Path(found) if found else None


def start_mariadb(settings: dict[str, str] | None = None) -> MysqlServer:
    """Start MariaDB with `settings` beside its defaults; raise FileNotFoundError if it is not installed."""
    program = _debian()
    if program is None:
        raise FileNotFoundError("MariaDB is not installed")
    initialise = ["mariadb-install-db", "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"]
    return MysqlServer(initialise, [str(program), "--no-defaults"], settings or {})


_INSTALL = "apt-get install mariadb-server"
COUNTING = Installation(
    "MariaDB with performance_schema and userstat (Debian)", _debian, lambda: start_mariadb(_COUNTING), _INSTALL
)
PLAIN = Installation("MariaDB as it comes (Debian)", _debian, start_mariadb, _INSTALL)
INSTALLATIONS = (COUNTING, PLAIN)
