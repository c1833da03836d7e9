"""`optimizer demo`: a whole account on this machine, a real deploy, a real run, the report."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from optimizer_cli import demo_run, show

FOLDER = Path(".demo")


@click.command(help=__doc__)
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of traffic traces; without it the traffic is synthetic.",
)
@click.option(
    "--curves",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with curves.csv, durations against memory; without it the folder memory beside the traces, or a formula.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run with this policy; without it one that changes functions by itself, within limits.",
)
@click.option("--keep", is_flag=True, help="Leave the local account running until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to stderr.")
def command(traces: Path | None, curves: Path | None, policy_file: Path | None, keep: bool, as_json: bool) -> None:
    """Everything listens on 127.0.0.1 and ends with this command."""
    progress = Console(stderr=as_json, highlight=False)
    started = time.monotonic()
    if curves is None and traces is not None and (traces.parent / "memory" / "curves.csv").is_file():
        curves = traces.parent / "memory"
    with demo_run.account(traces, curves, datetime.now(UTC), progress) as account:
        application = demo_run.deploy(account, progress)
        demo_run.put_policy(account, application, policy_file)
        result = demo_run.run(account, application, FOLDER, progress)
        if as_json:
            click.echo(json.dumps(result.document(), indent=1))
        else:
            show.result(result, progress)
        progress.print(f"\n{result.status} after {time.monotonic() - started:.0f} s in all")
        if keep:
            show.running(account.environment(), progress)
            demo_run.wait_for_interrupt()
    sys.exit(0 if result.status == "SUCCEEDED" else 1)
