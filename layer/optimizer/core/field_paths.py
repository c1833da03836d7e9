"""Paths of fields in JSON documents, as error messages write them: `memory.floor_mb`, `run.windows[0].start`."""

import json
from collections.abc import Iterable

_SHORT = 60


def join_path(parts: Iterable[str | int]) -> str:
    """Keys and positions as one path."""
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else join(path, part)
    return path


def join(path: str, name: object) -> str:
    """The path of a key below a path."""
    return f"{path}.{printable_name(str(name))}" if path else printable_name(str(name))


def printable_name(name: str) -> str:
    """A name as it is, or as JSON where it would break the line it stands in."""
    return name if name.isprintable() else json.dumps(name)


def short(value: object) -> str:
    """A value as JSON, cut where it gets long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHORT else f"{text[: _SHORT - 3]}..."
