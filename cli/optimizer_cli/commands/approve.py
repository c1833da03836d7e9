"""`optimizer approve`: respond to the approval request of a run with AWS credentials instead of the link."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from rich.table import Table

from optimizer_cli.application import STACK, AwsTrouble
from optimizer_cli.printing import console, echo

_DONE = ("answered", "recorded")


@click.command()
@click.argument("run")
@click.argument("changes", nargs=-1, metavar="[CHANGE]...")
@click.option("--reject", is_flag=True, help="Reject all changes.")
@click.option("--reason", default="", help="Reason, recorded with the changes.")
@click.option("--as", "approver", help="Approver in whose name you respond; required if the policy lists several.")
@click.option("--by", help="Your name. Default: the last part of the ARN of your credentials.")
@STACK
@click.option("--yes", is_flag=True, help="Send the response without asking you to confirm.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON; requires --yes.")
def command(
    run: str,
    changes: tuple[str, ...],
    reject: bool,
    reason: str,
    approver: str | None,
    by: str | None,
    stack: str,
    yes: bool,
    as_json: bool,
) -> None:
    """Approve or reject the changes that RUN waits for.

    Show the changes first, then ask you to confirm. The CHANGEs that you name are approved and the others rejected;
    if you name none, all are approved. The response is recorded under the ARN of your AWS credentials.

    A response counts once. Ends with 1 if it did not count, for example because somebody else has responded or the
    plan has changed.
    """
    if reject and changes:
        raise click.UsageError("--reject rejects all changes: name no CHANGE with it.")
    if as_json and not yes:
        raise click.UsageError("--json needs --yes, because it cannot ask you to confirm.")
    function = f"{stack}-answer_approval"
    try:
        request = _invoke(function, {"step": "show", "run_id": run})
        principal = boto3.client("sts").get_caller_identity()["Arn"]
        if request["outcome"] != "shown":
            raise click.ClickException(request["message"])
        approved = _approved(request, changes, reject)
        if not as_json:
            _show(request, approved)
        if not yes:
            click.confirm(f"Approve {len(approved)} of {len(request['changes'])}, reject the others?", abort=True)
        answer = _invoke(
            function,
            {
                "step": "answer",
                "run_id": run,
                # The response counts only for the plan that was just shown.
                "digest": request["digest"],
                "approver": _approver(request, approver),
                "by": by or principal.rpartition("/")[2].rpartition(":")[2],
                "approved": approved,
                "reason": reason,
                "principal": principal,
            },
        )
    except (BotoCoreError, ClientError) as error:
        raise AwsTrouble(f"{function} could not be reached: {error}") from error
    echo(json.dumps(answer) if as_json else _words(answer))
    if answer["outcome"] not in _DONE:
        raise SystemExit(1)


def _invoke(function: str, event: Mapping[str, Any]) -> dict[str, Any]:
    response = boto3.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
    answer: dict[str, Any] = json.loads(response["Payload"].read())
    if "FunctionError" in response:
        raise click.ClickException(f"{function} failed: {answer.get('errorMessage', 'see its log')}")
    return answer


def _approved(request: Mapping[str, Any], named: Sequence[str], reject: bool) -> list[str]:
    known = [change["change_id"] for change in request["changes"]]
    unknown = sorted(set(named) - set(known))
    if unknown:
        raise click.UsageError(f"{', '.join(unknown)}: not in this approval request, which has: {', '.join(known)}.")
    return [] if reject else list(named) or known


def _approver(request: Mapping[str, Any], approver: str | None) -> str:
    approvers = request["approvers"]
    if approver is None and len(approvers) > 1:
        raise click.UsageError(f"Name the approver for whom you respond: --as {' or --as '.join(approvers)}.")
    return approver or str(approvers[0])


def _show(request: Mapping[str, Any], approved: Sequence[str]) -> None:
    table = Table(
        "change",
        "reason, bill and risk",
        "your response",
        title=f"Run {request['run_id']}: {request['status']}",
        show_lines=True,
    )
    for change in request["changes"]:
        response = "approve" if change["change_id"] in approved else "reject"
        why = f"{change['reason']}\n{change['price']}\n{change['risk']}"
        table.add_row(f"{change['title']}\n{change['change_id']}", why, response)
    out = console(highlight=False, markup=False)
    out.print(table)
    out.print(f"Plan {request['digest']}. Respond until {request['expires_at']}.", soft_wrap=True)


def _words(answer: Mapping[str, Any]) -> str:
    match answer["outcome"]:
        case "answered":
            return f"Approved {len(answer['approved'])}, rejected {len(answer['rejected'])}."
        case "recorded":
            more = answer["outstanding"]
            return f"Recorded. The run waits for {more} more {'response' if more == 1 else 'responses'}."
        case "refused":
            return str(answer["message"])
        case other:
            return f"The run no longer waits: the approval request was {other}, and nothing is changed."
