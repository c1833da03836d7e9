"""One spelling for every JSON document, so that equal documents have equal digests."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any


def dumps(document: object) -> str:
    """The document as JSON: keys sorted, no spaces, UTF-8 kept; raises TypeError for what JSON cannot hold, ValueError
    for a number that it cannot."""
    # Keys are sorted as the texts that they become: what is read back is spelled as before.
    return json.dumps(plain(document), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def sha256(document: object) -> str:
    """Hexadecimal SHA-256 of `dumps(document)`."""
    return hashlib.sha256(dumps(document).encode()).hexdigest()


def plain(value: object) -> Any:
    """Dictionaries, lists and scalars of the value, no part of it the value's own: data classes become dictionaries,
    times ISO 8601. Raises as `dumps`."""
    return json.loads(json.dumps(value, default=_plainer, ensure_ascii=False, allow_nan=False))


def _plainer(value: object) -> Any:
    """What json knows, or knows more of, for what it does not know."""
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
