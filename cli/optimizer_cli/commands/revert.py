"""`optimizer revert`: roll a change back."""

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import boto3
import click
from optimizer.core import Status, StoredChange
from optimizer.lifecycle import roll_back
from optimizer.store import RunStore
from rich.console import Console

from optimizer_cli.application import JSON, STACK, Application, said_plainly

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions import SFNClient

_MADE = frozenset({Status.APPLYING, Status.WATCHING, Status.KEPT})
_OVER = frozenset({Status.REVERTED, Status.STALE, Status.FAILED})
_LIMIT = timedelta(minutes=30)
_PAUSE_S = 2.0


class NotTakenBack(click.ClickException):
    """It could not be taken back, or was never made."""


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
@said_plainly
def command(change: str, reason: str, wait: bool, stack: str, as_json: bool) -> None:
    """Start it and follow it."""
    application = Application.find(stack)
    store, sfn = application.store, boto3.client("stepfunctions")
    stored = store.change(change)
    if stored.status in _OVER:
        _say(stored, as_json)
        return
    if stored.status not in _MADE and stored.status is not Status.REVERTING:
        raise NotTakenBack(f"Change {change} is {stored.status.value.replace('_', ' ')}: it was never made.")
    try:
        arn = roll_back.start(sfn, application.change_arn, stored, reason or "taken back with the optimizer command")
    except roll_back.TriedTooOften as often:
        raise NotTakenBack(f"{str(often)[0].upper()}{str(often)[1:]}.") from often
    if wait:
        stored = _await(sfn, store, change, arn)
    _say(stored, as_json, execution=arn)
    if wait and stored.status is not Status.REVERTED:
        raise NotTakenBack(f"Change {change} is {stored.status.value}. Look at {arn}.")


def _await(sfn: "SFNClient", store: RunStore, change: str, arn: str) -> StoredChange:
    deadline = time.monotonic() + _LIMIT.total_seconds()
    progress = Console(stderr=True, highlight=False)
    with progress.status(f"Taking {change} back ..."):
        while sfn.describe_execution(executionArn=arn)["status"] == "RUNNING":
            if time.monotonic() > deadline:
                raise NotTakenBack(f"Still at it after {_LIMIT.total_seconds() / 60:.0f} minutes; it goes on: {arn}")
            time.sleep(_PAUSE_S)
    return store.change(change)


def _say(stored: StoredChange, as_json: bool, **more: Any) -> None:
    if as_json:
        known = {"change_id": stored.change.id, "status": stored.status.value, "message": stored.message}
        click.echo(json.dumps({**known, **more}))
        return
    click.echo(f"{stored.change.id}: {stored.status.value}. {stored.message}".rstrip())
