"""Records of changes of TTLs that are in flight while the application is upgraded stay readable."""

from typing import Any

import pytest
from optimizer.caches.probe.result import ServerUse
from optimizer.caches.progress import TtlProgress

PUBLISHING = {"revision": 6, "text": '{"ttl_s":{"price":120.0},"version":7}'}
APPLIED = {**PUBLISHING, "applied_at": "2026-11-21T12:00:00+00:00"}
STORED: dict[str, dict[str, Any]] = {
    "never applied": {},
    "publishing": PUBLISHING,
    "publishing with a server": {**PUBLISHING, "server": {"evicted": 5, "used_bytes": 1000000}},
    "under observation": APPLIED,
    "kept": {**APPLIED, "seen": "price: 80.0% of 1000 reads hit, 70.0% did before"},
    "unhealthy": {**APPLIED, "unhealthy": {"price": "price: too few hits", "": "the server evicts more"}},
    "rolling back": {**APPLIED, "back_text": '{"ttl_s":{"price":60.0},"version":8}', "back_revision": 7},
}


@pytest.mark.parametrize("phase", STORED)
def test_ttl_progress_keeps_its_stored_keys(phase: str) -> None:
    progress = TtlProgress.from_document(STORED[phase])
    assert progress.to_document() == STORED[phase]


def test_ttl_progress_reads_the_servers_numbers() -> None:
    progress = TtlProgress.from_document(STORED["publishing with a server"])
    assert progress.server == ServerUse(evicted=5, used_bytes=1000000)
    assert (progress.revision, progress.back_revision) == (6, None)
