"""Pings as rows of those at equal intervals: most plans repeat a keep-alive for hours, and a row of them is read by a
person and stored at the price of one. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

# First minute, minutes to the next (0 where there is no next), how many, environments of each.
type Row = Sequence[int]


def pack(pings: Iterable[tuple[int, int]]) -> list[list[int]]:
    """The rows of pings (minute, environments) in rising order."""
    rows: list[list[int]] = []
    for minute, environments in pings:
        if rows and rows[-1][3] == environments:
            first, interval, times, _ = rows[-1]
            if times == 1 or minute == first + interval * times:
                rows[-1][1:3] = [minute - first, 2] if times == 1 else [interval, times + 1]
                continue
        rows.append([minute, 0, 1, environments])
    return rows


def unpack(rows: Iterable[Row]) -> list[tuple[int, int]]:
    """The pings of the rows. ValueError where they are not in rising order."""
    pings = [
        (first + interval * number, environments)
        for first, interval, times, environments in rows
        for number in range(times)
    ]
    if any(after <= before for (before, _), (after, _) in pairwise(pings)):
        raise ValueError("the pings of a plan are not in rising order")
    return pings


def count_pings(rows: Iterable[Row]) -> int:
    """How many pings the rows are."""
    return sum(times for _, _, times, _ in rows)
