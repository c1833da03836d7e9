"""Test the records of replaced memory sizes on an emulated DynamoDB table."""

from datetime import UTC, datetime, timedelta
from typing import Any

from optimizer.core.change import Change, Risk, Tuner
from optimizer.store.replaced_sizes import ReplacedSizes

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def size(before: int, after: int) -> Change:
    sizes = {"memory_mb": before}, {"memory_mb": after}
    return Change("run-1", Tuner.MEMORY, "set_memory", "arn:a", *sizes, "cheaper", sizes[0], Risk.MEDIUM, {})


def test_replaced_sizes_are_remembered_until_a_change_is_rolled_back(dynamodb: Any) -> None:
    """Each kept change adds the size that it replaced; one that begins elsewhere begins anew."""
    store = ReplacedSizes(dynamodb, "optimizer")

    def sizes(days: int = 0) -> set[str]:
        found = store.of(["arn:a", "arn:b"], NOW + timedelta(days=days))
        assert set(found) <= {"arn:a"}
        return set(found["arn:a"].values) if found else set()

    store.forget(size(2048, 1024), NOW)
    assert sizes() == set()
    store.remember(size(2048, 1024), NOW)
    # The call that keeps a change may be repeated.
    for _ in range(2):
        store.remember(size(1024, 512), NOW)
        assert sizes() == {"2048", "1024"}
    assert store.of(["arn:a"], NOW)["arn:a"].change == size(1024, 512)
    store.remember(size(512, 1024), NOW)
    assert sizes() == {"2048", "512"}
    assert sizes(days=366) == set()
    store.remember(size(256, 512), NOW)
    assert sizes() == {"256"}
    store.forget(size(256, 512), NOW)
    assert sizes() == set()
