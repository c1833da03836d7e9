"""The queues and streams that call functions, as a run of warm-ups listed them for all batches and tuners."""

from collections.abc import Mapping, Sequence

from optimizer.store.documents import Documents, NoSuchDocument

# No function's name has a dot, so this is no document of a function.
_KEY = "history/warmups/event.sources.json"

# By the ARN that they call, which ends with an alias or version where it has one.
type EventSources = Mapping[str, Sequence[str]]


def listed_event_sources(documents: Documents, run_id: str = "") -> EventSources | None:
    """Return what was listed, by this run if one is named; None if nothing was."""
    try:
        listed = documents.read(_KEY)
    except NoSuchDocument:
        return None
    if run_id and listed.get("run_id") != run_id:
        return None
    sources: EventSources = listed["sources"]
    return sources


def write_event_sources(documents: Documents, run_id: str, sources: EventSources) -> None:
    """Write what a run has listed."""
    documents.write(_KEY, {"run_id": run_id, "sources": sources})
