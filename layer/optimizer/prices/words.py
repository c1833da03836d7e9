"""Where amounts of money have their prices from, in words."""

from collections.abc import Iterable, Mapping
from typing import Any


def price_words(document: Mapping[str, Any]) -> str:
    """Return where the amounts of evidence have their prices from."""
    tier = f", tier {document['tier']}" if document["tier"] > 1 else ""
    note = f" ({document['note']})" if document.get("note") else ""
    discount = f", less {document['discount'] * 100:g}%" if document["discount"] else ""
    return f"{document['region']}, {document['date']}, {document['source']}{tier}{discount}{note}"


def prices_used(evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return where the amounts of pieces of evidence have their prices from, each once."""
    return sorted({price_words(one["prices"]) for one in evidence if one.get("prices")})
