"""Read the stored history of one function."""

import logging

from optimizer.store import Documents, NoSuchDocument
from optimizer.traffic.history import History, UnreadableHistory

_log = logging.getLogger(__name__)


def history_key(function_name: str) -> str:
    """Return the S3 key under which a function's history is stored between runs."""
    return f"history/{function_name}.npz"


def stored_history(documents: Documents, function_name: str) -> History:
    """Return the stored history of a function; an empty one if there is none or it cannot be read."""
    try:
        return History.from_bytes(documents.read_bytes(history_key(function_name)))
    except NoSuchDocument:
        return History.empty()
    except UnreadableHistory as error:
        _log.warning("The history of %s is read from CloudWatch again: %s", function_name, error)
        return History.empty()
