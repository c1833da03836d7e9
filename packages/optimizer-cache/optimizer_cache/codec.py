"""The codec of a namespace without one of its own: JSON, for the values that it returns unchanged."""

import json
from typing import Any


class NotKept(TypeError):
    """JSON would return another value than the one stored."""


def encode_json(value: Any) -> bytes:
    """Return the value as JSON. Raises NotKept for a value that `json.loads` would not return as it was."""
    _check(value)
    return json.dumps(value, separators=(",", ":")).encode()


decode_json = json.loads


def _check(value: Any) -> None:
    kind = type(value)
    if kind is list:
        for item in value:
            _check(item)
    elif kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise NotKept(f"JSON returns a key of the type {type(key).__name__} as text")
            _check(item)
    elif kind not in (str, int, float, bool, type(None)):
        raise NotKept(f"JSON has no form for a {kind.__name__}")
