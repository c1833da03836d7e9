"""Records of warm-up changes that are in flight while the application is upgraded stay readable."""

from typing import Any

import pytest
from optimizer.warmups.progress import WarmupPhase, WarmupProgress

STORED: list[tuple[dict[str, Any], WarmupPhase | None]] = [
    ({}, None),
    ({"phase": "removing"}, WarmupPhase.REMOVING),
    ({"phase": "creating", "next": 0}, WarmupPhase.CREATING),
    ({"phase": "creating", "next": 64}, WarmupPhase.CREATING),
    ({"phase": "watching", "applied_at": "2026-11-21T12:00:00+00:00", "verified": 0}, WarmupPhase.WATCHING),
    (
        {"phase": "watching", "applied_at": "2026-11-21T12:00:00.000123+00:00", "verified": 1, "verification": 1},
        WarmupPhase.WATCHING,
    ),
]


@pytest.mark.parametrize(("document", "phase"), STORED)
def test_warmup_progress_keeps_its_stored_keys(document: dict[str, Any], phase: WarmupPhase | None) -> None:
    progress = WarmupProgress.from_document(document)
    assert progress.phase is phase
    assert progress.next == document.get("next")
    assert progress.to_document() == document
