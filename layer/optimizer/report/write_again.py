"""Write the report of a run again, when people have responded or nobody has: pages say what became of its changes."""

from collections.abc import Iterable

from optimizer.core import FUNCTION_TUNERS, StoredChange, canonical_json, function_name
from optimizer.report.collect import write_report
from optimizer.report.summary import Report, summarise
from optimizer.report.write_pages import OTHERS, render_part
from optimizer.store import Documents, NoSuchDocument, RunStore


def write_report_again(store: RunStore, documents: Documents, run_id: str, changes: Iterable[StoredChange]) -> None:
    """Write the run's report with its changes as they are now, and the pages of the resources of these changes.

    A run that has not written its report yet does so with what people have said by then."""
    try:
        known: Report = canonical_json.read(Report, documents.read(f"runs/{run_id}/report.json"))
    except NoSuchDocument:
        return
    write_report(
        documents,
        summarise(
            store.run(run_id),
            store.changes_of(run_id),
            known.left_alone,
            known.not_looked_at,
            known.finished_at,
            known.without_metrics,
            known.notes,
            known.proved,
            known.advice,
        ),
    )
    _write_pages(store, documents, run_id, changes)


def _write_pages(store: RunStore, documents: Documents, run_id: str, changes: Iterable[StoredChange]) -> None:
    found = [stored.change for stored in changes]
    names = {function_name(change.target) for change in found if change.tuner in FUNCTION_TUNERS}
    for item in documents.read(f"runs/{run_id}/manifest.json") if names else ():
        functions = documents.read(item["key"])["functions"]
        if here := names & {function["function_name"] for function in functions}:
            render_part(store, documents, run_id, item["batch"], only=here)
    if any(change.tuner not in FUNCTION_TUNERS for change in found):
        render_part(store, documents, run_id, OTHERS)
