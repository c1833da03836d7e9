"""A local AWS account on 127.0.0.1: the emulator with IAM enforced, the stand-in beside it, and target functions."""

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.exceptions import ClientError

from local_account.callers import Callers
from local_account.fleet import FleetSource, TargetFunction, make_fleet
from local_account.processes import HOST, free_port, start, stop, wait_until_ready
from local_account.switches import FILE_VARIABLE, Switches, SwitchFile
from local_account.targets import create_targets

REGION = "eu-central-1"
ACCOUNT_ID = "123456789012"
ROOT = Path(__file__).parents[2]
EMULATOR = ROOT / "local" / "emulator"
EMULATOR_PYTHON = ROOT / ".build" / "emulator" / "bin" / "python"
# The emulator touches this file of the account when a function or a schedule may have changed.
CHANGED = "changed"
_ACCESS_KEY_ID = "AKIALOCALACCOUNTROOT"
_EMULATOR_WITHIN_S = 60.0
# What SNS says of a token whose topic or subscription is gone, in AWS and in the emulator.
_OUTLIVED = {"InvalidParameter", "InvalidParameterException", "NotFound", "NotFoundException"}
_STAND_IN_WITHIN_S = 90.0


class EmulatorMissing(FileNotFoundError):
    """The emulator's own virtual environment does not exist."""


@dataclass(slots=True)
class LocalAccount:
    """A local account that runs between `start` and `stop`, or as a context manager; any number can run at once.

    `wait_scale` multiplies the waits of state machines (0.01 makes a minute 0.6 s); `port` 0 means any free port;
    without `targets` the account is empty; `switches` say how it answers.
    """

    source: FleetSource
    wait_scale: float = 1.0
    port: int = 0
    targets: bool = True
    switches: Switches = field(default_factory=Switches)
    fleet: tuple[TargetFunction, ...] = ()
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="local-account-")))
    _secret: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    _stand_in_port: int = 0
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> Self:
        """Start all processes and create the targets; raise PortInUse, EmulatorMissing or DidNotStart."""
        try:
            self.fleet = make_fleet(self.source)
            self._switch_file.write(self.switches)
            self._start_emulator()
            self._start_stand_in()
            if self.targets:
                create_targets(self.session, self.fleet, self.source.now)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the processes and remove their data."""
        while self._processes:
            stop(self._processes.pop())
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Return the endpoint of every service but those of the stand-in."""
        return f"http://{HOST}:{self.port}"

    @property
    def stand_in_url(self) -> str:
        """Return the endpoint of CloudWatch, Application Auto Scaling and the Price List API."""
        return f"http://{HOST}:{self._stand_in_port}"

    def environment(self) -> dict[str, str]:
        """Return the variables with which the AWS SDKs and the SAM CLI reach this account as its root user."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_CLOUDWATCH": self.stand_in_url,
            "AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING": self.stand_in_url,
            "AWS_ENDPOINT_URL_PRICING": self.stand_in_url,
            "AWS_ACCESS_KEY_ID": _ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": self._secret,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def session(self) -> "EndpointSession":
        """Return a boto3 session whose clients reach this account, whatever the process' own environment says."""
        return EndpointSession(self)

    def throttle_metrics(self, seconds: float) -> None:
        """Throttle every call of CloudWatch for so many seconds; 0 ends it."""
        url = f"{self.stand_in_url}/_local/throttle?seconds={seconds}"
        urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=5).close()  # noqa: S310  ours

    def describe_callers(self, callers: Iterable[Callers]) -> None:
        """Let CloudWatch show these calls, instead of those that were described before."""
        body = json.dumps([one.document() for one in callers]).encode()
        request = urllib.request.Request(f"{self.stand_in_url}/_local/callers", body, method="POST")  # noqa: S310  ours
        urllib.request.urlopen(request, timeout=5).close()  # noqa: S310  ours

    def stand_in_calls(self) -> list[dict[str, str]]:
        """Return the calls to the stand-in, the oldest first: `at` (ISO 8601), `access_key`, `service`, `operation`."""
        with urllib.request.urlopen(f"{self.stand_in_url}/_local/calls", timeout=5) as answer:  # noqa: S310  ours
            calls: list[dict[str, str]] = json.load(answer)
        return calls

    @contextmanager
    def switched(self, **switches: Any) -> Iterator[None]:
        """Answer with these switches instead, for the length of a `with`."""
        self._switch_file.write(replace(self.switches, **switches))
        try:
            yield
        finally:
            self._switch_file.write(self.switches)

    def mailbox(self, address: str) -> list[dict[str, str]]:
        """Return the mails to an address, the oldest first: `at`, `topic_arn`, `subject`, `text`, and a `token`."""
        if not self._mailbox.exists():
            return []
        mails: list[dict[str, str]] = [json.loads(line) for line in self._mailbox.read_text().splitlines()]
        return [mail for mail in mails if mail["to"] == address]

    def confirm(self, address: str) -> list[str]:
        """Confirm all subscriptions of an address, as its owner does by the links in mails; return their ARNs."""
        sns, confirmed = self.session.client("sns"), []
        for mail in self.mailbox(address):
            if "token" not in mail:
                continue
            try:
                answer = sns.confirm_subscription(TopicArn=mail["topic_arn"], Token=mail["token"])
            except ClientError as error:
                # The link in a mail outlives its topic and its subscription.
                if error.response["Error"]["Code"] not in _OUTLIVED:
                    raise
                continue
            confirmed.append(answer["SubscriptionArn"])
        return confirmed

    @property
    def _switch_file(self) -> SwitchFile:
        return SwitchFile(self.folder / "switches.json")

    @property
    def _mailbox(self) -> Path:
        return self.folder / "mailbox.jsonl"

    def _start_emulator(self) -> None:
        if not EMULATOR_PYTHON.exists():
            raise EmulatorMissing(f"{EMULATOR_PYTHON} does not exist: run `make .build/emulator/.installed` first")
        self.port, self._stand_in_port = free_port(self.port), free_port()
        environment = _inherited() | self.environment()
        environment |= {
            "BIND_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "AUTH": "true",
            "MINISTACK_REGION": REGION,
            "MINISTACK_ACCOUNT_ID": ACCOUNT_ID,
            "CLOUDTRAIL_RECORDING": "1",
            "CLOUDTRAIL_MAX_EVENTS": "1000000",
            "SFN_WAIT_SCALE": str(self.wait_scale),
            # Both would take a fixed port, which a second account at the same time could not get.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "STATE_DIR": str(self.folder / "state"),
            "S3_DATA_DIR": str(self.folder / "s3"),
            "TMPDIR": str(self.folder),
            "HOME": str(self.folder),
            "LOG_LEVEL": "WARNING",
            FILE_VARIABLE: str(self._switch_file.path),
            "LOCAL_ACCOUNT_MAILBOX": str(self._mailbox),
            "LOCAL_ACCOUNT_CHANGED": str(self.folder / CHANGED),
        }
        log = self.folder / "emulator.log"
        process = start([str(EMULATOR_PYTHON), str(EMULATOR)], environment, log, end_with_parent=True)
        self._processes.append(process)
        wait_until_ready(process, f"{self.url}/_ministack/ready", log, _EMULATOR_WITHIN_S)

    def _start_stand_in(self) -> None:
        command = [sys.executable, "-m", "local_account.stand_in", "--port", str(self._stand_in_port)]
        command += ["--now", self.source.now.isoformat(), "--functions", str(self.source.functions)]
        command += ["--seed", str(self.source.seed), "--folder", str(self.folder)]
        command += ["--busy"] if self.source.busy else []
        for option, folder in (("--traces", self.source.traces), ("--curves", self.source.curves)):
            command += [option, str(folder.resolve())] if folder else []
        environment = _inherited() | self.environment() | {FILE_VARIABLE: str(self._switch_file.path)}
        # With this key, CloudTrail distinguishes the stand-in's reads of deployed functions from all other calls.
        environment["AWS_ACCESS_KEY_ID"] = "test"
        environment["PYTHONPATH"] = str(ROOT / "local")
        log = self.folder / "stand-in.log"
        process = start(command, environment, log, end_with_parent=False)
        self._processes.append(process)
        wait_until_ready(process, f"{self.stand_in_url}/_local/ready", log, _STAND_IN_WITHIN_S)


class EndpointSession(boto3.Session):
    """A session bound to a local account by its own credentials and endpoints."""

    def __init__(self, account: LocalAccount) -> None:
        variables = account.environment()
        super().__init__(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        self._account = account

    def client(self, service_name: str, *arguments: Any, **options: Any) -> Any:
        """Return a client like boto3's, with the account's endpoint of that service."""
        own = service_name in ("cloudwatch", "application-autoscaling", "pricing")
        options.setdefault("endpoint_url", self._account.stand_in_url if own else self._account.url)
        return super().client(service_name, *arguments, **options)


def _inherited() -> dict[str, str]:
    """Return this process' environment without variables that lead to a real account or another Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYTHON", "VIRTUAL_"))}
