"""Read the stored histories of functions: each has an object of its own, and those of a batch are one more.

The steps of a run that follow its analysis read the batch at once; the next analysis may meet other batches.
"""

import io
import logging
import zipfile
from collections.abc import Mapping
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
        return _read(documents.read_bytes(history_key(function_name)))
    except NoSuchDocument:
        return StoredTraffic(History.empty())
    except UnreadableHistory as error:
        _log.warning("The history of %s is read from CloudWatch again: %s", function_name, error)
        return StoredTraffic(History.empty())


def write_batch(documents: Documents, run_id: str, batch: str, contents: Mapping[str, bytes]) -> None:
    """Store the histories of a batch, by function name, for the steps of this run; the next run replaces them."""
    archive = io.BytesIO()
    # They are compressed already.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as stored:
        stored.comment = run_id.encode()
        for name, content in contents.items():
            # Without the time of the day, so that a repeated step writes the same.
            stored.writestr(zipfile.ZipInfo(name), content)
    documents.write_bytes(_batch_key(batch), archive.getvalue(), "application/zip")


class BatchHistories:
    """The histories of a batch as this run stored them together; others are read one by one."""

    def __init__(self, documents: Documents, contents: Mapping[str, bytes]) -> None:
        self._documents = documents
        self._contents = contents

    @classmethod
    def read(cls, documents: Documents, run_id: str, batch: str) -> "BatchHistories":
        """Read the batch in one call."""
        try:
            with zipfile.ZipFile(io.BytesIO(documents.read_bytes(_batch_key(batch)))) as stored:
                is_ours = stored.comment == run_id.encode()
                return cls(documents, {name: stored.read(name) for name in stored.namelist()} if is_ours else {})
        except NoSuchDocument:
            return cls(documents, {})
        except zipfile.BadZipFile as error:
            _log.warning("The histories of batch %s are read one by one: %s", batch, error)
            return cls(documents, {})

    def history(self, function_name: str) -> History:
        """Return what `stored_history` does."""
        try:
            return _read(self._contents[function_name]).history
        except (KeyError, UnreadableHistory):
            return stored_history(self._documents, function_name)


def _batch_key(batch: str) -> str:
    # No function's name has a dot.
    return f"history/batch.{batch}.zip"


def _read(content: bytes) -> StoredTraffic:
    return StoredTraffic(History.from_bytes(content), alias_of(content))
