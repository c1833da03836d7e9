"""Index changes on real servers of MySQL and MariaDB, from apply to the end."""

from typing import Any

import pytest
from local_account.servers import mariadb, mysql

SERVERS = pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.PLAIN], ids=lambda known: known.name)


@SERVERS
def test_index_is_hidden_for_days_before_its_drop(scene: Any, installation: Any) -> None:
    one = scene(installation, rows=200)
    change = one.change("drop_index")
    applied = one.until("apply", change)
    assert applied["outcome"] == "applied"
    assert one.look().is_visible is False
    assert one.look().definition == change.before["definition"]
    one.pause(applied["wait_s"])
    assert one.step("verify", change)["outcome"] == "watch"
    assert one.until("revert", change)["outcome"] == "reverted"
    assert one.look().is_visible is True


@SERVERS
def test_analyze_and_rewrite_are_applied(scene: Any, installation: Any) -> None:
    one = scene(installation, rows=200)
    for action in ("analyze", "optimize_table"):
        assert one.whole(one.change(action, index=""))["outcome"] == "kept"
    assert one.look() is not None


@SERVERS
def test_drop_of_a_needed_index_is_blocked(scene: Any, installation: Any) -> None:
    one = scene(installation, rows=200)
    one.run("CREATE UNIQUE INDEX u ON `Ta ble` (id, a)")
    one.run("CREATE TABLE other (x int, INDEX by_x (x), FOREIGN KEY (x) REFERENCES `Ta ble` (id))")
    for index, reason in (("PRIMARY", "primary key"), ("u", "unique")):
        answer = one.step("apply", one.change("drop_index", index=index))
        assert (answer["outcome"], answer["rule"]) == ("refused", "indexes.protected")
        assert reason in answer["message"]
    one.table = "other"
    answer = one.step("apply", one.change("drop_index", index="by_x"))
    assert answer["rule"] == "indexes.protected"
    assert "foreign key" in answer["message"]


def test_index_that_needs_a_table_copy_is_not_built(scene: Any) -> None:
    """The server rejects what would block writes; nothing is tried again and nothing is left."""
    one = scene(mariadb.PLAIN, rows=200)
    change = one.change("create_index", index="f", after={"definition": "FULLTEXT INDEX `f` (`b`)"})
    answer = one.until("apply", change)
    assert answer["outcome"] == "failed"
    assert one.look("f") is None
    assert one.store.change(change.id).progress["job"]["attempt"] == 1
