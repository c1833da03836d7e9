"""`optimizer revert`: roll a change back."""

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import click
from optimizer.core import Status, StoredChange
from optimizer.lifecycle import roll_back
from optimizer.report import status_words
from optimizer.store import RunStore

from optimizer_cli.application import JSON, STACK, Application, errors_in_one_sentence
from optimizer_cli.printing import console, echo

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_APPLIED = frozenset({Status.APPLYING, Status.WATCHING, Status.KEPT})
_OVER = frozenset({Status.REVERTED, Status.STALE, Status.FAILED})
_LIMIT = timedelta(minutes=30)
_PAUSE_S = 2.0


class NotRolledBack(click.ClickException):
    """The change could not be rolled back, or was never applied."""


@click.command(
    help="""Roll CHANGE back: restore the state that its record says was there before.

The state machine of changes does it, with the same checks as an automatic rollback; the rollback is recorded, and a
message about it is sent. A second call does nothing more. `optimizer changes` lists the ids.

Ends with 1 if the change was never applied or could not be rolled back.
"""
)
@click.argument("change")
@click.option("--reason", default="", help="Reason, kept in the record and in the message.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until the rollback is done.")
@STACK
@JSON
@errors_in_one_sentence
def command(change: str, reason: str, wait: bool, stack: str, as_json: bool) -> None:
    """Start the rollback and follow it."""
    application = Application.find(stack)
    store, sfn = application.store, boto3.client("stepfunctions")
    stored = store.change(change)
    if stored.status in _OVER:
        _say(stored, as_json)
        return
    if stored.status not in _APPLIED and stored.status is not Status.REVERTING:
        raise NotRolledBack(f"Change {change} is {status_words(stored.status.value)}: it was never applied.")
    try:
        arn = roll_back.start(sfn, application.change_arn, stored, reason or "rolled back with the optimizer command")
    except roll_back.TriedTooOften as often:
        raise NotRolledBack(f"{str(often)[0].upper()}{str(often)[1:]}.") from often
    if wait:
        stored = _await(sfn, store, change, arn)
    _say(stored, as_json, execution=arn)
    if wait and stored.status is not Status.REVERTED:
        raise NotRolledBack(f"Change {change} is {status_words(stored.status.value)}. See the execution {arn}.")


def _await(sfn: "SFNClient", store: RunStore, change: str, arn: str) -> StoredChange:
    deadline = time.monotonic() + _LIMIT.total_seconds()
    progress = console(stderr=True, highlight=False)
    with progress.status(f"Rolling back {change} ..."):
        while sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise NotRolledBack(
                    f"Not done after {_LIMIT.total_seconds() / 60:.0f} minutes; the rollback goes on: {arn}"
                )
            time.sleep(_PAUSE_S)
    return store.change(change)


def _say(stored: StoredChange, as_json: bool, **more: Any) -> None:
    if as_json:
        result = {"change_id": stored.change.id, "status": stored.status.value, "message": stored.message}
        echo(json.dumps({**result, **more}))
        return
    echo(f"{stored.change.id}: {status_words(stored.status.value)}. {stored.message}".rstrip())
