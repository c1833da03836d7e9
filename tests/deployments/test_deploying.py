"""`sam deploy` as docs/deploy.md shows it: nothing asks, two stacks, a tag of one's own, and no public pages."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from local_account.account import ROOT, LocalAccount
from local_account.deploy import deploy_as_shipped
from local_account.fleet import FleetSource
from local_account.switches import STRICTEST

from tests.deployments.test_company_resources import make_boundary, make_key, make_network
from tests.helpers.documents import commands, run
from tests.helpers.small_stacks import make_role, may, package
from tests.helpers.whole_stacks import WholeStacks

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.starts_servers, pytest.mark.timeout(1800)]
STAGING = "optimizer-staging"
COMPANY = "optimizer-company"
WAIT_S = 300


@pytest.fixture(scope="module")
def account() -> Iterator[LocalAccount]:
    source = FleetSource(datetime.now(UTC), functions=1)
    with LocalAccount(source, wait_scale=0.002, targets=False, switches=STRICTEST) as running:
        yield running


@pytest.fixture(scope="module")
def two_stacks(account: LocalAccount) -> LocalAccount:
    """Deploy with the two commands of docs/deploy.md; nobody is there to answer questions."""
    shown = [one.text for one in commands("sam deploy") if one.file == "deploy.md" and "--guided" not in one.text]
    first, second = dict.fromkeys(shown)
    assert first == "sam deploy"
    deploy_as_shipped(account)
    deploy_as_shipped(account, second.split()[2:])
    return account


@pytest.fixture(scope="module")
def company(account: LocalAccount) -> LocalAccount:
    """Deploy with the options of companies and without pages."""
    stacks = WholeStacks(account, "eu-central-1")
    subnet, group = make_network(stacks)
    parameters = {
        "PublicPages": "none",
        "TagKey": "company",
        "VpcSubnetIds": subnet,
        "VpcSecurityGroupIds": group,
        "KmsKeyArn": make_key(stacks),
        "PermissionsBoundaryArn": make_boundary(stacks),
        "RolePath": "/teams/optimizer/",
        "TableDeletionProtection": "true",
    }
    overrides = [f"{name}={value}" for name, value in parameters.items()]
    deploy_as_shipped(account, ["--stack-name", COMPANY, "--parameter-overrides", *overrides])
    return account


def outputs(account: LocalAccount, stack: str) -> dict[str, str]:
    (found,) = account.session.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    assert found["StackStatus"] in ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}


def make_function(account: LocalAccount, name: str, **tags: str) -> str:
    """Create a function of the team with a published version behind the alias `live`; return its ARN."""
    lambda_ = account.session.client("lambda")
    code = package("def handler(event, context):\n    return {}\n")
    role = make_role(account, f"role-of-{name}", may("logs:PutLogEvents"))
    common = {"Runtime": "python3.13", "Handler": "app.handler", "Code": {"ZipFile": code}, "MemorySize": 1024}
    created = lambda_.create_function(FunctionName=name, Role=role, Publish=True, Tags=tags, **common)
    lambda_.create_alias(FunctionName=name, Name="live", FunctionVersion="1")
    return str(created["FunctionArn"]).removesuffix(":1")


def ended(account: LocalAccount, stack: str, name: str, request: Any) -> Any:
    """Run the application of a stack from start to end."""
    states = account.session.client("stepfunctions")
    machine = outputs(account, stack)["OptimizeStateMachineArn"]
    states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(request))
    return waited_for(account, stack, name)


def waited_for(account: LocalAccount, stack: str, name: str, status: str = "SUCCEEDED") -> Any:
    """Wait until a run ends so; return its execution."""
    states = account.session.client("stepfunctions")
    machine = outputs(account, stack)["OptimizeStateMachineArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    deadline = time.monotonic() + WAIT_S
    while (said := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        assert time.monotonic() < deadline, said
        time.sleep(0.3)
    assert said["status"] == status, said
    return said


def subscribe(account: LocalAccount, stack: str, address: str) -> None:
    """Subscribe an address to the messages for people, and confirm it."""
    topic = outputs(account, stack)["TopicArn"]
    account.session.client("sns").subscribe(TopicArn=topic, Protocol="email", Endpoint=address)
    account.confirm(address)


def mail_about(account: LocalAccount, run: str, address: str) -> str:
    """Return the one mail to an address about a run, without the breaks of its lines."""
    (found,) = [mail["text"] for mail in account.mailbox(address) if re.search(rf"\b[Rr]un {run}\b", mail["text"])]
    return " ".join(found.split())


def commands_of(mail: str) -> list[str]:
    return re.findall("`([^`]+)`", mail)


def checked(account: LocalAccount, stack: str, name: str) -> int:
    """Return the number of functions that a run checked, as its report says."""
    bucket = outputs(account, stack)["BucketName"]
    report = account.session.client("s3").get_object(Bucket=bucket, Key=f"runs/{name}/report.json")["Body"].read()
    return int(json.loads(report)["targets"])


def test_both_stacks_of_the_document_are_complete(two_stacks: LocalAccount) -> None:
    assert outputs(two_stacks, "optimizer")["PublicPages"] == "both"
    assert outputs(two_stacks, STAGING)["TableName"] != outputs(two_stacks, "optimizer")["TableName"]


def test_deploying_again_changes_nothing(two_stacks: LocalAccount) -> None:
    before = outputs(two_stacks, "optimizer")
    deploy_as_shipped(two_stacks)
    assert outputs(two_stacks, "optimizer") == before


def test_pressing_enter_answers_every_question_of_the_guide(two_stacks: LocalAccount, tmp_path: Path) -> None:
    """The guide would store the answers in samconfig.toml."""
    config = shutil.copy(ROOT / "samconfig.toml", tmp_path)
    before = outputs(two_stacks, "optimizer")
    deploy_as_shipped(two_stacks, ["--guided", "--config-file", str(config)], "\n" * 100)
    assert outputs(two_stacks, "optimizer") == before
    assert "PublicPages" in Path(config).read_text()


def test_first_run_in_an_empty_account_names_the_next_step(two_stacks: LocalAccount) -> None:
    """Nothing is tagged and no policy is stored. Following the mail makes the next run find a function."""
    subscribe(two_stacks, "optimizer", "anna@example.com")
    ended(two_stacks, "optimizer", "first", {})
    assert checked(two_stacks, "optimizer", "first") == 0
    mail = mail_about(two_stacks, "first", "anna@example.com")
    assert "Next step: tag a function" in mail
    (tagging,) = [command for command in commands_of(mail) if command.startswith("aws lambda tag-resource ")]
    key, value = tagging.rpartition(" ")[2].split("=")

    lambda_ = two_stacks.session.client("lambda")
    arn = make_function(two_stacks, "billing")
    lambda_.tag_resource(Resource=arn, Tags={key: value})
    ended(two_stacks, "optimizer", "after-the-mail", {})
    assert checked(two_stacks, "optimizer", "after-the-mail") == 1
    lambda_.delete_function(FunctionName="billing")


def test_failed_run_is_started_again_by_the_command_in_its_mail(two_stacks: LocalAccount, tmp_path: Path) -> None:
    subscribe(two_stacks, STAGING, "ben@example.com")
    bucket, s3 = outputs(two_stacks, STAGING)["BucketName"], two_stacks.session.client("s3")
    s3.put_object(Bucket=bucket, Key="policy/policy.json", Body=b'{"version": 1, "mode": "perhaps"}')
    states = two_stacks.session.client("stepfunctions")
    request = json.dumps({"reason": "by hand", "tuners": ["warmups"]})
    machine = outputs(two_stacks, STAGING)["OptimizeStateMachineArn"]
    states.start_execution(stateMachineArn=machine, name="broken", input=request)
    assert waited_for(two_stacks, STAGING, "broken", "FAILED")["error"] == "PolicyInvalid"

    (again,) = commands_of(mail_about(two_stacks, "broken", "ben@example.com"))
    assert again == f"optimizer run --again broken --stack {STAGING}"
    s3.delete_object(Bucket=bucket, Key="policy/policy.json")
    done = run(f"{again} --json", tmp_path, two_stacks.environment())
    assert done.returncode == 0, done.stderr
    name = json.loads(done.stdout)["run_id"]
    assert waited_for(two_stacks, STAGING, name)["input"] == request


def test_each_stack_checks_the_functions_with_its_own_tag(two_stacks: LocalAccount) -> None:
    make_function(two_stacks, "orders", **{"team-optimizer": "on"})
    ended(two_stacks, STAGING, "own-tag", {})
    assert checked(two_stacks, STAGING, "own-tag") == 1
    ended(two_stacks, "optimizer", "no-tag", {})
    assert checked(two_stacks, "optimizer", "no-tag") == 0


def test_a_stack_with_every_option_and_without_pages_works(company: LocalAccount, tmp_path: Path) -> None:
    """The boundary holds, the key encrypts, and the report is read by the command that the message names."""
    make_function(company, "invoices", company="on")
    ended(company, COMPANY, "by-command", {})
    assert checked(company, COMPANY, "by-command") == 1
    made = outputs(company, COMPANY)
    assert made["PublicPages"] == "none"
    assert "ApprovalUrl" not in made
    assert "ReportUrl" not in made
    done = run(f"optimizer report by-command --stack {COMPANY}", tmp_path, company.environment())
    assert done.returncode == 0, done.stderr
    assert "Pages: " in done.stdout
