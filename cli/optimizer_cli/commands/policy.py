"""`optimizer policy`: check a policy here, show and store the one that runs use."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from optimizer import canonical
from optimizer.documents import Documents, NoSuchDocument
from optimizer.policy import Policy
from optimizer.policy.check import InvalidPolicy, PolicyError, read, schema

from optimizer_cli.application import STACK, Application, AwsTrouble, said_plainly
from optimizer_cli.policy_reference import markdown

POLICY_KEY = "policy/policy.json"
_BUCKET = click.option("--bucket", envvar="OPTIMIZER_BUCKET", help="The application's bucket, instead of its stack.")
_JSON = click.option("--json", "as_json", is_flag=True, help="The answer as JSON.")
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))


@click.group(help=__doc__)
def command() -> None:
    """The group."""


@command.command()
@_FILE
@_JSON
def check(file: Path, as_json: bool) -> None:
    """Say everything that is wrong with FILE (- is standard input). Ends with 1 if something is."""
    _policy(_content(file), str(file), as_json)
    _say({"valid": True}, f"{file}: the policy is valid.", as_json)


@command.command()
def reference() -> None:
    """Every key of a policy with its default and its meaning, as Markdown."""
    click.echo(markdown(schema()), nl=False)


@command.command()
@_FILE
@STACK
@_BUCKET
@_JSON
@said_plainly
def put(file: Path, stack: str, bucket: str | None, as_json: bool) -> None:
    """Check FILE and store it as the policy of the runs to come."""
    content = _content(file)
    _policy(content, str(file), as_json)
    bucket = bucket or Application.find(stack).bucket
    try:
        Documents(boto3.client("s3"), bucket).write_bytes(POLICY_KEY, content, "application/json")
    except (BotoCoreError, ClientError) as error:
        raise AwsTrouble(f"s3://{bucket}/{POLICY_KEY} was not stored: {error}") from error
    _say({"stored": f"s3://{bucket}/{POLICY_KEY}"}, f"Stored as s3://{bucket}/{POLICY_KEY}.", as_json)


@command.command()
@STACK
@_BUCKET
@click.option("--defaults", is_flag=True, help="Also what the policy leaves to its defaults.")
@_JSON
@said_plainly
def show(stack: str, bucket: str | None, defaults: bool, as_json: bool) -> None:
    """The policy that the next run will use; it is JSON with and without --json."""
    bucket = bucket or Application.find(stack).bucket
    try:
        content = Documents(boto3.client("s3"), bucket).read_bytes(POLICY_KEY)
    except NoSuchDocument:
        click.echo("No policy is stored: the defaults hold, and they only recommend.", err=True)
        click.echo(json.dumps(canonical.plain(Policy()), indent=2))
        return
    except (BotoCoreError, ClientError) as error:
        raise AwsTrouble(f"s3://{bucket}/{POLICY_KEY} cannot be read: {error}") from error
    policy = _policy(content, f"s3://{bucket}/{POLICY_KEY}", as_json)
    document = canonical.plain(policy) if defaults else json.loads(content.decode("utf-8-sig"))
    click.echo(json.dumps(document, indent=2, ensure_ascii=False))


def _content(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _policy(content: bytes, name: str, as_json: bool) -> Policy:
    try:
        return read(content)
    except InvalidPolicy as invalid:
        _complain(invalid.errors, name, as_json)
        raise SystemExit(1) from None


def _complain(errors: Sequence[PolicyError], name: str, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"valid": False, "errors": canonical.plain(list(errors))}))
        return
    for error in errors:
        click.echo(f"{name}: {error}", err=True)
    click.echo(f"{name}: {len(errors)} error{'' if len(errors) == 1 else 's'}.", err=True)


def _say(document: dict[str, object], text: str, as_json: bool) -> None:
    click.echo(json.dumps(document) if as_json else text)
