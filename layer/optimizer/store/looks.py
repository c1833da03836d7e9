"""Functions of a batch as a run saw them, so that none of its steps reads them again."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.store.documents import Documents, NoSuchDocument


@dataclass(frozen=True, slots=True)
class FunctionLook:
    """A function behind its alias, as the planner of capacity saw it and as that of warm-ups needs it."""

    alias: str
    memory_mb: int
    architecture: str
    refuses_pings: str
    """Why pings make no sense for its kind; empty if they do."""
    provisioned: Mapping[str, Any] | None = None
    """Time zone, and the environments provisioned in each hour of the week; None where that was not read."""
    is_live: bool = True
    """False where an earlier run read it: before a change is proposed, it is read again."""
    ping_advice: str = ""
    """What its owner does so that it receives pings."""
    version: str = ""
    """The version behind the alias; empty if unknown."""
    reserved: int | None = None
    """Its reserved concurrency; None without one, or if `version` is empty."""


def write_looks(
    documents: Documents,
    batch: str,
    run_id: str,
    looks: Mapping[str, FunctionLook],
    remembered: Mapping[str, object] | None = None,
) -> None:
    """Store what a run saw, by function; the next run replaces it. remembered: what the next run need not read."""
    documents.write(_key(batch), {"run_id": run_id, "functions": looks, "remembered": remembered or {}})


def read_looks(documents: Documents, batch: str, run_id: str) -> dict[str, FunctionLook]:
    """Return what this run saw, by function; nothing if it did not look at the batch."""
    try:
        document = documents.read(_key(batch))
    except NoSuchDocument:
        return {}
    if document["run_id"] != run_id:
        return {}
    return {name: FunctionLook(**look) for name, look in document["functions"].items()}


def read_remembered(documents: Documents, batch: str) -> Mapping[str, Any]:
    """Return what the last run left to be remembered, by function; nothing where it left nothing."""
    try:
        remembered: Mapping[str, Any] = documents.read(_key(batch)).get("remembered", {})
    except NoSuchDocument:
        return {}
    return remembered


def _key(batch: str) -> str:
    # No function's name has a dot.
    return f"history/capacity/batch.{batch}.json"
