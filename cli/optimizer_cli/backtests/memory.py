"""`optimizer backtest memory`: memory sizes tried on traces, or proposed for the functions of an account."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError
from local_account.curves import NoCurves
from local_account.traces import NoTraces
from optimizer.capacity import MemoryBacktestRow, document
from optimizer.core import Interval, canonical_json
from optimizer.policy import InvalidPolicy, Policy, read_policy
from optimizer.prices import NoPrice
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from optimizer_cli.backtests import memory_account, memory_traces
from optimizer_cli.printing import console, echo

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.option("--traces", type=_FOLDER, help="Folder with series.json and NAME.csv.gz. Default: read the account.")
@click.option("--curves", type=_FOLDER, help="With --traces: folder with curves.csv. Default: a formula.")
@click.option(
    "--days", type=click.IntRange(1, 21), default=14, show_default=True, help="With --traces: number of days to play."
)
@click.option("--region", default="us-east-1", show_default=True, help="With --traces: Region whose prices count.")
@click.option("--policy", "policy_file", type=click.File("rb"), help="Policy file. Default: the default policy.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this function or series; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to stderr.")
def command(
    traces: Path | None,
    curves: Path | None,
    days: int,
    region: str,
    policy_file: Any,
    only: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show which memory sizes would have been tried, and what they save.

    With --traces, play two weeks of recorded traffic with one plan a day: functions follow curves of duration against
    memory, each change is observed as the deployed application observes it, and what does worse is rolled back.

    Without --traces, read the metrics and REPORT lines of the account that your credentials belong to, and show what
    a run would propose now, with its estimated savings. Reading logs costs money; memory.max_log_scan_mb of the policy
    limits it for each function.

    Read-only. Prints a table: memory before and after, sizes tried, savings a month with a 95 % interval.
    """
    if curves and not traces:
        raise click.UsageError("--curves needs --traces: functions of an account have their own durations")
    policy = _policy(policy_file)
    try:
        rows, total, prices = _traces(traces, curves, policy, days, only, region) if traces else _account(policy, only)
    except (NoTraces, NoCurves, NoPrice, memory_traces.NoSuchSeries) as missing:
        raise click.ClickException(str(missing)) from missing
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"the account cannot be read: {error}") from error
    if not rows:
        tags = ", ".join(f"{key}={value}" for key, value in sorted(policy.functions.tags.items()))
        raise click.ClickException(f"there is nothing to test: no function is tagged {tags}")
    if as_json:
        echo(json.dumps(canonical_json.plain(document(rows, total) | {"prices": prices}), indent=1))
    else:
        _show(rows, total, prices)


def _traces(
    traces: Path, curves: Path | None, policy: Policy, days: int, only: tuple[str, ...], region: str
) -> tuple[list[MemoryBacktestRow], Interval, list[str]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        task = progress.add_task("days played", total=days)
        return memory_traces.play(traces, curves, policy, days, only, lambda: progress.advance(task), region)


def _account(policy: Policy, only: tuple[str, ...]) -> tuple[list[MemoryBacktestRow], Interval, list[str]]:
    with console(stderr=True).status("reading metrics and logs"):
        return memory_account.plan(policy, only, datetime.now(UTC))


def _policy(file: Any) -> Policy:
    if file is None:
        return Policy()
    try:
        return read_policy(file.read())
    except InvalidPolicy as invalid:
        raise click.ClickException(f"{file.name}: {invalid}") from invalid


def _show(rows: list[MemoryBacktestRow], total: Interval, prices: list[str]) -> None:
    out = console(highlight=False)
    table = Table(
        Column("function", no_wrap=True),
        "MB before",
        "MB after",
        "tried",
        "USD saved a month",
        "95 % interval",
        expand=False,
    )
    for column in (1, 2, 4, 5):
        table.columns[column].justify = "right"
    for row in rows:
        tried = ", ".join(f"{attempt.memory_mb} {attempt.outcome}" for attempt in row.tries)
        table.add_row(row.name, _mb(row.before_mb), _mb(row.after_mb), tried, *_usd(row.saving))
    table.add_section()
    table.add_row("all together", "", "", "", *_usd(total))
    out.print(table)
    out.print(f"Prices: {'; '.join(prices) or 'none'}.", markup=False)
    for row in rows:
        if row.note:
            out.print(f"{row.name}: {row.note}", markup=False, soft_wrap=True)


def _mb(memory_mb: int | None) -> str:
    return "" if memory_mb is None else str(memory_mb)


def _usd(saving: Interval | None) -> tuple[str, str]:
    return ("", "") if saving is None else (f"{saving.estimate:,.2f}", f"{saving.low:,.2f} to {saving.high:,.2f}")
