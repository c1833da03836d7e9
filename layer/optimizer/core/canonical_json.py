"""One spelling for every JSON document, so that equal documents have equal digests."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
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


def _simplify(value: object) -> Any:
    """Convert one level of a value that the json module does not know."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
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
