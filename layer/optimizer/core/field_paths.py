"""Paths of fields in JSON documents, as error messages write them: `memory.floor_mb`, `run.windows[0].start`."""

import json
from collections.abc import Iterable

_SHORT = 60


def join_path(parts: Iterable[str | int]) -> str:
    """Return keys and positions as one path."""
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else child_path(path, part)
    return path


def child_path(path: str, name: object) -> str:
    """Return the path of a key below a path."""
    return f"{path}.{printable_name(str(name))}" if path else printable_name(str(name))


def printable_name(name: str) -> str:
    """Return the name, or the name as JSON if it would break the line it stands in."""
    return name if name.isprintable() else json.dumps(name)


def short_json(value: object) -> str:
    """Return a value as JSON, cut to 60 characters."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
