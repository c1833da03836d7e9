"""The acting Lambda's own record of a change: each call continues from it, wherever the call before it died."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self, cast

from optimizer.core import Change, canonical_json

if TYPE_CHECKING:
    from optimizer.store import RunStore


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeProgress:
    """The part of the record that every change has; each tuner adds fields of its own.

    A field that is None is not in the stored document, so that a record reads the same after it is written again.
    """

    applied_at: datetime | None = None
    verified: int | None = None
    """The number of looks so far."""
    verification: int | None = None
    """The number of the verification that took the last look."""
    glances: int | None = None
    """The number of glances since the last look; None where none are due before the next one."""
    glanced: int | None = None
    """The number of the verification that took the last glance."""

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read the stored document by the types of the fields."""
        return cast("Self", canonical_json.read(cls, document))

    def to_document(self) -> dict[str, Any]:
        """Return the JSON object that is stored."""
        return document_of(self)

    def look_number(self, verification: int | None) -> int:
        """Return the number of the look, from 0, that a verification takes. One that is asked for again, because its
        answer was lost, takes the same look again, and not the place of a later one."""
        if self.verified is None:
            # The record was written before looks were counted in it.
            return (verification or 1) - 1
        asked_again = verification is not None and self.verification == verification
        return max(0, self.verified - 1) if asked_again else self.verified


def document_of(record: Any) -> dict[str, Any]:
    """Return a record as a JSON object: one key a field, under the field's name; None is left out."""
    values = {field.name: getattr(record, field.name) for field in fields(record)}
    document: dict[str, Any] = canonical_json.plain({k: v for k, v in values.items() if v is not None})
    return document


@dataclass(slots=True)
class Recorder[P: ChangeProgress]:
    """A change that is being worked on, with its record as it is stored now."""

    change: Change
    progress: P
    store: "RunStore"

    def save(self, progress: P) -> None:
        """Store the record; call this before each side effect. Raises Overtaken if another call has written it."""
        if progress != self.progress:
            self.store.save_progress(self.change.id, progress.to_document())
            self.progress = progress
