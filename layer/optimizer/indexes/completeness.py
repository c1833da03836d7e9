"""Whether what was read of a server holds everything that every server says. Pure."""

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any


def missing_field(part: Any) -> str:
    """What is None below `part` and never is, as `Table.name`; empty if nothing is."""
    if is_dataclass(part):
        kind: Any = type(part)
        for name, needed in _fields(kind):
            value = getattr(part, name)
            if value is None and needed:
                return f"{kind.__name__}.{name}"
            found = missing_field(value) if not isinstance(value, (str, int, float, NoneType)) else ""
            if found:
                return found
    elif isinstance(part, Mapping):
        return next((found for value in part.values() if (found := missing_field(value))), "")
    elif isinstance(part, (tuple, list)):
        return next((found for value in part if (found := missing_field(value))), "")
    return ""


@cache
def _fields(kind: Any) -> tuple[tuple[str, bool], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, NoneType not in typing.get_args(hints[field.name])) for field in fields(kind))
