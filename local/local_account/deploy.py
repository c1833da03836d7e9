"""Build, deploy and delete the application in a local account with the SAM CLI, as a team would in its own."""

import fcntl
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from local_account.account import REGION, ROOT, LocalAccount

SAM = ROOT / ".build" / "sam" / "bin" / "sam"
STACK = "optimizer"
# The processor of this machine, on which the functions run here.
LOCAL_ARCHITECTURE = "x86_64"
_PARAMETERS = {"ScheduleState": "DISABLED"}
_WORK = ROOT / ".aws-sam"
_ARCHITECTURES = re.compile(r"(?<=^    Architectures: )\[\w+\]$", re.MULTILINE)
_FILES = re.compile(r"(?<=: )(?=(?:functions/|layer$|statemachine/))", re.MULTILINE)
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
        _sam(account.environment(), ROOT, ["deploy", *arguments], answers)


@contextmanager
def built_for(architecture: str) -> Iterator[Path]:
    """Build the application for a processor; nobody else builds until the context ends. Raise SamFailed."""
    # Packages for the local account's processor are built once for this and for deploying. For another processor SAM
    # keeps its build in a folder of its own, because it deletes everything that a build does not need.
    other = _WORK / architecture
    folder, into = (ROOT, _WORK) if architecture == LOCAL_ARCHITECTURE else (other, other)
    with build_lock():
        into.mkdir(exist_ok=True)
        _sam({"AWS_DEFAULT_REGION": REGION}, folder, _build(template_for(architecture), into))
        yield into / "build"


def template_for(architecture: str) -> Path:
    """Return template.yaml with another processor, as a copy below .aws-sam; or itself, if it has that one."""
    text = (ROOT / "template.yaml").read_text()
    changed = _ARCHITECTURES.sub(f"[{architecture}]", text)
    if changed == text:
        return ROOT / "template.yaml"
    path = _WORK / f"template-{architecture}.yaml"
    path.write_text(_FILES.sub("../", changed))
    return path


def _deploy(account: LocalAccount, stack: str, parameters: Mapping[str, str]) -> dict[str, str]:
    # The built template names files relative to its own folder, so its copy must lie beside it.
    built = _WORK / f"build-{account.port}"
    with build_lock():
        _sam(account.environment(), ROOT, _build(template_for(LOCAL_ARCHITECTURE), _WORK))
        shutil.rmtree(built, ignore_errors=True)
        shutil.copytree(_WORK / "build", built, copy_function=os.link)
    try:
        ship = ["deploy", "--template-file", str(built / "template.yaml"), "--stack-name", stack, "--resolve-s3"]
        rest = ["--no-confirm-changeset", "--no-fail-on-empty-changeset", "--no-progressbar"]
        capabilities = ["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
        overrides = ["--parameter-overrides", *(f"{name}={value}" for name, value in parameters.items())]
        _sam(account.environment(), ROOT, [*ship, *rest, *capabilities, *overrides])
    finally:
        shutil.rmtree(built)
    described = account.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def delete_application(account: LocalAccount, stack: str = STACK) -> None:
    """Delete the stack with `sam delete`, as a team that leaves would; raise SamFailed."""
    _sam(account.environment(), ROOT, ["delete", "--stack-name", stack, "--no-prompts", "--region", REGION])


def _build(template: Path, work: Path) -> list[str]:
    # The SAM CLI recognises its earlier builds only while all of these paths stay the same.
    build = ["build", "--template-file", str(template), "--build-dir", str(work / "build")]
    return [*build, "--cached", "--cache-dir", str(work / "cache"), "--parallel"]


def _sam(variables: Mapping[str, str], folder: Path, arguments: list[str], answers: str = "") -> None:
    if not SAM.exists():
        raise SamMissing(f"{SAM} does not exist: run `make .build/sam/.installed` first")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    # A profile configured on this machine must not lead to a real account.
    own = {"SAM_CLI_TELEMETRY": "0", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    environment = inherited | dict(variables) | own
    done = subprocess.run(
        [str(SAM), *arguments], cwd=folder, env=environment, text=True, capture_output=True, check=False, input=answers
    )
    if done.returncode:
        output = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise SamFailed(f"sam {arguments[0]} failed: {' | '.join(output[-_LAST_LINES:])}")


@contextmanager
def build_lock() -> Iterator[None]:
    """Hold a lock so that only one build at a time uses .aws-sam."""
    _WORK.mkdir(exist_ok=True)
    with (_WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
