"""Start MySQL from a Debian file tree that `make mysql` unpacks, with that tree's own loader and libraries.

The libraries of the machine need not fit.
"""

from pathlib import Path

from local_account.servers import Installation
from local_account.servers.mysql_family import MysqlServer

ROOT = Path(__file__).resolve().parents[3] / ".build" / "mysql" / "root"


def _unpacked() -> Path | None:
    programs = ROOT / "usr" / "sbin" / "mysqld"
    return programs if programs.exists() else None


def start_mysql(settings: dict[str, str] | None = None) -> MysqlServer:
    """Start MySQL with `settings` beside its defaults; raise FileNotFoundError if it is not unpacked."""
    program = _unpacked()
    if program is None:
        raise FileNotFoundError("MySQL is not unpacked")
    libraries = ":".join(str(folder) for folder in sorted((ROOT / "usr" / "lib").glob("*-linux-gnu")))
    loader = next(iter(sorted(ROOT.glob("usr/lib*/ld-linux-*.so*")) or sorted(ROOT.glob("usr/lib/*/ld-linux-*.so*"))))
    command = [str(loader), "--library-path", f"{libraries}:{ROOT / 'usr/lib/mysql/private'}", str(program)]
    command += ["--no-defaults", f"--basedir={ROOT / 'usr'}", "--secure-file-priv=NULL", "--mysqlx=OFF"]
    return MysqlServer([*command, "--initialize-insecure"], command, settings or {})


MYSQL = Installation("MySQL (Debian's tree)", _unpacked, start_mysql, "make mysql, as root, with debootstrap")
INSTALLATIONS = (MYSQL,)
