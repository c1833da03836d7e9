"""Recorded traffic, read and moved to now."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, strategies as st
from local_account.traces import MINUTE, NoTraces, Trace, move_to_now, read_traces

DAY = 1440


def trace(days: int, start: datetime, timezone: str = "UTC") -> Trace:
    """Return a trace in which each minute's count is its number, so that it can be recognised after it was moved."""
    counts = np.arange(days * DAY, dtype=np.int64)
    return Trace("numbered", start, timezone, counts, None, 200.0, "")


def write_series(folder: Path, period_s: int, rows: list[str], header: str = "timestamp,invocations") -> None:
    facts = {"shop_orders": {"period_s": period_s, "timezone": "UTC", "duration_ms": None, "note": "made up"}}
    (folder / "series.json").write_text(json.dumps(facts))
    with gzip.open(folder / "shop_orders.csv.gz", "wt") as text:
        text.write("\n".join([header, *rows]) + "\n")


@given(
    days=st.integers(16, 90),
    start_minute=st.integers(0, 27 * 365 * DAY),
    now_minute=st.integers(0, 2 * 365 * DAY),
    timezone=st.sampled_from(["UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata"]),
)
def test_a_moved_trace_keeps_weekday_and_local_time_of_day(
    days: int, start_minute: int, now_minute: int, timezone: str
) -> None:
    start = datetime(1998, 1, 1, tzinfo=UTC) + start_minute * MINUTE
    now = datetime(2026, 1, 1, tzinfo=UTC) + now_minute * MINUTE
    original = trace(days, start, timezone)
    moved = move_to_now(original, now)
    last = moved.invocations[moved.index(now)]
    zone = ZoneInfo(timezone)
    before = (original.start + int(last) * MINUTE).astimezone(zone)
    shift = (before.utcoffset() or timedelta(0)) - (original.end.astimezone(zone).utcoffset() or timedelta(0))
    local = before - shift
    assert (local.weekday(), local.hour, local.minute) == (
        now.astimezone(zone).weekday(),
        now.astimezone(zone).hour,
        now.astimezone(zone).minute,
    )


@given(days=st.integers(3, 90), minute=st.integers(0, 7 * DAY))
def test_moved_traces_have_a_day_ahead_and_at_most_28_behind(days: int, minute: int) -> None:
    now = datetime(2026, 11, 16, tzinfo=UTC) + minute * MINUTE
    moved = move_to_now(trace(days, datetime(2024, 2, 5, tzinfo=UTC)), now)
    assert now - moved.start <= timedelta(days=28)
    place = moved.index(now)
    assert (np.diff(moved.invocations[place : place + DAY]) == 1).all()


def test_a_short_trace_is_a_younger_function() -> None:
    now = datetime(2026, 11, 18, 10, 30, tzinfo=UTC)
    moved = move_to_now(trace(7, datetime(2021, 2, 2, tzinfo=UTC)), now)
    assert timedelta(days=5) <= now - moved.start <= timedelta(days=6)


def test_after_its_end_a_trace_repeats_its_last_week() -> None:
    now = datetime(2026, 11, 16, tzinfo=UTC)
    moved = move_to_now(trace(28, datetime(2026, 10, 5, tzinfo=UTC)), now)
    end = int(np.argmax(moved.invocations)) + 1
    assert np.array_equal(moved.invocations[end : end + 7 * DAY], moved.invocations[end - 7 * DAY : end])


def test_hours_are_spread_over_their_minutes(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [f"{start + hour * timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ},{1200.0}" for hour in range(200)]
    rows[5] = rows[5].split(",")[0] + ","
    write_series(tmp_path, 3600, rows)
    (read,) = read_traces(tmp_path)
    hours = read.invocations.reshape(-1, 60)
    assert hours.shape == (200, 60)
    assert abs(hours.mean() - 20.0) < 0.2
    assert 0.9 < hours.var() / hours.mean() < 1.1
    assert hours[5].sum() > 0, "a missing hour is not an hour without calls"


def test_minutes_keep_their_counts_and_durations(tmp_path: Path) -> None:
    rows = ["2026-01-01T00:00:00Z,3,120.5", "2026-01-01T00:01:00Z,0,0.0", "2026-01-01T00:03:00Z,7,80.0"]
    write_series(tmp_path, 60, rows, "timestamp,invocations,duration_ms")
    (read,) = read_traces(tmp_path)
    assert read.name == "shop-orders"
    assert read.invocations.tolist() == [3, 0, 0, 7]
    assert read.duration_ms is not None
    assert read.duration_ms.tolist() == [120.5, 0.0, 0.0, 80.0]
    assert read.usual_duration_ms == pytest.approx((3 * 120.5 + 7 * 80.0) / 10)


def test_a_folder_without_traces_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoTraces, match=r"has no series\.json"):
        read_traces(tmp_path)
    (tmp_path / "series.json").write_text('{"gone": {"period_s": 60, "timezone": "UTC"}}')
    with pytest.raises(NoTraces, match=r"gone\.csv\.gz"):
        read_traces(tmp_path)
