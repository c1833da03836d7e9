"""Check that a catalog holds every field that every server is known to report. Pure."""

import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from types import NoneType
from typing import Any


def first_missing_field(part: Any) -> str:
    """Return the path of the first unexpectedly missing field, such as `Table.name`, or an empty string.

    A field is unexpectedly missing if it is None although its type does not allow None."""
    if is_dataclass(part):
        kind: Any = type(part)
        for name, is_required in _fields(kind):
            value = getattr(part, name)
            if value is None and is_required:
                return f"{kind.__name__}.{name}"
            found = first_missing_field(value) if not isinstance(value, (str, int, float, NoneType)) else ""
            if found:
                return found
    elif isinstance(part, Mapping):
        return next((found for value in part.values() if (found := first_missing_field(value))), "")
    elif isinstance(part, (tuple, list)):
        return next((found for value in part if (found := first_missing_field(value))), "")
    return ""


@cache
def _fields(kind: Any) -> tuple[tuple[str, bool], ...]:
    hints = typing.get_type_hints(kind)
    return tuple((field.name, NoneType not in typing.get_args(hints[field.name])) for field in fields(kind))
