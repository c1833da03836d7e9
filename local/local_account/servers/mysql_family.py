"""Share the code for servers of MySQL and MariaDB: a running server, its databases and its users."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql
from pymysql.connections import Connection

from local_account.servers import HOST, ServerProcess, free_port, run

USER = "maintainer"
PASSWORD = "local-only"

# A test's server need not survive a crash of the machine.
COMMON_SETTINGS = {
    "bind-address": HOST,
    "skip-name-resolve": "ON",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "OFF",
    "skip-log-bin": "",
}
_USERS = (
    f"CREATE USER IF NOT EXISTS {USER}@'{HOST}' IDENTIFIED BY '{PASSWORD}';\n"
    f"GRANT ALL PRIVILEGES ON *.* TO {USER}@'{HOST}' WITH GRANT OPTION;\n"
)


def quoted(name: str) -> str:
    """Return the identifier in backticks, as both servers want it."""
    return "`" + name.replace("`", "``") + "`"


class MysqlServer:
    """A running server; stop() removes its folder.

    `initialise` and `program` are command lines without the options that every server gets; `settings` are options of
    the server, name to value ("" for an option without one).
    """

    def __init__(self, initialise: Sequence[str], program: Sequence[str], settings: Mapping[str, str]) -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="mysql-"))
        self._program = program
        self._settings = {**COMMON_SETTINGS, **settings}
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self._numbers = count(1)
        self.folder.chmod(0o755)
        try:
            (self.folder / "users.sql").write_text(_USERS)
            command = [*initialise, f"--datadir={self._data}", *_as_root()]
            run(command, environment=self._environment, user=None, cwd=self.folder)
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def connect(self, database: str | None = None, user: str = USER, **options: Any) -> "Connection[Any]":
        """Return a new connection in autocommit; the caller closes it."""
        return pymysql.connect(
            host=HOST, port=self.port, user=user, password=PASSWORD, database=database, autocommit=True, **options
        )

    @contextmanager
    def session(self, database: str | None = None, user: str = USER) -> "Iterator[Connection[Any]]":
        """Yield a connection for the length of a `with`."""
        connection = self.connect(database, user)
        try:
            yield connection
        finally:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                connection.close()

    @contextmanager
    def database(self, *statements: str) -> Iterator[str]:
        """Make a new database with the statements, yield its name, and drop it afterwards."""
        name = f"Test `{next(self._numbers)}` é"
        with self.session() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {quoted(name)} CHARACTER SET utf8mb4")
        try:
            with self.session(name) as connection, connection.cursor() as cursor:
                for statement in statements:
                    cursor.execute(statement)
            yield name
        finally:
            with self.session() as connection, connection.cursor() as cursor:
                cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")

    def dsn(self, database: str, user: str = USER) -> str:
        """Return the address of a database as a URL."""
        return f"mysql://{user}:{PASSWORD}@{HOST}:{self.port}/{quote(database, safe='')}"

    def restart(self, *, crash: bool = False) -> None:
        """Stop the server, as after `kill -9` if `crash`, and start it again on the same port and data."""
        self._process.stop(signal.SIGKILL if crash else signal.SIGTERM)
        self._process = self._start()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        # The data are removed anyway, so a clean shutdown would only take time.
        self._process.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "MysqlServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _start(self) -> ServerProcess:
        options = [f"--{name}={value}" if value else f"--{name}" for name, value in self._settings.items()]
        options += [f"--datadir={self._data}", f"--port={self.port}", f"--socket={self.folder / 'socket'}"]
        options += [f"--pid-file={self.folder / 'pid'}", f"--init-file={self.folder / 'users.sql'}", *_as_root()]
        command = [*self._program, *options]
        process = ServerProcess(command, self.folder / "server.log", environment=self._environment, user=None)
        process.wait_until(self._answers, within_s=30.0)
        return process

    def _answers(self) -> bool:
        try:
            self.connect(connect_timeout=2).close()
        except (pymysql.MySQLError, OSError):
            return False
        return True


def _as_root() -> list[str]:
    """Return the option that lets both servers run as root, if this process is root."""
    return ["--user=root"] if os.geteuid() == 0 else []
