"""`optimizer run --again`: start a run with the input of an earlier one."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import boto3
import click
from botocore.exceptions import ClientError

from optimizer_cli.application import JSON, STACK, Application, NotFound, errors_in_one_sentence
from optimizer_cli.printing import echo

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

# The longest name of an execution.
_LONGEST_NAME = 80


@click.command(
    help="""Start a run with the same input as RUN, for example after it failed.

A run that failed has released its lock, and what it has applied stays as it is: the new run looks at everything anew.
Step Functions' own redrive is of no use here, because a failed run ends in a state that only reports the failure.

\b
    optimizer runs              recent runs, and why they failed
    optimizer run --again RUN   start one of them again

Ends with 1 if RUN is still active.
"""
)
@click.option("--again", "run", metavar="RUN", required=True, help="Run whose input is used.")
@STACK
@JSON
@errors_in_one_sentence
def command(run: str, stack: str, as_json: bool) -> None:
    """Start the run."""
    application, sfn = Application.find(stack), boto3.client("stepfunctions")
    text = _input(sfn, application.optimize_arn, run)
    name = _name(run)
    sfn.start_execution(stateMachineArn=application.optimize_arn, name=name, input=text)
    if as_json:
        echo(json.dumps({"run_id": name, "input": json.loads(text)}))
        return
    echo(f"Run {name} was started with the input {text}. `optimizer runs` shows how it ends.")


def _input(sfn: "SFNClient", machine: str, run: str) -> str:
    try:
        found = sfn.describe_execution(executionArn=f"{machine.replace(':stateMachine:', ':execution:')}:{run}")
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ExecutionDoesNotExist", "InvalidArn"):
            raise NotFound(
                f"There is no run {run}, or it is older than the 90 days that Step Functions remembers."
            ) from error
        raise
    if found["status"] == "RUNNING":
        raise click.ClickException(f"Run {run} is still active.")
    return found.get("input") or "{}"


def _name(run: str) -> str:
    suffix = f"-again-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    return run.partition("-again-")[0][: _LONGEST_NAME - len(suffix)] + suffix
