"""`optimizer runs`: recent runs and their results."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from optimizer.core import canonical_json
from optimizer.report import status_words

from optimizer_cli import tables
from optimizer_cli.application import JSON, STACK, Application, errors_in_one_sentence
from optimizer_cli.printing import echo


@click.command(
    help="""List recent runs, the newest first, and how they ended.

Read-only.

\b
    optimizer runs          runs of the last two weeks
    optimizer changes RUN   what one of them proposed and applied
    optimizer report RUN    its report, with charts
"""
)
@click.option("--days", type=click.IntRange(1, 400), default=14, show_default=True, help="Days to look back.")
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Largest number of runs.")
@STACK
@JSON
@errors_in_one_sentence
def command(days: int, limit: int, stack: str, as_json: bool) -> None:
    """Print the runs."""
    found = Application.find(stack).store.runs(datetime.now(UTC) - timedelta(days=days), limit)
    if as_json:
        echo(json.dumps(canonical_json.plain(found), indent=1))
        return
    tables.show(
        f"Runs of the last {days} days: {len(found)}",
        ("run", "started", "took", "status", "functions", "result"),
        [_row(run) for run in found],
        right=("functions",),
    )


def _row(run: dict[str, Any]) -> tuple[str, ...]:
    started, finished = run.get("started_at"), run.get("finished_at")
    took = f"{(finished - started).total_seconds() / 60:.0f} min" if started and finished else "-"
    return (run["run_id"], tables.moment(started), took, run["status"], str(run.get("targets", "-")), _result(run))


def _result(run: dict[str, Any]) -> str:
    failure = run.get("failure")
    if failure:
        return f"{failure['state']}: {failure['error']}"
    counts = [f"{number} {status_words(verdict)}" for verdict, number in (run.get("verdicts") or {}).items() if number]
    return ", ".join(counts) or "-"
