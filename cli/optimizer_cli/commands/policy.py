"""`optimizer policy`: check a policy file, show and store the policy that runs use."""

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from optimizer.assess import UnreadableAssessment, Worth, worth_warnings
from optimizer.core import canonical_json
from optimizer.policy import (
    InvalidPolicy,
    Policy,
    PolicyError,
    policy_schema,
    read_policy,
    window_errors,
    window_warnings,
)
from optimizer.store import Documents, NoSuchDocument

from optimizer_cli import stack_check
from optimizer_cli.application import STACK, Application, AwsTrouble, StackName, errors_in_one_sentence
from optimizer_cli.backtests import own_functions
from optimizer_cli.occasion_check import chosen_entries, contradicting, past_entries, without_functions
from optimizer_cli.policy_reference import markdown
from optimizer_cli.printing import echo

POLICY_KEY = "policy/policy.json"
_BUCKET = click.option("--bucket", envvar="OPTIMIZER_BUCKET", help="Bucket of the application, instead of its stack.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
_FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))


@click.group()
def command() -> None:
    """Check a policy file, show the policy in use, or store a new one.

    The policy says what the application may look at and change. `check` and `reference` need no AWS account.
    """


@command.command()
@_FILE
@click.option(
    "--stack", type=StackName(), help="Also compare the policy with this deployed stack, with your AWS credentials."
)
@click.option(
    "--assessment",
    type=click.File("rb"),
    help="Output of optimizer assess --json: also compare what the application costs with what it may save.",
)
@_JSON
@errors_in_one_sentence
def check(file: Path, stack: str | None, assessment: IO[bytes] | None, as_json: bool) -> None:
    """Check the policy in FILE (- for standard input).

    Print each error with its path. Read-only; needs no AWS account without --stack, which adds warnings, such as
    approvers who get no links and patterns that fit no function. It also warns where the application could cost more
    than it saves, where windows keep changes from being applied in time, and of events that are over. Ends with 1 if
    the policy has errors.
    """
    content = _content(file)
    application = Application.find(stack) if stack else None
    policy = _storable(content, str(file), as_json, application)
    warnings = window_warnings(policy) + worth_warnings(policy, _worth(assessment) if assessment else None)
    warnings += past_entries(policy, datetime.now(UTC))
    warnings += _warnings(content, application, stack) if application and stack else []
    _warn(warnings)
    _say(
        {"valid": True, **({"warnings": warnings} if stack or warnings else {})},
        f"{file}: the policy is valid.",
        as_json,
    )


@command.command()
def reference() -> None:
    """Print every key with its default and meaning.

    The output is Markdown. Read-only; needs no AWS account.
    """
    echo(markdown(policy_schema()), nl=False)


@command.command()
@_FILE
@STACK
@_BUCKET
@_JSON
@errors_in_one_sentence
def put(file: Path, stack: str, bucket: str | None, as_json: bool) -> None:
    """Store the policy in FILE (- for standard input).

    Check it first, then store it in the application's bucket. Runs that start later use it; a run in progress does
    not. Ends with 1, and stores nothing, if the policy has errors.
    """
    content = _content(file)
    application = None if bucket else Application.find(stack)
    policy = _storable(content, str(file), as_json, application)
    bucket = application.bucket if application else str(bucket)
    try:
        Documents(boto3.client("s3"), bucket).write_bytes(POLICY_KEY, content, "application/json")
    except (BotoCoreError, ClientError) as error:
        raise AwsTrouble(f"s3://{bucket}/{POLICY_KEY} was not stored: {error}") from error
    _warn(window_warnings(policy) + (_warnings(content, application, stack) if application else []))
    _say({"stored": f"s3://{bucket}/{POLICY_KEY}"}, f"Stored as s3://{bucket}/{POLICY_KEY}.", as_json)


@command.command()
@STACK
@_BUCKET
@click.option("--defaults", is_flag=True, help="Include the keys that the policy leaves to their defaults.")
@_JSON
@errors_in_one_sentence
def show(stack: str, bucket: str | None, defaults: bool, as_json: bool) -> None:
    """Print the policy that the next run uses.

    The output is JSON, with and without --json. Read-only. Without a stored policy, print the default policy, which
    only recommends.
    """
    application = None if bucket else Application.find(stack)
    bucket = application.bucket if application else str(bucket)
    try:
        content = Documents(boto3.client("s3"), bucket).read_bytes(POLICY_KEY)
    except NoSuchDocument:
        echo("No policy is stored: the defaults hold, and they only recommend.", err=True)
        default = read_policy('{"version": 1}', application.tag if application else None)
        echo(json.dumps(canonical_json.plain(default), indent=2))
        return
    except (BotoCoreError, ClientError) as error:
        raise AwsTrouble(f"s3://{bucket}/{POLICY_KEY} cannot be read: {error}") from error
    policy = _policy(content, f"s3://{bucket}/{POLICY_KEY}", as_json)
    document = canonical_json.plain(policy) if defaults else json.loads(content.decode("utf-8-sig"))
    echo(json.dumps(document, indent=2, ensure_ascii=False))


def _content(file: Path) -> bytes:
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def _warnings(content: bytes, application: Application, stack: str) -> list[str]:
    # A policy without tags means the stack's own.
    named = "tags" in (json.loads(content.decode("utf-8-sig")).get("functions") or {})
    policy = read_policy(content, None if named else application.tag)
    warnings = stack_check.warnings(policy, application, stack)
    if chosen_entries(policy):
        targets = own_functions.choose(boto3.client("resourcegroupstaggingapi"), policy, ())
        warnings += [*without_functions(policy, targets.functions), *contradicting(policy, targets.functions)]
    return warnings


def _policy(content: bytes, name: str, as_json: bool, application: Application | None = None) -> Policy:
    """Return the policy; print its errors, and those that it has in this stack, and end with 1."""
    try:
        return read_policy(content, application.tag if application else None)
    except InvalidPolicy as invalid:
        _complain(invalid.errors, name, as_json)
        raise SystemExit(1) from None


def _storable(content: bytes, name: str, as_json: bool, application: Application | None = None) -> Policy:
    """Return the policy; end with 1 also for what runs accept, but could never act on."""
    policy = _policy(content, name, as_json, application)
    errors = window_errors(policy)
    if errors:
        _complain(errors, name, as_json)
        raise SystemExit(1)
    return policy


def _worth(file: IO[bytes]) -> Worth:
    try:
        return Worth.from_document(json.loads(file.read()))
    except (UnreadableAssessment, ValueError) as error:
        raise click.ClickException(f"{file.name}: {error}") from error


def _complain(errors: Sequence[PolicyError], name: str, as_json: bool) -> None:
    if as_json:
        echo(json.dumps({"valid": False, "errors": canonical_json.plain(list(errors))}))
        return
    for error in errors:
        echo(f"{name}: {error}", err=True)
    echo(f"{name}: {len(errors)} error{'' if len(errors) == 1 else 's'}.", err=True)


def _warn(warnings: Sequence[str]) -> None:
    for warning in warnings:
        echo(f"Warning: {warning}", err=True)


def _say(document: dict[str, object], text: str, as_json: bool) -> None:
    echo(json.dumps(document) if as_json else text)
