"""Describes a change of indexes in words, the same in mail, page and terminal. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.core import data_size

_PHRASES = {
    "analyze": "recalculate the statistics of {table} (ANALYZE)",
    "vacuum": "remove dead rows of {table} (VACUUM)",
    "clean_pending_list": "merge the pending entries of {index} of {table}",
    "rebuild": "rebuild {index} of {table}",
    "drop_leftover": "drop {index} of {table}, which an interrupted build left",
    "drop_index": "drop {index} of {table}",
    "create_index": "build {index} on {table}",
    "optimize_table": "rewrite {table} (OPTIMIZE TABLE)",
}


def phrase(action: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Return `rebuild event_at_idx of public.event, 1.3 MiB, about 1.07 MiB of it bloat` for the parts of a Change."""
    table = f"{before.get('schema')}.{before.get('table')}"
    text = _PHRASES.get(action, action.replace("_", " ") + " {index} of {table}")
    text = text.format(table=table, index=before.get("index") or "")
    size, remaining = before.get("size_bytes"), after.get("size_bytes")
    if action == "create_index":
        return f"{text}: {after.get('definition', '')}"
    if size is None:
        return text
    text = f"{text}, {data_size(size)}"
    if remaining is not None and action in ("rebuild", "optimize_table"):
        waste = "bloat" if action == "rebuild" else "free"
        text = f"{text}, about {data_size(max(0.0, float(size) - float(remaining)))} of it {waste}"
    cover = before.get("covered_by")
    return f"{text}; {cover['index']} serves its queries" if cover else text


def outcome(action: str, size_before: float | None, size_after: float | None) -> str:
    """Return what was done, with the size of the index or table before and after it (given in bytes) where it helps."""
    before, now = (None if size is None else data_size(size) for size in (size_before, size_after))
    match action:
        case "analyze":
            return "The statistics were recalculated."
        case "vacuum":
            return "The dead rows of the table were removed."
        case "clean_pending_list":
            return "The pending entries were merged."
        case "rebuild":
            return f"The index was rebuilt: {before} before, {now} now."
        case "optimize_table":
            return f"The table was rewritten: {before} before, {now} now."
        case "create_index":
            return f"The index was built: {now}."
        case "drop_leftover":
            return f"The leftover of the interrupted build was dropped: {before} freed."
        case _:
            return f"The index was dropped: {before} freed; its definition is stored with the change."
