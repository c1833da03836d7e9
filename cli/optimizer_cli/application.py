"""The deployed application that a command uses, found by the name of its stack; and errors in one sentence."""

import re
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
    """The named run, change or stack does not exist."""

    exit_code = 3


class AwsTrouble(click.ClickException):
    """AWS refused the call or could not be reached."""

    exit_code = 4


@dataclass(frozen=True, slots=True)
class Application:
    """Resources named in the outputs of the stack."""

    table: str
    bucket: str
    optimize_arn: str
    change_arn: str
    topic_arn: str
    programs_topic_arn: str = ""
    # The tag that the rights of the stack are bound to.
    tag: tuple[str, str] = ("optimizer", "on")

    @classmethod
    def find(cls, stack: str) -> "Application":
        """Read the outputs of the stack; raises NotFound if it does not exist or is not this application."""
        try:
            described = boto3.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                raise NotFound(
                    f"There is no stack {stack} in this account and region; name yours with --stack or OPTIMIZER_STACK."
                ) from error
            raise
        outputs = {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}
        parameters = {one["ParameterKey"]: one["ParameterValue"] for one in described.get("Parameters", [])}
        try:
            return cls(
                outputs["TableName"],
                outputs["BucketName"],
                outputs["OptimizeStateMachineArn"],
                outputs["ChangeStateMachineArn"],
                outputs["TopicArn"],
                # A stack of an earlier version has none.
                outputs.get("ProgramsTopicArn", ""),
                (parameters.get("TagKey", "optimizer"), parameters.get("TagValue", "on")),
            )
        except KeyError as missing:
            raise NotFound(f"The stack {stack} is not this application: it has no output {missing}.") from missing

    @property
    def store(self) -> RunStore:
        """Return the store on the application's table."""
        return RunStore(boto3.client("dynamodb"), self.table)

    @property
    def documents(self) -> Documents:
        """Return the documents in the application's bucket."""
        return Documents(boto3.client("s3"), self.bucket)


class StackName(click.ParamType[str]):
    """A name that a stack of this application can have: its functions' names, which are longer, have a limit of 64."""

    name = "text"
    # As long as allows for `-plan_index_maintenance`.
    longest = 41
    _form = re.compile(r"[A-Za-z][A-Za-z0-9-]*", re.ASCII)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name, or fail with the reason."""
        if not self._form.fullmatch(value):
            self.fail("The name of a stack has letters, digits and hyphens, and begins with a letter.", param, ctx)
        if len(value) > self.longest:
            self.fail(
                f"This name has {len(value)} characters. The stack of this application has at most {self.longest}, "
                f"because Lambda allows 64 for its functions.",
                param,
                ctx,
            )
        return str(value)


STACK = click.option(
    "--stack",
    type=StackName(),
    envvar="OPTIMIZER_STACK",
    default="optimizer",
    show_default=True,
    help="Name of the application's stack.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")


def errors_in_one_sentence[**P, T](command: Callable[P, T]) -> Callable[P, T]:
    """Turn errors of people and of AWS into one sentence; any other error is ours and keeps its traceback."""

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
        raise AwsTrouble(f"AWS could not be reached: {error}") from error


def _detail(error: ClientError) -> str:
    details: dict[str, Any] = dict(error.response["Error"])
    return f"{details.get('Code')}: {details.get('Message') or 'no reason given'}"
