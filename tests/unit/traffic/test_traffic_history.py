"""The history of a function: merging, its stored form, and gaps in the metrics."""

import numpy as np
import pytest
from hypothesis import given, strategies as st
from optimizer.traffic.gaps import settle
from optimizer.traffic.history import (
    DAY_MINUTES,
    HOUR_METRICS,
    HOURS_KEPT,
    MINUTE_METRICS,
    MINUTES_KEPT,
    Floats,
    History,
    Series,
    UnreadableHistory,
    empty_series,
    hours_from_minutes,
)

START = 29_000_000 // DAY_MINUTES * DAY_MINUTES


def minutes_of(calls: Floats, start: int = START) -> History:
    """Return a history as it is read: NaN for minutes without calls, because CloudWatch has no point for them."""
    reported = np.where(calls > 0, calls, np.nan)
    duration = np.where(calls > 0, 100.0, np.nan)
    values = {"invocations": reported, "duration_ms": duration, "concurrency": np.where(calls > 0, 1.0, np.nan)}
    return History.empty().merged(History(Series(start, values), empty_series(HOUR_METRICS, start // 60)))


def calls_of(history: History) -> Floats:
    return history.minutes.values["invocations"]


def busy(days: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).poisson(2.0, days * DAY_MINUTES).astype(float)


def test_a_minute_without_a_point_is_a_minute_without_calls() -> None:
    calls = busy(3)
    np.testing.assert_array_equal(calls_of(settle({"f": minutes_of(calls)}, 0)["f"]), calls)


def test_minutes_before_the_first_call_are_unknown() -> None:
    calls = busy(3)
    calls[: 2 * DAY_MINUTES] = 0
    settled = calls_of(settle({"new": minutes_of(calls), "old": minutes_of(busy(3))}, 0)["new"])
    first = int(np.flatnonzero(calls)[0])
    assert np.isnan(settled[:first]).all()
    np.testing.assert_array_equal(settled[first:], calls[first:])


def test_unusual_silence_of_all_functions_is_a_gap() -> None:
    calls = busy(10)
    lost = slice(8 * DAY_MINUTES + 600, 8 * DAY_MINUTES + 780)
    calls[lost] = 0
    settled = calls_of(settle({"a": minutes_of(calls), "b": minutes_of(calls)}, 0)["a"])
    assert np.isnan(settled[lost]).all()
    assert not np.isnan(settled[: lost.start]).any()
    assert not np.isnan(settled[lost.stop :]).any()


def test_silence_of_one_function_is_no_gap() -> None:
    calls = busy(10)
    quiet = slice(8 * DAY_MINUTES + 600, 8 * DAY_MINUTES + 780)
    calls[quiet] = 0
    settled = calls_of(settle({"a": minutes_of(calls), "b": minutes_of(busy(10, 2))}, 0)["a"])
    assert (settled[quiet] == 0).all()


def test_a_function_that_is_silent_every_night_has_no_gaps() -> None:
    calls = busy(10)
    calls[np.arange(len(calls)) % DAY_MINUTES < 360] = 0
    assert not np.isnan(calls_of(settle({"f": minutes_of(calls)}, 0)["f"])[DAY_MINUTES:]).any()


def test_function_that_ended_is_silent_and_not_unknown() -> None:
    calls = busy(10)
    calls[6 * DAY_MINUTES :] = 0
    settled = calls_of(settle({"f": minutes_of(calls)}, 0)["f"])
    assert (settled[6 * DAY_MINUTES :] == 0).all()


def test_a_function_called_once_a_week_is_silent_in_between() -> None:
    calls = np.zeros(15 * DAY_MINUTES)
    calls[[100, 100 + 7 * DAY_MINUTES, 100 + 14 * DAY_MINUTES]] = 1
    settled = calls_of(settle({"f": minutes_of(calls)}, 0)["f"])
    assert np.nansum(settled) == 3
    assert not np.isnan(settled[100:]).any()


def test_hours_follow_from_whole_hours_of_known_minutes() -> None:
    calls = busy(2)
    calls[90:100] = np.nan
    hours = hours_from_minutes(Series(START + 30, dict.fromkeys(MINUTE_METRICS, calls[30:])))
    assert hours.start == START // 60 + 1
    assert np.isnan(hours.values["invocations"][0])
    assert hours.values["invocations"][1] == calls[120:180].sum()


def test_hours_weigh_durations_by_calls() -> None:
    values = {
        "invocations": np.array([3.0, 1.0] + [0.0] * 58),
        "duration_ms": np.array([100.0, 500.0] + [np.nan] * 58),
        "concurrency": np.array([2.0, 1.0] + [0.0] * 58),
    }
    hours = hours_from_minutes(Series(START, values))
    assert hours.values["duration_ms"].tolist() == [200.0]
    assert hours.values["concurrency"].tolist() == [2.0]


def test_no_more_is_kept_than_15_days_of_minutes_and_63_of_hours() -> None:
    history = History.empty()
    for day in range(20):
        history = history.merged(settle({"f": minutes_of(busy(1, day), START + day * DAY_MINUTES)}, 0)["f"])
    assert len(history.minutes) == MINUTES_KEPT
    hours = History(history.minutes, Series(0, {m: np.ones(100 * 24) for m in HOUR_METRICS}))
    assert len(History.empty().merged(hours).hours) == HOURS_KEPT


@given(
    st.integers(0, 50),
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=40),
    st.lists(st.one_of(st.none(), st.integers(0, 9)), max_size=40),
)
def test_where_two_readings_overlap_the_newer_known_point_counts(
    offset: int, old: list[int | None], new: list[int | None]
) -> None:
    older, newer = (
        Series(start, {"invocations": np.array([np.nan if v is None else v for v in values], float)})
        for start, values in ((100, old), (100 + offset, new))
    )
    both = older.overlaid(newer)
    for index in range(len(both)):
        minute = both.start + index
        mine, theirs = (series.window(minute, minute + 1).values["invocations"][0] for series in (older, newer))
        expected = mine if np.isnan(theirs) else theirs
        np.testing.assert_equal(both.values["invocations"][index], expected)


def test_the_stored_form_reads_back_the_same() -> None:
    history = settle({"f": minutes_of(busy(15))}, 0)["f"]
    again = History.from_bytes(history.to_bytes())
    assert (again.minutes.start, again.hours.start) == (history.minutes.start, history.hours.start)
    for name, values in history.minutes.values.items():
        np.testing.assert_array_equal(again.minutes.values[name], values)
    assert len(history.to_bytes()) < 100_000


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04"])
def test_anything_else_is_not_a_history(content: bytes) -> None:
    with pytest.raises(UnreadableHistory):
        History.from_bytes(content)
