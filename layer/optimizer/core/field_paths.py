"""How an error of a policy is written."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

_SHORT = 60


@dataclass(frozen=True, slots=True)
class PolicyError:
    """One thing that is wrong. `path` is written as `memory.floor_mb` or `run.windows[0].start`; empty: the whole."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


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
