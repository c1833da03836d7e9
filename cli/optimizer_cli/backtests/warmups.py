"""`optimizer backtest warmups`: cold starts and dollars with warm-ups and without, call by call."""

import calendar
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from optimizer.aws import DEFAULT_CALLS, pace
from optimizer.function_logs import ReportLog
from optimizer.policy import (
    USUAL_INIT_MS,
    InvalidPolicy,
    Override,
    Policy,
    Warmups,
    read_policy,
    settings_of_function,
    with_country_days,
)
from optimizer.prices import no_price
from optimizer.store import prices_of_account
from optimizer.warmups import (
    PingRates,
    Strategy,
    Subject,
    WarmupBacktest,
    WarmupOutcome,
    backtest_warmups,
    occasions_of,
    plan_starts,
    total_outcomes,
)
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from optimizer_cli.backtests import own_functions, trace_files
from optimizer_cli.printing import console, echo

# Trace files may be of any year.
_LONGEST_HISTORY = timedelta(days=20 * 365)
_TITLES = {
    Strategy.NOTHING: "nothing",
    Strategy.PLANNED: "planned pings",
    Strategy.FLAT: "flat warmer",
    Strategy.TARGET_TRACKING: "target tracking",
}


@click.command()
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with series.json and NAME.csv.gz. Default: read CloudWatch with your credentials.",
)
@click.option("--policy", "policy_file", type=click.File("rb"), help="Policy file. Default: the default policy.")
@click.option("--only", multiple=True, metavar="NAME", help="Only this function or series; repeatable.")
@click.option(
    "--hours-between-plans",
    type=click.IntRange(1, 168),
    default=6,
    show_default=True,
    help="Hours from one plan to the next.",
)
@click.option(
    "--usd-per-cold-start",
    type=click.FloatRange(0, 1e6),
    help="What an avoided cold start of half a second is worth, USD. Default: the policy's.",
)
@click.option(
    "--memory-mb", type=click.IntRange(128, 10_240), default=1024, show_default=True, help="With --traces: memory, MB."
)
@click.option(
    "--architecture",
    type=click.Choice(["arm64", "x86_64"]),
    default="x86_64",
    show_default=True,
    help="With --traces: architecture.",
)
@click.option("--region", default="us-east-1", show_default=True, help="With --traces: Region whose prices count.")
@click.option(
    "--init-ms",
    type=click.FloatRange(0, 600_000),
    default=USUAL_INIT_MS,
    show_default=True,
    help="Duration of a cold start, ms, where it is not known.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to stderr.")
def command(
    traces: Path | None,
    policy_file: Any,
    only: tuple[str, ...],
    hours_between_plans: int,
    usd_per_cold_start: float | None,
    memory_mb: int,
    architecture: str,
    region: str,
    init_ms: float,
    as_json: bool,
) -> None:
    """Compare cold starts, idle time and dollars with warm-ups and without.

    Play trace files, or the CloudWatch history of your functions with the INIT that their REPORT lines show, call by
    call. Each plan is made from what was known by then, as the deployed application makes it, and replaced by the
    next. For comparison: doing nothing, a warmer that pings two environments every five minutes, and provisioned
    concurrency that Application Auto Scaling holds at 70 %.

    Read-only. Prints a table with one row a function and strategy, and one with a row a weekday. Pings that are sent
    already count as traffic. Reading REPORT lines costs up to the policy's memory.max_log_scan_mb of log scans a
    function. Ends with 1 if nothing could be played.
    """
    policy = _policy(policy_file)
    if usd_per_cold_start is not None:
        warmups = replace(policy.warmups, usd_per_cold_start=usd_per_cold_start, idle_minutes_per_cold_start=None)
        policy = replace(policy, warmups=warmups, overrides=tuple(map(_without_worth, policy.overrides)))
    failed: dict[str, str] = {}
    if traces is None:
        subjects = _own(policy, only, init_ms, failed)
    else:
        rates = PingRates.of(prices_of_account(policy), region, architecture)
        if rates is None:
            raise click.ClickException(no_price(region, architecture))
        subjects = trace_files.read(traces, only, memory_mb=memory_mb, rates=rates, init_ms=init_ms)
    try:
        results = _play(subjects, policy, hours_between_plans)
        failed |= trace_files.of_another_period(traces, only) if traces else {}
    except trace_files.UnreadableTraces as error:
        raise click.ClickException(str(error)) from error
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(f"the account cannot be read: {error}") from error
    if not results and not failed:
        raise click.ClickException(
            "there is nothing to test: no series by the minute" if traces else f"no function is tagged {_tags(policy)}"
        )
    if as_json:
        echo(json.dumps(_document(results, failed, policy, hours_between_plans), indent=1))
    else:
        _show(results, failed, policy, hours_between_plans)
    # No requested function could be played.
    if not any(result.days for result in results):
        raise SystemExit(1)


def _policy(file: Any) -> Policy:
    if file is None:
        return Policy()
    try:
        return with_country_days(read_policy(file.read()), datetime.now(UTC).date(), _LONGEST_HISTORY)
    except InvalidPolicy as invalid:
        raise click.ClickException(f"{file.name}: {invalid}") from invalid


def _own(policy: Policy, only: Collection[str], init_ms: float, failed: dict[str, str]) -> Iterator[Subject]:
    cloudwatch, lambda_ = boto3.client("cloudwatch"), boto3.client("lambda")
    reports = ReportLog(boto3.client("logs"))
    pace(lambda_, DEFAULT_CALLS)
    targets = own_functions.choose(boto3.client("resourcegroupstaggingapi"), policy, only)
    failed.update(targets.left_out)
    for batch in targets.batches():
        for name, subject in own_functions.read(
            cloudwatch, lambda_, reports, batch, datetime.now(UTC), policy, init_ms
        ):
            if isinstance(subject, str):
                failed[name] = subject
            else:
                yield subject


def _play(subjects: Iterator[Subject], policy: Policy, hours_between_plans: int) -> list[WarmupBacktest]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    results = []
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        for subject in subjects:
            plans = len(plan_starts(subject, hours_between_plans))
            task = progress.add_task(subject.name, total=plans)
            results.append(
                backtest_warmups(
                    subject,
                    settings_of_function(policy, subject.name, subject.tags).warmups,
                    hours_between_plans,
                    lambda task=task: progress.advance(task),  # type: ignore[misc]
                    occasions_of(policy, subject.name, subject.tags),
                )
            )
            progress.remove_task(task)
    return results


def _document(results: list[WarmupBacktest], failed: dict[str, str], policy: Policy, hours: int) -> dict[str, Any]:
    def outcomes(of: Any) -> dict[str, Any]:
        return {
            way: {**asdict(outcome), "cold_left": _left(outcome, of[Strategy.NOTHING])} for way, outcome in of.items()
        }

    return {
        "hours_between_plans": hours,
        "keep_alive_minutes": policy.warmups.keep_alive_minutes,
        "usd_per_cold_start": policy.warmups.usd_per_cold_start,
        "idle_minutes_per_cold_start": policy.warmups.idle_minutes_per_cold_start,
        "max_environments_per_function": policy.warmups.max_environments_per_function,
        "functions": {
            r.name: {
                "days": round(r.days, 3),
                "most_needed": r.most_needed,
                "init_ms": r.init_ms,
                "init_ms_assumed": not r.is_init_seen,
                "keep_alive_minutes": r.keep_alive_minutes,
                "outcomes": outcomes(r.outcomes),
            }
            for r in results
        },
        "total": outcomes(total_outcomes(results)),
        "prices": _prices(results),
        "failed": failed,
    }


def _show(results: list[WarmupBacktest], failed: dict[str, str], policy: Policy, hours: int) -> None:
    out = console(highlight=False)
    table = _table("function", "days", "", "cold starts", "left", "idle minutes", "USD", "net USD")
    for result in results:
        if result.days:
            _rows(table, result.name, f"{result.days:.1f}", result.outcomes)
    played = [result for result in results if result.days]
    if len(played) > 1:
        _rows(table, "all together", "", total_outcomes(played))
    if played:
        out.print(table)
        out.print(_weekdays(total_outcomes(played)))
    warmups = policy.warmups
    out.print(
        f"Planned every {hours} h; an idle environment lives {warmups.keep_alive_minutes} minutes where REPORT "
        f"lines do not say otherwise; one cold start less is worth {_worth(warmups)}; at most "
        f"{warmups.max_environments_per_function} environments a function. Idle minutes are those beyond doing "
        "nothing. Net USD is USD less the INIT of avoided cold starts. "
        f"Prices: {'; '.join(_prices(results)) or 'none'}."
    )
    assumed = [result for result in played if not result.is_init_seen]
    if assumed:
        lengths = sorted({f"{result.init_ms:g}" for result in assumed})
        out.print(
            f"INIT of {len(assumed)} of {len(played)} functions is not known and taken as {', '.join(lengths)} ms."
        )
    for result in results:
        most = settings_of_function(policy, result.name, {}).warmups.max_environments_per_function
        if not result.days:
            out.print(f"{result.name}: less than two days are known, too little to learn from and to test on")
        elif result.most_needed > most:
            out.print(
                f"{result.name}: up to {result.most_needed} environments were needed; the policy lets "
                f"{most} be kept warm (warmups.max_environments_per_function)"
            )
    for name, reason in failed.items():
        out.print(f"{name}: {reason}", markup=False)


def _prices(results: list[WarmupBacktest]) -> list[str]:
    return sorted({result.prices for result in results if result.prices})


def _table(*columns: str) -> Table:
    table = Table(*columns, expand=False)
    table.columns[0].overflow = "fold"
    for column, title in zip(table.columns, columns, strict=True):
        column.no_wrap = not title
        column.justify = "left" if title in ("", columns[0]) else "right"
    return table


def _weekdays(outcomes: Mapping[Strategy, WarmupOutcome]) -> Table:
    """Return cold starts and dollars by weekday, in the time zones of the functions."""
    table = _table("weekday", "cold starts", "with planned pings", "left", "USD")
    nothing, planned = outcomes[Strategy.NOTHING], outcomes[Strategy.PLANNED]
    for number, name in enumerate(calendar.day_name):
        before, after = nothing.weekday_cold_starts[number], planned.weekday_cold_starts[number]
        left = f"{after / before:.1%}" if before else ""
        table.add_row(name, f"{before:,.0f}", f"{after:,.0f}", left, f"{planned.weekday_usd[number]:,.4f}")
    return table


def _rows(table: Table, name: str, days: str, outcomes: Any) -> None:
    for way, outcome in outcomes.items():
        left = _left(outcome, outcomes[Strategy.NOTHING])
        table.add_row(
            name if way is Strategy.NOTHING else "",
            days if way is Strategy.NOTHING else "",
            _TITLES[way],
            f"{outcome.cold_starts:,.0f}",
            "" if left is None else f"{left:.1%}",
            f"{outcome.idle_minutes:,.0f}",
            f"{outcome.usd:,.4f}",
            f"{outcome.net_usd:,.4f}",
            end_section=way is Strategy.TARGET_TRACKING,
        )


def _left(outcome: WarmupOutcome, nothing: WarmupOutcome) -> float | None:
    return round(outcome.cold_starts / nothing.cold_starts, 4) if nothing.cold_starts else None


def _worth(warmups: Warmups) -> str:
    if warmups.idle_minutes_per_cold_start is not None:
        return f"{warmups.idle_minutes_per_cold_start:g} idle minutes"
    return f"${warmups.usd_per_cold_start:g} for half a second of INIT"


def _without_worth(entry: Override) -> Override:
    """Return an override that leaves the worth of a cold start to the command's option."""
    worth = ("usd_per_cold_start", "idle_minutes_per_cold_start")
    return replace(entry, warmups={key: value for key, value in entry.warmups.items() if key not in worth})


def _tags(policy: Policy) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(policy.functions.tags.items()))
