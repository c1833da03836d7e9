"""Write the pages of the resources of a run, each beside the document that it is made from."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from optimizer.core import StoredChange, canonical_json
from optimizer.report import resource_document
from optimizer.report.advice_lines import AdviceLine, advice_lines
from optimizer.report.pages import target_page
from optimizer.store import Documents, NoSuchDocument, RunStore, read_postponed

HTML = "text/html; charset=utf-8"
# Databases and caches; functions come in the batches of the run.
OTHERS = "others"


@dataclass(slots=True)
class _Proposed:
    """Proposals of the planners for one resource, and why there are none."""

    change_ids: list[str] = field(default_factory=list)
    no_changes: list[Mapping[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    advice: list[AdviceLine] = field(default_factory=list)


def render_part(
    store: RunStore, documents: Documents, run_id: str, part: str, only: Collection[str] | None = None
) -> int:
    """Write the pages of a batch of functions, or of all other resources (`others`); return the number of pages.

    only: the names of the functions whose pages are written; by default all of the batch."""
    return _others(store, documents, run_id) if part == OTHERS else _batch(store, documents, run_id, part, only)


def _batch(store: RunStore, documents: Documents, run_id: str, batch: str, only: Collection[str] | None) -> int:
    functions = documents.read(f"runs/{run_id}/batches/{batch}.json")["functions"]
    functions = [function for function in functions if only is None or function["function_name"] in only]
    traffic = _read(documents, f"runs/{run_id}/traffic/{batch}.json")
    pictures = _read(documents, f"runs/{run_id}/pictures/{batch}.json").get("functions", {})
    proposals = [
        documents.read(key) for key in documents.keys(f"runs/{run_id}/proposals/") if key.endswith(f"-{batch}.json")
    ]
    decided = _by_page(proposals, ("function",), read_postponed(documents, run_id))
    stored = _stored(store, decided.values())
    for function in functions:
        name = function["function_name"]
        found = decided.get(("function", name), _Proposed())
        unread = traffic.get("failed", {}).get(name)
        document = resource_document.function_document(
            run_id,
            name,
            traffic.get("functions", {}).get(name),
            pictures.get(name),
            _of(stored, found),
            found.no_changes,
            list(dict.fromkeys([*([unread] if unread else []), *found.failed])),
            found.advice,
        )
        _write(documents, document)
    return len(functions)


def _others(store: RunStore, documents: Documents, run_id: str) -> int:
    proposals = [documents.read(key) for key in documents.keys(f"runs/{run_id}/proposals/")]
    decided = _by_page(proposals, ("database", "cache"), read_postponed(documents, run_id))
    stored = _stored(store, decided.values())
    build: dict[str, Callable[..., dict[str, Any]]] = {
        "database": resource_document.database_document,
        "cache": resource_document.cache_document,
    }
    for (kind, name), found in decided.items():
        _write(documents, build[kind](run_id, name, _of(stored, found), found.no_changes, found.failed))
    return len(decided)


def _by_page(
    proposals: Iterable[Mapping[str, Any]], kinds: Sequence[str], postponed: Iterable[Mapping[str, Any]]
) -> dict[tuple[str, str], _Proposed]:
    pages: dict[tuple[str, str], _Proposed] = {}

    def page(kind: str, where: str) -> _Proposed:
        return pages.setdefault((kind, resource_document.name_of(where)), _Proposed())

    for document in proposals:
        for change in document["changes"]:
            page(resource_document.kind_of(change["tuner"]), change["target"]).change_ids.append(change["id"])
        for item in document["no_changes"]:
            page(resource_document.kind_of(item["tuner"]), item["target"]).no_changes.append(item)
        for where, reason in document["failed"].items():
            page(resource_document.kind_of_target(where), where).failed.append(reason)
        for where, given in document.get("advice", {}).items():
            page("function", where).advice.extend(advice_lines(where, given))
    for item in postponed:
        page(resource_document.kind_of(item["tuner"]), item["target"]).no_changes.append(item)
    return {key: found for key, found in pages.items() if key[0] in kinds}


def _stored(store: RunStore, decided: Iterable[_Proposed]) -> dict[str, StoredChange]:
    found = store.changes(change_id for one in decided for change_id in one.change_ids)
    return {stored.change.id: stored for stored in found}


def _of(stored: Mapping[str, StoredChange], found: _Proposed) -> list[StoredChange]:
    return [stored[change_id] for change_id in found.change_ids if change_id in stored]


def _read(documents: Documents, key: str) -> dict[str, Any]:
    try:
        return dict(documents.read(key))
    except NoSuchDocument:
        # A batch that failed has no document; its functions still get a page that says so.
        return {}


def _write(documents: Documents, document: Mapping[str, Any]) -> None:
    key = f"runs/{document['run_id']}/report/{resource_document.page_name(document['kind'], document['name'])}"
    documents.write(f"{key}.json", canonical_json.plain(document))
    documents.write_bytes(f"{key}.html", target_page(document).encode(), HTML)
