"""Checks of the fields in the event of a Lambda. State machines send valid events; people and other programs may
invoke the Lambdas, too. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from optimizer.core import OptimizerError, short_json

# Returns a description of valid values, or an empty text if the value is valid.
type Kind = Callable[[Any], str]

# Names of runs, batches, changes, databases and caches are parts of keys.
_NAME = re.compile(r"[^\s/\x00-\x1f\x7f-\x9f]{1,200}")
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)
# The largest payload of a state machine.
_LONGEST = 262_144


class InvalidEvent(OptimizerError, ValueError):
    """The event is unusable; the message names the first wrong field."""


def check_event(event: Any, **fields: Kind) -> None:
    """Raise InvalidEvent unless the event is an object with these fields."""
    if not isinstance(event, dict):
        raise InvalidEvent(f"the event must be an object {{...}}, not {short_json(event)}")
    for field, kind in fields.items():
        wanted = kind(event.get(field))
        if wanted:
            raise InvalidEvent(f"{field} of the event must be {wanted}, not {short_json(event.get(field))}")


def name(value: Any) -> str:
    """Accept a name that may be part of a key."""
    return "" if isinstance(value, str) and _NAME.fullmatch(value) else "a name without spaces and slashes"


def text(value: Any) -> str:
    """Accept any text that a state machine can carry."""
    return "" if isinstance(value, str) and len(value) <= _LONGEST else f"a text of at most {_LONGEST} characters"


def digest(value: Any) -> str:
    """Accept a hexadecimal SHA-256."""
    return "" if isinstance(value, str) and _DIGEST.fullmatch(value) else "64 hexadecimal digits"


def above_zero(value: Any) -> str:
    """Accept a positive number that is small enough for calculations with times."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return "" if number and 0 < value < 1e9 else "a number above zero"


def count(value: Any) -> str:
    """Accept a whole number from 1."""
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "a whole number above zero"


def place(value: Any) -> str:
    """Accept a position in a list, from 0."""
    return "" if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else "a whole number from 0"


def optional(kind: Kind) -> Kind:
    """Accept a missing value, or one of the kind."""
    return lambda value: "" if value is None else kind(value)


def one_of(*values: str) -> Kind:
    """Accept one of these texts."""
    return lambda value: "" if isinstance(value, str) and value in values else f"one of {', '.join(values)}"


def list_of(kind: Kind) -> Kind:
    """Accept a list of items of the kind."""

    def wrong(value: Any) -> str:
        if not isinstance(value, list):
            return "a list [...]"
        return next((f"a list, each of it {wanted}" for item in value if (wanted := kind(item))), "")

    return wrong


def record(**fields: Kind) -> Kind:
    """Accept an object with these fields."""

    def wrong(value: Any) -> str:
        if not isinstance(value, Mapping):
            return "an object {...}"
        found = ((field, kind(value.get(field))) for field, kind in fields.items())
        return next((f"with {field} that is {wanted}" for field, wanted in found if wanted), "")

    return wrong
