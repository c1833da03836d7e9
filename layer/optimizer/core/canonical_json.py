"""One spelling for every JSON document, so that equal documents have equal digests, and the way back from it."""

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any


def dumps(document: object) -> str:
    """Return the document as JSON with sorted keys, without spaces, in UTF-8.

    Raise TypeError for a value that JSON cannot hold, ValueError for a number that is not finite."""
    # plain() turns keys into texts before they are sorted, so that a document that is read back has the same spelling.
    return json.dumps(plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(document: object) -> str:
    """Return the hexadecimal SHA-256 of `dumps(document)`."""
    return hashlib.sha256(dumps(document).encode()).hexdigest()


def plain(value: object) -> Any:
    """Return a copy of the value as dictionaries, lists and scalars, independent of the original.

    Data classes become dictionaries, times ISO 8601 texts. Raise the errors of `dumps`."""
    return json.loads(json.dumps(value, default=_simplify, ensure_ascii=False, allow_nan=False))


def read(kind: Any, value: Any, *, strict: bool = False) -> Any:
    """Return the value whose plain form this is, as the type says: the inverse of `plain`.

    A field of a data class without a key has its default. A key without a field is left out, because a newer version
    may have written it. Raise KeyError for a field without key and default, and, if `strict`, for a key without field.
    """
    if value is None or kind is Any:
        return value
    if kind in (int, float):
        # JSON has one kind of number: 3.0 is a whole one.
        return kind(value)
    if kind in (date, datetime):
        return kind.fromisoformat(value)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return read(next(each for each in inner if each is not type(None)), value, strict=strict)
    if origin is tuple:
        every = inner[:1] * len(value) if inner[-1] is ... else inner
        return tuple(read(each, item, strict=strict) for each, item in zip(every, value, strict=True))
    if origin is not None:
        of_key, of_item = inner
        return {read(of_key, key): read(of_item, item, strict=strict) for key, item in value.items()}
    if dataclasses.is_dataclass(kind):
        return _read_fields(kind, value, strict=strict)
    return kind(value) if issubclass(kind, Enum) else value


def _read_fields(kind: Any, document: Mapping[str, Any], *, strict: bool) -> Any:
    fields = _fields_of(kind)
    if strict and (unknown := document.keys() - fields.keys()):
        raise KeyError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    if absent := [name for name, (_, is_needed) in fields.items() if is_needed and name not in document]:
        raise KeyError(f"{kind.__name__} needs {', '.join(absent)}")
    return kind(
        **{
            _field_name(kind, name): read(of, document[name], strict=strict)
            for name, (of, _) in fields.items()
            if name in document
        }
    )


@cache
def _fields_of(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each field by its key, and whether it has no default."""
    types_of, none = typing.get_type_hints(kind), dataclasses.MISSING
    return {
        _key(each): (types_of[each.name], each.default is none and each.default_factory is none)
        for each in dataclasses.fields(kind)
    }


@cache
def _field_name(kind: Any, key: str) -> str:
    return next(field.name for field in dataclasses.fields(kind) if _key(field) == key)


def _key(field: dataclasses.Field[Any]) -> str:
    """Return the key of a field in a document: its name, or `metadata={"key": ...}` for a word that Python reserves."""
    return str(field.metadata.get("key", field.name))


def _simplify(value: object) -> Any:
    """Convert one level of a value that the json module does not know."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_key(field): getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, (set, frozenset)):
        return sorted(plain(item) for item in value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"a time without a zone cannot be stored: {value.isoformat()}")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} cannot be stored as JSON")
