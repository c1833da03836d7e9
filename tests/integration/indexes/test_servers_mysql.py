"""The MySQL and MariaDB servers that the tests run on."""

from collections.abc import Callable

import pytest
from local_account.servers import Installation, mariadb, mysql
from local_account.servers.mysql_family import MysqlServer

Get = Callable[[Installation[MysqlServer]], MysqlServer]
INSTALLATIONS = (*mysql.INSTALLATIONS, *mariadb.INSTALLATIONS)


@pytest.mark.parametrize("installation", INSTALLATIONS, ids=lambda known: known.name)
def test_server_creates_and_drops_its_own_database(server: Get, installation: Installation[MysqlServer]) -> None:
    running = server(installation)
    with running.database("CREATE TABLE `Tä ble` (a int)") as name, running.session(name) as session:
        cursor = session.cursor()
        cursor.execute("SELECT DATABASE(), COUNT(*) FROM `Tä ble`")
        assert cursor.fetchone() == (name, 0)
    with running.session() as session, session.cursor() as cursor:
        assert cursor.execute("SELECT 1 FROM information_schema.schemata WHERE schema_name = %s", [name]) == 0


@pytest.mark.parametrize(("installation", "word"), [(mysql.MYSQL, "MySQL"), (mariadb.PLAIN, "MariaDB")])
def test_server_is_the_one_its_name_says(server: Get, installation: Installation[MysqlServer], word: str) -> None:
    with server(installation).session() as session, session.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone()
        assert ("MariaDB" in version) == (word == "MariaDB")
        cursor.execute("SHOW GLOBAL VARIABLES LIKE 'performance_schema'")
        assert cursor.fetchone()[1] == ("ON" if word == "MySQL" else "OFF")


def test_crashed_server_restarts_with_its_data(server: Get) -> None:
    server(mariadb.PLAIN)
    with mariadb.start_mariadb() as running:
        with running.session() as session, session.cursor() as cursor:
            cursor.execute("CREATE DATABASE kept")
        running.restart(crash=True)
        with running.session("kept"):
            pass
        folder = running.folder
    assert not folder.exists()
