"""Records of capacity changes that are in flight while the application is upgraded stay readable."""

from datetime import UTC, datetime
from typing import Any

import pytest
from optimizer.capacity.memory.steps import Phase
from optimizer.capacity.progress import CapacityProgress

PUBLISHED = {"phase": "publishing", "version": "2"}
ROUTED = {"phase": "routing", "version": "2"}
APPLIED_AT = {"applied_at": "2026-11-21T12:00:00+00:00"}
STORED: dict[str, dict[str, Any]] = {
    "never applied": {},
    "new": {"phase": "new"},
    "resizing": {"phase": "resizing"},
    "publishing": {"phase": "publishing"},
    "published": PUBLISHED,
    "routing": ROUTED,
    "under observation": {**ROUTED, **APPLIED_AT},
    "under observation, looks counted": {**ROUTED, **APPLIED_AT, "verified": 2, "verification": 2},
    "abandoned": {**PUBLISHED, "abandoned": "the alias was moved to version 3", "failed": False},
    "failed": {**PUBLISHED, "abandoned": "the update of $LATEST failed", "failed": True},
    "unhealthy": {**ROUTED, **APPLIED_AT, "unhealthy": "it is slower"},
    "keeping": {"phase": "keeping", "version": "2", **APPLIED_AT},
    "done": {"phase": "done", "version": "2", **APPLIED_AT},
    "provisioning": {"phase": "new", "provisioning": 5, **APPLIED_AT},
    "scaling": {"phase": "new", "scaling": [1, 4]},
    "putting an entry": {"phase": "new", "putting": ["0123456789abcdef", 3], "provisioning": 2},
    "removing a timetable": {
        "phase": "new",
        "putting": ["0123456789abcdef", 7],
        "removing": "fedcba9876543210",
        "removed_at": "2026-11-21T12:00:00.000123+00:00",
    },
}


@pytest.mark.parametrize("phase", STORED)
def test_capacity_progress_keeps_its_stored_keys(phase: str) -> None:
    assert CapacityProgress.from_document(STORED[phase]).to_document() == STORED[phase]


def test_capacity_progress_reads_types() -> None:
    progress = CapacityProgress.from_document(STORED["removing a timetable"])
    assert progress.phase is Phase.NEW
    assert progress.putting == ("0123456789abcdef", 7)
    assert progress.removed_at == datetime(2026, 11, 21, 12, 0, 0, 123, tzinfo=UTC)


@pytest.mark.parametrize(("verification", "number"), [(None, 0), (1, 0), (3, 2)])
def test_looks_that_were_never_counted_go_by_the_verification(verification: int | None, number: int) -> None:
    """Before looks were counted, the state machine's number alone told which one it is."""
    assert CapacityProgress.from_document(STORED["under observation"]).look_number(verification) == number


@pytest.mark.parametrize(("verification", "number"), [(None, 2), (2, 1), (3, 2)])
def test_a_verification_asked_again_takes_the_same_look(verification: int | None, number: int) -> None:
    progress = CapacityProgress.from_document(STORED["under observation, looks counted"])
    assert progress.look_number(verification) == number
