"""`optimizer demo`: a local account, a deployment, a run and its report."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from local_account.account import EmulatorMissing
from local_account.caches import NotReady, TeamCaches
from local_account.curves import NoCurves
from local_account.databases import TeamDatabase
from local_account.processes import DidNotStart, PortInUse
from local_account.sam_cli import SamFailed, SamMissing
from local_account.traces import NoTraces
from rich.console import Console

from optimizer_cli import demo_run, show
from optimizer_cli.demo_approval import NoApprovalRequest
from optimizer_cli.follow import StillRunning
from optimizer_cli.printing import console, echo

FOLDER = Path(".demo")
# People can correct these at their machine; any other error is ours and keeps its traceback.
USER_ERRORS = (
    DidNotStart,
    EmulatorMissing,
    NoCurves,
    NoApprovalRequest,
    NotReady,
    NoTraces,
    PortInUse,
    SamFailed,
    SamMissing,
    StillRunning,
)


@click.command()
@click.option(
    "--traces",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with traffic traces. Default: synthetic traffic.",
)
@click.option(
    "--curves",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder with curves.csv, durations against memory. Default: ../memory of the traces, or a formula.",
)
@click.option(
    "--policy",
    "policy_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Policy file. Default: a policy that changes functions without asking, within limits.",
)
@click.option(
    "--approve", is_flag=True, help="Ask before every change, and respond automatically from the page that is sent."
)
@click.option("--keep", is_flag=True, help="Keep the local account running until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as one JSON object; progress goes to stderr.")
def command(
    traces: Path | None, curves: Path | None, policy_file: Path | None, approve: bool, keep: bool, as_json: bool
) -> None:
    """Deploy the application into a local AWS account, run it, and show the report.

    Start an emulated account with functions, traffic, two caches and a PostgreSQL on 127.0.0.1, deploy with `sam
    deploy`, and run the state machine once. That takes about four minutes. Prints what was proposed, blocked (and by
    which rule), applied, rolled back and reported.

    Nothing outside this machine is read or changed, and everything ends with this command. Ends with 1 if the run
    failed.
    """
    progress = console(stderr=as_json, highlight=False)
    try:
        status = _demo(traces, curves, policy_file, approve, keep, as_json, progress)
    except USER_ERRORS as error:
        raise click.ClickException(str(error)) from error
    sys.exit(0 if status == "SUCCEEDED" else 1)


def _demo(
    traces: Path | None,
    curves: Path | None,
    policy_file: Path | None,
    approve: bool,
    keep: bool,
    as_json: bool,
    progress: Console,
) -> str:
    started = time.monotonic()
    if curves is None and traces is not None and (traces.parent / "memory" / "curves.csv").is_file():
        curves = traces.parent / "memory"
    with (
        demo_run.account(traces, curves, datetime.now(UTC), progress) as account,
        TeamCaches(account) as caches,
        TeamDatabase(account) as database,
    ):
        application = demo_run.deploy(account, progress)
        demo_run.put_policy(account, application, policy_file, caches, database, progress, approve)
        result = demo_run.run(account, application, caches, database, FOLDER, progress, approve)
        if as_json:
            echo(json.dumps(result.document(), indent=1))
        else:
            show.result(result, progress)
        progress.print(f"\n{result.status} after {time.monotonic() - started:.0f} s in all")
        if keep:
            show.running(account.environment(), progress)
            demo_run.wait_for_interrupt()
    return result.status
