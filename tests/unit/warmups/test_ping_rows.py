"""Packing pings at equal intervals into rows."""

import pytest
from hypothesis import given, strategies as st
from optimizer.warmups.sending.ping_rows import count_pings, pack, unpack

# Few gaps and few sizes, so that many are equal.
PLANS = st.lists(st.tuples(st.integers(1, 12), st.integers(1, 3)), max_size=60).map(
    lambda steps: [(sum(gap for gap, _ in steps[: n + 1]), steps[n][1]) for n in range(len(steps))]
)


@given(PLANS)
def test_unpack_returns_the_packed_pings(pings: list[tuple[int, int]]) -> None:
    rows = pack(pings)
    assert unpack(rows) == pings
    assert count_pings(rows) == len(pings)
    assert len(rows) <= len(pings)


@pytest.mark.parametrize(
    ("pings", "rows"),
    [
        ([], []),
        ([(5, 2)], [[5, 0, 1, 2]]),
        ([(0, 1), (11, 1), (22, 1), (30, 1)], [[0, 11, 3, 1], [30, 0, 1, 1]]),
        ([(0, 1), (11, 2), (22, 2)], [[0, 0, 1, 1], [11, 11, 2, 2]]),
    ],
    ids=["none", "one", "a rhythm that ends", "more environments"],
)
def test_rows_are_as_long_as_the_rhythm_lasts(pings: list[tuple[int, int]], rows: list[list[int]]) -> None:
    assert pack(pings) == rows


def test_unpack_rejects_rows_that_go_back_in_time() -> None:
    with pytest.raises(ValueError, match="rising order"):
        unpack([[0, 11, 3, 1], [22, 0, 1, 1]])
