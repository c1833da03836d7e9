"""`optimizer doctor`: check a deployed stack, one line for each thing that can be wrong."""

import json
from collections import Counter
from collections.abc import Sequence

import click
from optimizer.core import canonical_json

from optimizer_cli import tables
from optimizer_cli.application import JSON, STACK, NotFound, errors_in_one_sentence
from optimizer_cli.doctor.checks import CHECKS
from optimizer_cli.doctor.finding import Finding, Health, Stack, run
from optimizer_cli.doctor.trials import TRIALS
from optimizer_cli.printing import echo


@click.command(
    help="""Check a deployed stack: one line for each thing that can be wrong, with the remedy.

Read-only, apart from one call of the Lambda that shows approval requests. With --try it also makes a topic, a queue, a
state machine and a schedule for half a minute, to tell how this account answers where AWS's documentation does not.
docs/first-deploy.md explains each line. Ends with 1 if there is a problem.

\b
    optimizer doctor         after a deployment, and when in doubt
    optimizer doctor --try   once in a new account
"""
)
@click.option("--try", "tries", is_flag=True, help="Also try what no documentation settles.")
@STACK
@JSON
@errors_in_one_sentence
def command(tries: bool, stack: str, as_json: bool) -> None:
    """Print the findings."""
    deployed = Stack.find(stack)
    if deployed is None:
        raise NotFound(
            f"There is no stack {stack} in this account and region; name yours with --stack or OPTIMIZER_STACK."
        )
    findings = list(run((*CHECKS, *(TRIALS if tries else ())), deployed))
    if as_json:
        echo(json.dumps(canonical_json.plain(findings), indent=1))
    else:
        _show(findings)
    if any(finding.health is Health.PROBLEM for finding in findings):
        raise SystemExit(1)


def _show(findings: Sequence[Finding]) -> None:
    counts = Counter(finding.health for finding in findings)
    tables.show(
        ", ".join(f"{counts[health]} {health}" for health in Health if counts[health]),
        ("check", "result", "what was found", "what to do"),
        [(finding.check, finding.health, finding.message, finding.remedy) for finding in findings],
    )
