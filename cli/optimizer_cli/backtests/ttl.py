"""`optimizer backtest ttl`: TTLs learnt from the first half of the reads, tested on the second."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from optimizer.caches.tuning import Prices, RecordsUnreadable, TtlBacktestRow, TtlLimits, UnusableRecord, backtest_ttls
from optimizer.core import canonical_json
from optimizer.policy import CacheTtls, InvalidPolicy, read_policy
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from optimizer_cli.backtests.ttl_sources import Halves, UnreadableTrace, of_account, of_trace
from optimizer_cli.printing import console, echo

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LEAST_TTL_S = 0.001


def _number(*names: str, default: float, text: str, least: float = 0) -> Callable[[Any], Any]:
    return click.option(*names, type=click.FloatRange(min=least), default=default, show_default=True, help=text)


@click.command()
@click.option("--trace", "traces", type=_FILE, multiple=True, help="Trace of reads, .csv or .csv.gz; repeatable.")
@click.option(
    "--policy",
    "policy_file",
    type=click.File("rb"),
    help="Policy that names the caches; their logs are read from the account.",
)
@_number("--ttl", "ttl_s", default=60.0, least=_LEAST_TTL_S, text="Current TTL, seconds.")
@_number("--min-ttl", default=1.0, least=_LEAST_TTL_S, text="Smallest TTL to set, seconds.")
@_number("--max-ttl", default=3600.0, least=_LEAST_TTL_S, text="Largest TTL to set, seconds.")
@_number("--memory-mb", default=1024.0, text="Memory for all entries, MiB.")
@_number("--value-bytes", default=500.0, text="Size of a value in the trace, bytes.")
@_number("--usd-gb-month", default=91.25, text="Price of a GB of cache memory a month, USD.")
@_number("--usd-million-misses", default=0.125, text="Price of a million reads from the origin, USD.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(
    traces: tuple[Path, ...],
    policy_file: Any,
    ttl_s: float,
    min_ttl: float,
    max_ttl: float,
    memory_mb: float,
    value_bytes: float,
    usd_gb_month: float,
    usd_million_misses: float,
    as_json: bool,
) -> None:
    """Show which cache TTLs would have been set, and what they give.

    Learn TTLs from the first half of a trace (CSV with time_s, namespace and key), or of what the cache client logged
    for the caches of your policy. Then replay the second half with the old and with the new TTLs, step by step within
    the limits.

    Read-only. Prints a table for each cache: TTL, hit ratio, memory and dollars a month, before and after. The prices
    are assumptions: give your own.
    """
    if bool(traces) == bool(policy_file):
        raise click.UsageError("give either --trace, or --policy to read the caches of the account")
    if not min_ttl <= ttl_s <= max_ttl:
        raise click.UsageError(f"--ttl {ttl_s:g} lies outside --min-ttl {min_ttl:g} to --max-ttl {max_ttl:g}")
    prices = Prices(usd_gb_month, usd_million_misses)
    try:
        limits = TtlLimits(min_ttl, max_ttl)
        sources: list[Halves] = [of_trace(path, ttl_s, memory_mb, value_bytes, limits) for path in traces]
        if policy_file:
            sources += of_account(boto3.client("logs"), _limits(policy_file), datetime.now(UTC))
    except (UnreadableTrace, RecordsUnreadable, UnusableRecord, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error
    found = {half.name: backtest_ttls(half.states, half.later, half.memory_bytes, prices) for half in sources}
    if as_json:
        echo(json.dumps(canonical_json.plain({"caches": found, "prices": prices}), indent=1))
        return
    out = console(highlight=False)
    for name, rows in found.items():
        _show(out, name, rows)


def _limits(policy_file: Any) -> CacheTtls:
    try:
        limits = read_policy(policy_file.read()).cache_ttls
    except InvalidPolicy as invalid:
        raise click.ClickException("\n".join(map(str, invalid.errors))) from invalid
    if not limits.caches:
        raise click.ClickException("the policy names no caches (cache_ttls.caches)")
    return limits


def _show(out: Console, name: str, rows: list[TtlBacktestRow]) -> None:
    title = f"{escape(name)}: tested on the second half"
    table = Table(title=title, title_justify="left")
    for column in ("namespace", "TTL", "steps", "hit ratio", "predicted", "reachable", "memory", "USD a month"):
        table.add_column(column, justify="left" if column == "namespace" else "right")
    for row in rows:
        before, after = row.before, row.after
        table.add_row(
            escape(row.namespace),
            f"{before.ttl_s:.4g} -> {after.ttl_s:.4g} s",
            str(row.steps),
            f"{before.hit_ratio:.1%} -> {after.hit_ratio:.1%}",
            f"{row.predicted_hit_ratio:.1%}",
            f"{row.reachable_hit_ratio:.1%}",
            f"{_size(before.memory_bytes)} -> {_size(after.memory_bytes)}",
            f"{before.usd_month:.2f} -> {after.usd_month:.2f}",
        )
    total = [sum(getattr(row, when).usd_month for row in rows) for when in ("before", "after")]
    memory = [sum(getattr(row, when).memory_bytes for row in rows) for when in ("before", "after")]
    out.print(table)
    for row in rows:
        if not row.steps:
            out.print(f"{escape(row.namespace)}: {escape(row.note)}")
    out.print(
        f"In all {_size(memory[0])} -> {_size(memory[1])}, {total[0]:.2f} -> {total[1]:.2f} USD a month"
        if rows
        else "No namespace was read in both halves."
    )


def _size(count: float) -> str:
    return f"{count / 1e6:.2f} MB" if count >= 1e5 else f"{count / 1e3:.1f} kB"
