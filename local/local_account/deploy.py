"""Build, deploy and delete the application in a local account with the SAM CLI, as a team would in its own."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_account.account import REGION, ROOT, LocalAccount

SAM = ROOT / ".build" / "sam" / "bin" / "sam"
STACK = "optimizer"
_PARAMETERS = {"Architecture": "x86_64", "ScheduleState": "DISABLED"}
_LAST_LINES = 6


class SamMissing(FileNotFoundError):
    """The SAM CLI's own virtual environment does not exist."""


class SamFailed(RuntimeError):
    """`sam build` or `sam deploy` ended with an error; the message holds the end of its output."""


@dataclass(frozen=True, slots=True)
class Application:
    """The resources that the outputs of the stack name."""

    table: str
    bucket: str
    topic_arn: str
    programs_topic_arn: str
    optimize_arn: str
    change_arn: str
    schedule_group: str
    timetable_group: str
    outputs: Mapping[str, str]


def deploy_application(account: LocalAccount, parameters: Mapping[str, str] | None = None) -> Application:
    """Deploy template.yaml with these parameters instead of the local ones; build only what has changed."""
    outputs = deploy(account, ROOT / "template.yaml", STACK, {**_PARAMETERS, **(parameters or {})})
    return Application(
        table=outputs["TableName"],
        bucket=outputs["BucketName"],
        topic_arn=outputs["TopicArn"],
        programs_topic_arn=outputs["ProgramsTopicArn"],
        optimize_arn=outputs["OptimizeStateMachineArn"],
        change_arn=outputs["ChangeStateMachineArn"],
        schedule_group=outputs["WarmupScheduleGroup"],
        timetable_group=outputs["TimetableGroup"],
        outputs=outputs,
    )


@contextmanager
def built_for(architecture: str) -> Iterator[Path]:
    """Build the application for a processor; nobody else builds until the context ends. Raise SamFailed."""
    # Packages for the local account's processor are built once for this and for deploying. For another processor SAM
    # keeps its build in a folder of its own, because it deletes everything that a build does not need.
    work = ROOT / ".aws-sam"
    other = work / architecture
    folder, into = (ROOT, work) if architecture == _PARAMETERS["Architecture"] else (other, other)
    with build_lock(work):
        into.mkdir(exist_ok=True)
        options = ["--parameter-overrides", f"Architecture={architecture}"]
        _sam({"AWS_DEFAULT_REGION": REGION}, folder, _build(ROOT / "template.yaml", into, options))
        yield into / "build"


def deploy(account: LocalAccount, template: Path, stack: str, parameters: Mapping[str, str]) -> dict[str, str]:
    """Build and deploy a template; return the outputs of its stack, or raise SamFailed."""
    # The built template names files relative to its own folder, so its copy must lie beside it.
    work = template.parent / ".aws-sam"
    built = work / f"build-{account.port}"
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    options = ["--parameter-overrides", *overrides] if overrides else []
    with build_lock(work):
        _sam(account.environment(), template.parent, _build(template, work, options))
        shutil.rmtree(built, ignore_errors=True)
        shutil.copytree(work / "build", built, copy_function=os.link)
    try:
        ship = ["deploy", "--template-file", str(built / "template.yaml"), "--stack-name", stack, "--resolve-s3"]
        rest = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        capabilities = ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        _sam(account.environment(), template.parent, [*ship, *rest, *capabilities, *options])
    finally:
        shutil.rmtree(built)
    described = account.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def delete_application(account: LocalAccount) -> None:
    """Delete the stack with `sam delete`, as a team that leaves would; raise SamFailed."""
    _sam(account.environment(), ROOT, ["delete", "--stack-name", STACK, "--no-prompts", "--region", REGION])


def _build(template: Path, work: Path, options: list[str]) -> list[str]:
    # The SAM CLI recognises its earlier builds only while all of these paths stay the same.
    build = ["build", "--template-file", str(template), "--build-dir", str(work / "build")]
    return [*build, "--cached", "--cache-dir", str(work / "cache"), "--parallel", *options]


def _sam(variables: Mapping[str, str], folder: Path, arguments: list[str]) -> None:
    if not SAM.exists():
        raise SamMissing(f"{SAM} does not exist: run `make .build/sam/.installed` first")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # A profile configured on this machine must not lead to a real account.
    own = {"SAM_CLI_TELEMETRY": "0", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    environment = inherited | dict(variables) | own
    done = subprocess.run(
        [str(SAM), *arguments], cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    if done.returncode:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise SamFailed(f"sam {arguments[0]} failed: {' | '.join(output[-_LAST_LINES:])}")


@contextmanager
def build_lock(work: Path) -> Iterator[None]:
    """Hold a lock so that only one build at a time uses this folder."""
    work.mkdir(exist_ok=True)
    with (work / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
