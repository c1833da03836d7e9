"""Apply one change of indexes in a process of its own, which a test kills; its record goes to a file.

Run as `python -m tests.helpers.apply_in_a_process FILE`: "change", "database", "limits", "login", "record" as JSON.
"""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from local_account.memory_run_store import MemoryRunStore
from optimizer.core.change import Change, Status
from optimizer.indexes.change import job, server_for
from optimizer.indexes.change.change import IndexHooks
from optimizer.indexes.change.server import Machine
from optimizer.indexes.connect.pool import Connections
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Database, Indexes


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text())
    record = Path(given["record"])
    store, save = MemoryRunStore(), MemoryRunStore.save_progress

    def durably(change_id: str, progress: Any) -> None:
        save(store, change_id, progress)
        record.with_suffix(".new").write_text(json.dumps(progress))
        record.with_suffix(".new").rename(record)

    store.save_progress = durably  # type: ignore[method-assign]
    change, now = Change.from_document(given["change"]), datetime.now(UTC)
    store.record_change(change, Status.APPROVED, now)
    secrets = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": given["login"]})
    database = Database(**given["database"])
    job._SEND_S = 60.0
    hooks = IndexHooks(
        store=store,  # type: ignore[arg-type]
        records=SimpleNamespace(  # type: ignore[arg-type]
            take_turn=lambda *_: True, end_turn=lambda *_: None, record_build=lambda *_: None
        ),
        server=server_for(database, Connections(lambda: secrets, lambda: None, str)),  # type: ignore[arg-type, return-value]
        database=database,
        limits=Indexes(**given["limits"]),
        recheck=lambda *_: None,
        may_start=lambda _now: None,
        machine=lambda _now: Machine(),
        remaining_ms=lambda: 300_000.0,
    )
    Lifecycle(store, hooks).apply(change.id, now)  # type: ignore[arg-type]


main()
