"""The levels of a heat map of the week. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_LEVELS = 7


@dataclass(frozen=True, slots=True)
class Heat:
    """Days with their 24 cells: the level, 0 to 6 or `n` for no data, and the calls in words. `most`: the most calls in
    an hour."""

    rows: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]
    most: str


def levels(week: Sequence[Sequence[float | None]]) -> Heat | None:
    """Return levels by the square root, so that small numbers differ too; None if there is no data at all."""
    known = [calls for day in week for calls in day if calls is not None]
    if not known:
        return None
    most = max(known)
    rows = tuple(
        (name, tuple((_level(calls, most), _words(calls)) for calls in day))
        for name, day in zip(_DAYS, week, strict=True)
    )
    return Heat(rows, f"{most:g}")


def _level(calls: float | None, most: float) -> str:
    if calls is None:
        return "n"
    if most <= 0 or calls <= 0:
        return "0"
    return str(min(_LEVELS - 1, 1 + int(math.sqrt(calls / most) * (_LEVELS - 1) * 0.999)))


def _words(calls: float | None) -> str:
    return "no data" if calls is None else f"{calls:g}"
