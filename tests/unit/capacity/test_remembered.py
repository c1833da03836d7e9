"""Functions that an earlier run read: when they stand for what they are, and when they are read again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from optimizer.capacity.live_function import LATEST, LiveFunction, Placed, ProvisionedConfig, Scaling, Version
from optimizer.capacity.remembered import Remembered, RememberedFunctions, due_of, is_quiet
from optimizer.core import canonical_json

NOW = datetime(2026, 11, 30, 6, tzinfo=UTC)
VERSION = Version("1", 1024, "code", "content", "r", settled=True, failed=False)
LIVE = LiveFunction("orders", "live", "1", "", {}, replace(VERSION, name=LATEST), VERSION, placed=Placed({}))
TARGET = {"function_name": "orders", "alias": "live", "tags": {"optimizer": "on"}}
DAY = timedelta(days=1)


def memory(now: datetime = NOW, **batch: Any) -> RememberedFunctions:
    """The memory of a run, as stored a day before by one that read the function."""
    lists = {"fingerprints": {"orders": "f"}}
    first = RememberedFunctions(NOW - DAY, fingerprints=lists["fingerprints"]).remember(TARGET, LIVE, read=True)
    assert first is not None
    # Of a batch, one is due: the one that was read longest ago.
    older = replace(first, read_at=NOW - 2 * DAY)
    stored = canonical_json.plain({"orders": first, "older": older})
    return RememberedFunctions.of(stored, {**lists, **batch}, now)


def test_function_that_is_listed_as_before_is_not_read() -> None:
    assert memory(NOW).recall(TARGET) == LIVE


@pytest.mark.parametrize(
    ("batch", "target"),
    [
        ({"fingerprints": {"orders": "other"}}, TARGET),
        ({"fingerprints": {}}, TARGET),
        ({"provisioned": ["orders"]}, TARGET),
        ({}, {**TARGET, "alias": "blue"}),
        ({}, {**TARGET, "tags": {"optimizer": "on", "aws:cloudformation:stack-name": "shop"}}),
        ({}, {**TARGET, "function_name": "invoices"}),
    ],
    ids=["updated", "not listed", "provisioned", "alias", "tags", "unknown"],
)
def test_function_that_a_list_shows_otherwise_is_read(batch: dict[str, Any], target: dict[str, Any]) -> None:
    assert memory(NOW, **batch).recall(target) is None


@pytest.mark.parametrize(
    "live",
    [
        replace(LIVE, provisioned=ProvisionedConfig(3, "READY")),
        replace(LIVE, held_elsewhere=("alias blue",)),
        replace(LIVE, scaling=Scaling(1, 3)),
        replace(LIVE, placed=Placed({"mark": frozenset({1})})),
        replace(LIVE, placed=Placed({}, ("action",))),
        replace(LIVE, placed=None),
        replace(LIVE, weights={"2": 0.1}),
        replace(LIVE, latest=replace(VERSION, settled=False)),
        replace(LIVE, version=replace(VERSION, settled=False)),
    ],
)
def test_function_that_moves_by_itself_is_read_each_time(live: LiveFunction) -> None:
    assert not is_quiet(live)
    assert RememberedFunctions(NOW, fingerprints={"orders": "f"}).remember(TARGET, live, read=True) is None


def test_function_that_no_list_showed_is_not_remembered() -> None:
    assert RememberedFunctions(NOW).remember(TARGET, LIVE, read=True) is None


def test_memory_of_another_release_is_forgotten() -> None:
    """It may lack a fact that decides now, or hold it under another name."""
    kept = RememberedFunctions(NOW - DAY, fingerprints={"orders": "f"}).remember(TARGET, LIVE, read=True)
    stored = canonical_json.plain({"orders": kept, "older": kept})
    assert RememberedFunctions.of(stored, {"fingerprints": {"orders": "f"}}, NOW).functions
    for one in stored.values():
        one["shape"] = "other"
        del one["live"]["version"]["memory_mb"]
    assert not RememberedFunctions.of(stored, {"fingerprints": {"orders": "f"}}, NOW).functions


def test_recalled_function_keeps_the_time_of_its_reading() -> None:
    known = memory(NOW)
    kept = known.remember(TARGET, LIVE, read=False)
    assert isinstance(kept, Remembered)
    assert kept.read_at == NOW - DAY


@pytest.mark.parametrize("size", [1, 2, 27, 28, 29, 50])
def test_every_function_is_read_again_within_four_weeks(size: int) -> None:
    read_at = {f"function-{number}": NOW for number in range(size)}
    oldest = NOW
    for day in range(1, 60):
        due = due_of(read_at, NOW + day * DAY)
        assert 1 <= len(due) <= 2
        read_at |= dict.fromkeys(due, NOW + day * DAY)
        oldest = min(read_at.values())
        assert NOW + day * DAY - oldest < 28 * DAY


def test_whatever_was_not_read_for_four_weeks_is_due() -> None:
    read_at = {f"function-{number}": NOW for number in range(50)}
    assert len(due_of(read_at, NOW + 27 * DAY)) == 2
    assert due_of(read_at, NOW + 28 * DAY) == set(read_at)


def test_function_without_alias_has_no_schedules() -> None:
    live = replace(LIVE, alias=LATEST, placed=None)
    kept = RememberedFunctions(NOW - DAY, fingerprints={"orders": "f"}).remember(TARGET, live, read=True)
    assert kept is not None
    assert RememberedFunctions(NOW, {"orders": kept}, {"orders": "f"}).recall(TARGET) == live
