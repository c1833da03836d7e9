"""`optimizer changes`: changes with their status and reason."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import click
from optimizer.core import Status, StoredChange, canonical_json
from optimizer.report import last_message, line, reason, status_words

from optimizer_cli import tables
from optimizer_cli.application import JSON, STACK, Application, errors_in_one_sentence
from optimizer_cli.printing import echo

_STATUS = f"Only changes with this status: {', '.join(status.value for status in Status)}."


@click.command(
    help="""List the changes of RUN, or of all recent runs, with status and reason.

Read-only.

\b
    optimizer changes                        changes of the last two weeks
    optimizer changes RUN --status refused   changes that guardrails blocked
    optimizer revert CHANGE                  roll one back
"""
)
@click.argument("run", required=False)
@click.option("--status", type=click.Choice([status.value for status in Status]), metavar="STATUS", help=_STATUS)
@click.option(
    "--days", type=click.IntRange(1, 400), default=14, show_default=True, help="Days to look back, without RUN."
)
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Number of changes, without RUN."
)
@STACK
@JSON
@errors_in_one_sentence
def command(run: str | None, status: str | None, days: int, limit: int, stack: str, as_json: bool) -> None:
    """Print the changes."""
    store = Application.find(stack).store
    if run is not None:
        store.run(run)
        recorded: Iterable[StoredChange] = store.changes_of(run)
    else:
        recorded = store.changes_since(datetime.now(UTC) - timedelta(days=days), limit)
    found = [stored for stored in recorded if status in (None, stored.status.value)]
    if as_json:
        echo(json.dumps([_document(stored) for stored in found], indent=1))
        return
    tables.show(
        f"Changes of run {run}: {len(found)}" if run else f"Changes of the last {days} days: {len(found)}",
        ("change", "resource", "what", "status", "saves USD a month", "reason"),
        [_row(stored) for stored in found],
        right=("saves USD a month",),
    )


def _document(stored: StoredChange) -> dict[str, object]:
    shown = line(stored)
    times = {name: at.isoformat() for name, at in stored.times.items()}
    return {**canonical_json.plain(shown), "run_id": stored.change.run_id, "times": times}


def _row(stored: StoredChange) -> tuple[str, ...]:
    shown = line(stored)
    saved = f"{-shown.usd_month.estimate:.2f}" if shown.usd_month else "-"
    why = " ".join(part for part in (reason(shown), last_message(shown)) if part)
    rule = f" [{shown.rule}]" if shown.rule and shown.rule != "mode" else ""
    return (shown.change_id, shown.target, shown.what, status_words(shown.status), saved, f"{why}{rule}")
