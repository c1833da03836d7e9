"""`optimizer assess`: a first look at an account that was never touched, read-only."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from optimizer.assess import Assessor, ReadOnlySession, csv_text, document, html_page, page, rights_document
from optimizer.policy import InvalidPolicy, Policy, read_policy, with_country_days
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from optimizer_cli.application import errors_in_one_sentence
from optimizer_cli.printing import console, echo

_FOLDER = Path(".optimizer")


@click.command(
    help="""Assess an account: what could be saved, what could be faster, and why not.

Read-only: it needs no stack, no tag and no policy, deploys nothing and changes nothing. It looks at the functions,
databases and caches of the Region with any credentials that may read, and names the rights that are missing. Its calls
cost less than $0.20 for 1,000 functions and use at most half of each quota; the estimate is printed first. If it is
stopped, the same command goes on where it was.

\b
    optimizer assess            one page of text, and an HTML page with all
    optimizer assess --csv      a line for each function, database and cache
    optimizer assess --rights   the IAM policy that it needs
"""
)
@click.option("--region", envvar="AWS_REGION", help="Region to assess. Default: the one of your configuration.")
@click.option("--profile", help="Profile of your AWS configuration to use.")
@click.option("--policy", "policy_file", type=click.File("rb"), help="Policy file with limits. Default: the defaults.")
@click.option("--max-usd", type=click.FloatRange(0), help="The most that its calls may cost. Default: by functions.")
@click.option("--fresh", is_flag=True, help="Begin again, even if an assessment was stopped.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=_FOLDER,
    show_default=True,
    help="Folder for the page and the state.",
)
@click.option("--open", "open_it", is_flag=True, help="Open the page in a browser.")
@click.option("--rights", is_flag=True, help="Print the IAM policy that an assessment needs, and end.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object; progress goes to stderr.")
@errors_in_one_sentence
def command(
    region: str | None,
    profile: str | None,
    policy_file: Any,
    max_usd: float | None,
    fresh: bool,
    folder: Path,
    open_it: bool,
    rights: bool,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Print an assessment of the account."""
    if rights:
        echo(json.dumps(rights_document(), indent=2))
        return
    progress = console(stderr=True, highlight=False)
    session = ReadOnlySession(region, profile)
    if not session.region:
        raise click.UsageError("name a Region with --region or AWS_REGION")
    assessor = Assessor(session, _policy(policy_file), folder, datetime.now(UTC), max_usd)
    try:
        _run(assessor, progress, fresh)
    except KeyboardInterrupt:
        progress.print(f"Stopped; {assessor.done} of {assessor.total} functions are kept. The same command goes on.")
        sys.exit(1)
    found = assessor.result()
    path = assessor.state_path.with_suffix(".html")
    path.write_text(html_page(found), encoding="utf-8")
    if as_json:
        echo(json.dumps(document(found), indent=1))
    elif as_csv:
        echo(csv_text(found), nl=False)
    else:
        echo(page(found), nl=False)
    progress.print(f"Page: {path}", soft_wrap=True)
    if open_it:
        click.launch(str(path))


def _run(assessor: Assessor, out: Console, fresh: bool) -> None:
    if not fresh and assessor.resume():
        out.print(f"Going on with the assessment that was stopped: {assessor.done} of {assessor.total} functions.")
    else:
        with out.status("listing functions, databases and caches ..."):
            assessor.list_all()
        out.print(page(assessor.result()), markup=False, soft_wrap=True)
    cost = assessor.estimate
    out.print(
        f"Looking at {assessor.total} functions: metrics about ${cost.metrics_usd:.2f}, logs at most "
        f"${cost.logs_usd:.2f} ({cost.log_bytes / 1e9:.1f} GB). Ctrl-C stops it, and the same command goes on."
    )
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=out, transient=True) as bar:
        task = bar.add_task("functions", total=assessor.total, completed=assessor.done)
        for done in assessor.look():
            bar.update(task, completed=done)


def _policy(file: Any) -> Policy:
    if file is None:
        return Policy()
    try:
        return with_country_days(read_policy(file.read()), datetime.now(UTC).date())
    except InvalidPolicy as invalid:
        raise click.ClickException(f"{file.name}: {invalid}") from invalid
