"""The deployed application that a command works on, found by the name of its stack; and errors as people read them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import boto3
import click
from botocore.exceptions import BotoCoreError, ClientError
from optimizer.store import Documents, NoSuchChange, NoSuchRun, RunStore


class NotFound(click.ClickException):
    """What was named does not exist."""

    exit_code = 3


class AwsTrouble(click.ClickException):
    """AWS refused the call or could not be reached."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Application:
    """What the stack's outputs name."""

    table: str
    bucket: str
    optimize_arn: str
    change_arn: str

    @classmethod
    def find(cls, stack: str) -> "Application":
        """Read the outputs; NotFound where there is no such stack, or one of something else."""
        try:
            described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise NotFound(f"There is no stack {stack} here; name it with --stack or OPTIMIZER_STACK.") from error
            raise
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        try:
            return cls(
                outputs["TableName"],
                outputs["BucketName"],
                outputs["OptimizeStateMachineArn"],
                outputs["ChangeStateMachineArn"],
            )
        except KeyError as missing:
            raise NotFound(f"The stack {stack} is not this application: it has no output {missing}.") from missing

    @property
    def store(self) -> RunStore:
        """Its table."""
        return RunStore(boto3.client("dynamodb"), self.table)

    @property
    def documents(self) -> Documents:
        """Its bucket."""
        return Documents(boto3.client("s3"), self.bucket)


STACK = click.option(
    "--stack", envvar="OPTIMIZER_STACK", default="optimizer", show_default=True, help="Name of the application's stack."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def said_plainly[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """What a person or AWS did wrong becomes one sentence; anything else is a fault of ours and keeps its traceback."""

    @wraps(command)
    def with_errors(*arguments: P.args, **options: P.kwargs) -> T:
        with _errors():
            return command(*arguments, **options)

    return with_errors


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except (NoSuchRun, NoSuchChange) as error:
        raise NotFound(f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    except ClientError as error:
        raise AwsTrouble(f"AWS refused {error.operation_name}: {_detail(error)}") from error
    except BotoCoreError as error:
        raise AwsTrouble(f"AWS could not be asked: {error}") from error


def _detail(error: ClientError) -> str:
    found: dict[str, Any] = dict(error.response["Error"])
    return f"{found.get('Code')}: {found.get('Message') or 'no reason given'}"
