"""Pack pings at equal intervals into rows. Most plans repeat one interval for hours, so a row is short to store and
easy to read. Pure."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

# The first minute, minutes to the next ping (0 if there is none), number of pings, environments of each ping.
type Row = Sequence[int]


def pack(pings: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the rows of pings (minute, environments), which are in rising order."""
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
    """Return the pings of the rows; raise ValueError if they are not in rising order."""
    pings = [
        (first + interval * number, environments)
        for first, interval, times, environments in rows
        for number in range(times)
    ]
    if any(after <= before for (before, _), (after, _) in pairwise(pings)):
        raise ValueError("the pings of a plan are not in rising order")
    return pings


def count_pings(rows: Iterable[Row]) -> int:
    """Return the number of pings in the rows."""
    return sum(times for _, _, times, _ in rows)
