"""Proposals for MySQL and MariaDB, applied as they are."""

from types import SimpleNamespace
from typing import Any

import pytest
from local_account.servers import mariadb, mysql
from optimizer.core.change import Change, Status
from optimizer.indexes.change import server_for
from optimizer.indexes.planner import Planner
from optimizer.indexes.read_nodes import read_nodes

from tests.helpers.memory_bucket import MemoryBucket


@pytest.mark.parametrize("installation", [mysql.MYSQL, mariadb.COUNTING], ids=lambda known: known.name)
def test_proposals_can_be_applied(scene: Any, installation: Any) -> None:
    one = scene(installation, rows=2000)
    one.run("CREATE INDEX `I again` ON `Ta ble` (a, b)")
    one.run("CREATE INDEX `short` ON `Ta ble` (a)")
    one.run("CREATE INDEX `of key` ON `Ta ble` (id)")
    planner = Planner(
        store=one.store,
        records=SimpleNamespace(began=lambda *_: False),
        documents=MemoryBucket(),
        server=server_for(one.database, one.pool),
        database=one.database,
        read=lambda: read_nodes(one.database, one.pool),
        limits=one.limits,
    )
    proposed = planner.plan("run-1", one.now)
    drops = [change for change in proposed.changes if change.action == "drop_index"]
    assert {change.before["index"] for change in drops} >= {"short", "of key"}
    assert len(drops) == 3
    for change in proposed.changes:
        carry_out(one, change)
    assert one.look("PRIMARY") is not None
    assert [change.action for change in planner.plan("run-2", one.now).changes if "drop" in change.action] == []


def carry_out(one: Any, change: Change) -> None:
    one.store.record_change(change, Status.APPROVED, one.now)
    answer = one.whole(change)
    assert answer["outcome"] == "kept", (change.action, change.target, answer)
