"""Successive runs read the hours of a week that no run has read."""

from hypothesis import given, settings, strategies as st
from optimizer.function_logs.coverage import WEEK_HOURS, unread_hours, window_to_read

NOW = 495_000


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 60))
def test_runs_read_a_week_and_never_an_hour_twice(known_hours: int, budget_hours: int) -> None:
    """However little a run may read, no hour is read again before each hour of the week is known."""
    read: set[int] = set()
    first = NOW - known_hours
    for _ in range(known_hours):
        window = window_to_read(read, first, NOW, budget_hours)
        if window is None:
            break
        assert first <= window[0] < window[1] <= NOW
        assert window[1] - window[0] <= budget_hours
        assert set(range(*window)) - read
        read |= set(range(*window))
    assert read == set(range(first, NOW))


def test_hours_unlike_any_that_was_read_come_first() -> None:
    read = set(range(NOW - 24, NOW))
    window = window_to_read(read, NOW - 2 * WEEK_HOURS, NOW, 8)
    assert window is not None
    assert not {hour % WEEK_HOURS for hour in range(*window)} & {hour % WEEK_HOURS for hour in read}
    assert window[1] == NOW - 24


def test_nothing_is_left_where_all_was_read() -> None:
    assert window_to_read(set(range(NOW - 10, NOW)), NOW - 10, NOW, 5) is None
    assert window_to_read((), NOW, NOW, 5) is None


@given(st.sets(st.integers(NOW - WEEK_HOURS, NOW - 1)), st.sets(st.integers(NOW - 3 * WEEK_HOURS, NOW - 1)))
def test_an_hour_is_known_by_its_like_in_another_week(called: set[int], read: set[int]) -> None:
    left = unread_hours(called, read)
    assert left <= called
    for hour in called:
        assert (hour in left) is not any((hour - other) % WEEK_HOURS == 0 for other in read)
