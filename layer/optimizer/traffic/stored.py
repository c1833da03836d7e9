"""Read the stored history of one function."""

import logging
from dataclasses import dataclass

from optimizer.store import Documents, NoSuchDocument
from optimizer.traffic.history import History, UnreadableHistory, alias_of

_log = logging.getLogger(__name__)


def history_key(function_name: str) -> str:
    """Return the S3 key under which a function's history is stored between runs."""
    return f"history/{function_name}.npz"


@dataclass(frozen=True, slots=True)
class StoredTraffic:
    """A stored history. alias: whose calls these are; empty if that was not stored, or nothing was."""

    history: History
    alias: str = ""


def stored_history(documents: Documents, function_name: str) -> History:
    """Return the history of a function as the last analysis stored it; an empty one if there is none or it cannot be
    read."""
    return stored_traffic(documents, function_name).history


def stored_traffic(documents: Documents, function_name: str) -> StoredTraffic:
    """Return the stored history of a function, and whose calls these are."""
    try:
        content = documents.read_bytes(history_key(function_name))
        return StoredTraffic(History.from_bytes(content), alias_of(content))
    except NoSuchDocument:
        return StoredTraffic(History.empty())
    except UnreadableHistory as error:
        _log.warning("The history of %s is read from CloudWatch again: %s", function_name, error)
        return StoredTraffic(History.empty())
