"""Build, deploy and delete the application in a local account with the SAM CLI, as a team would in its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from local_account.account import REGION, ROOT, LocalAccount
from local_account.builds import JSON_TEMPLATE, LOCAL_ARCHITECTURE, built_for
from local_account.sam_cli import run_sam

STACK = "optimizer"
_PARAMETERS = {"ScheduleState": "DISABLED"}


@dataclass(frozen=True, slots=True)
class Application:
    """The resources that the outputs of the stack name."""

    table: str
    bucket: str
    topic_arn: str
    programs_topic_arn: str
    optimize_arn: str
    approve_arn: str
    change_arn: str
    schedule_group: str
    timetable_group: str
    outputs: Mapping[str, str]


def deploy_application(
    account: LocalAccount, parameters: Mapping[str, str] | None = None, stack: str = STACK
) -> Application:
    """Deploy template.yaml with these parameters besides the local ones; build only what has changed."""
    outputs = _deploy(account, stack, {**_PARAMETERS, **(parameters or {})})
    return Application(
        table=outputs["TableName"],
        bucket=outputs["BucketName"],
        topic_arn=outputs["TopicArn"],
        programs_topic_arn=outputs["ProgramsTopicArn"],
        optimize_arn=outputs["OptimizeStateMachineArn"],
        approve_arn=outputs["ApproveStateMachineArn"],
        change_arn=outputs["ChangeStateMachineArn"],
        schedule_group=outputs["WarmupScheduleGroup"],
        timetable_group=outputs["TimetableGroup"],
        outputs=outputs,
    )


def deploy_as_shipped(account: LocalAccount, arguments: Sequence[str] = (), answers: str = "") -> None:
    """Run `sam deploy` with samconfig.toml and these arguments, as docs/deploy.md shows it; raise SamFailed.

    `answers` is typed where it asks; nobody answers a question beyond them.
    """
    with built_for(LOCAL_ARCHITECTURE):
        run_sam(account.environment(), ROOT, ["deploy", *arguments], answers)


def _deploy(account: LocalAccount, stack: str, parameters: Mapping[str, str]) -> dict[str, str]:
    rest = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
    capabilities = ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
    overrides = ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
    with built_for(LOCAL_ARCHITECTURE) as built:
        ship = ["deploy", "--template-file", str(built / JSON_TEMPLATE), "--stack-name", stack, "--resolve-s3"]
        run_sam(account.environment(), ROOT, [*ship, *rest, *capabilities, *overrides])
    described = account.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def delete_application(account: LocalAccount, stack: str = STACK) -> None:
    """Delete the stack with `sam delete`, as a team that leaves would; raise SamFailed."""
    run_sam(account.environment(), ROOT, ["delete", "--stack-name", stack, "--no-prompts", "--region", REGION])
