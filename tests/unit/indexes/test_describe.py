"""Descriptions of index changes: the action, the resource and the size."""

from typing import Any

import pytest
from optimizer.approvals import describe
from optimizer.indexes.describe import outcome, phrase

EVENT = {"schema": "public", "table": "event", "index": "event_at_idx", "size_bytes": 1_359_872}
MADE = "CREATE INDEX event_kind_idx ON public.event USING btree (kind)"


@pytest.mark.parametrize(
    ("action", "before", "after", "expected"),
    [
        (
            "rebuild",
            EVENT,
            {"size_bytes": 286_720},
            "rebuild event_at_idx of public.event, 1.3 MiB, about 1.02 MiB of it bloat",
        ),
        ("rebuild", EVENT, {}, "rebuild event_at_idx of public.event, 1.3 MiB"),
        (
            "drop_index",
            {**EVENT, "covered_by": {"index": "wide"}},
            {},
            "drop event_at_idx of public.event, 1.3 MiB; wide serves its queries",
        ),
        (
            "drop_leftover",
            {**EVENT, "size_bytes": 0},
            {},
            "drop event_at_idx of public.event, which an interrupted build left, 0 B",
        ),
        (
            "create_index",
            {**EVENT, "index": "event_kind_idx"},
            {"definition": MADE},
            f"build event_kind_idx on public.event: {MADE}",
        ),
        (
            "analyze",
            {"schema": "public", "table": "event", "size_bytes": 8192},
            {},
            "recalculate the statistics of public.event (ANALYZE), 8 KiB",
        ),
        (
            "optimize_table",
            {"schema": "shop", "table": "event", "size_bytes": 8192},
            {"size_bytes": 4096},
            "rewrite shop.event (OPTIMIZE TABLE), 8 KiB, about 4 KiB of it free",
        ),
    ],
)
def test_phrase_contains_action_and_size(
    action: str, before: dict[str, Any], after: dict[str, Any], expected: str
) -> None:
    assert phrase(action, before, after) == expected


def test_outcome_contains_sizes_before_and_after() -> None:
    assert outcome("rebuild", 1_359_872, 286_720) == "The index was rebuilt: 1.3 MiB before, 280 KiB now."
    assert outcome("create_index", None, 491_520) == "The index was built: 480 KiB."
    assert outcome("analyze", 8192, 8192) == "The statistics were recalculated."


def test_rollback_is_described_in_words() -> None:
    assert describe.roll_back({"action": "dropped again"}) == "dropped again"
    assert describe.roll_back({"action": "made visible or built again", "definition": MADE}) == (
        f"made visible or built again (definition: {MADE})"
    )
