"""One spelling for every JSON document, so that equal documents have equal digests."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any


def dumps(document: object) -> str:
    """The document as JSON: keys sorted, no spaces, UTF-8 kept; raises TypeError for what JSON cannot hold."""
    return json.dumps(plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256(document: object) -> str:
    """Hexadecimal SHA-256 of `dumps(document)`."""
    return hashlib.sha256(dumps(document).encode()).hexdigest()


def plain(value: object) -> Any:
    """Dictionaries, lists and scalars of the value: data classes become dictionaries, times ISO 8601."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [plain(item) for item in value]
        return sorted(items) if isinstance(value, (set, frozenset)) else items
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"a time without a zone cannot be stored: {value.isoformat()}")
        return value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise TypeError(f"a {type(value).__name__} cannot be stored as JSON")
