"""What README.md and docs/ say can be done and be stored can."""

import json
import re
import shlex
from typing import Any

import botocore.session
import click
import pytest
from botocore import xform_name
from optimizer.policy import policy_schema, read_policy
from optimizer_cli.main import main
from optimizer_cli.policy_reference import markdown

from tests.helpers.documents import FILES, ROOT, Shown, commands, commands_in_text, documents_in_json

# Commands that other programs run, and where a test or CI runs them.
ELSEWHERE = {
    "make demo": "its command, with `--approve`: tests/e2e/test_demo.py",
    "make test": "by .ci/run",
    "make setup": "by .ci/run",
    "make check": "by .ci/run, as part of make test",
    "make sam-local": "tests/containers",
    "sam build": "tests/integration/packages/test_built_packages.py",
    "sam deploy": "tests/deployments/test_deploying.py",
    "sam deploy --stack-name optimizer-staging --parameter-overrides TagKey=team-optimizer "
    "NotificationEmail=team@example.com": "tests/deployments/test_deploying.py",
    "python3.13 local/check_build.py": "by tests/integration/packages/test_built_packages.py",
    "sam delete --stack-name optimizer": "the local account's application is deleted: tests/e2e/test_stack_deleted.py",
    "aws lambda invoke --function-name optimizer-leave_account --cli-binary-format raw-in-base64-out"
    """  --payload '{"RequestType": "Delete"}' --cli-read-timeout 0 answer.json""": "by tests/e2e/test_leaving.py",
    "aws cloudformation delete-stack --stack-name optimizer --retain-resources Leaving": "held against the SDK, below",
    "python packages/optimizer-warmable/layer/build.py": "by tests/integration/local/test_exec_wrappers.py",
    "sam deploy --template-file packages/optimizer-warmable/layer/template.yaml --stack-name optimizer-warmable "
    "--resolve-s3": "by tests/integration/local/test_exec_wrappers.py",
    **dict.fromkeys(
        (
            "aws lambda get-function-configuration --function-name orders --query Layers",
            "aws lambda get-function-configuration --function-name orders --query Environment > environment.json",
            "aws lambda update-function-configuration --function-name orders --layers "
            "arn:aws:lambda:eu-central-1:123456789012:layer:optimizer-warmable:1 --environment file://environment.json",
            "aws lambda publish-version --function-name orders",
            "aws lambda update-alias --function-name orders --name live --function-version 8",
            "aws lambda tag-resource --resource arn:aws:lambda:eu-central-1:123456789012:function:orders --tags "
            "optimizer:warmup=ready",
        ),
        "held against the SDK, below",
    ),
    "apt-get install podman runc crun netavark aardvark-dns iptables debootstrap": "by .ci/run",
    ".venv/bin/python -m local_account.sam_local --variables optimizer > env-vars.json": "make sam-local",
    "sam local invoke PlanCapacity --event events/plan_capacity.json --env-vars env-vars.json": "make sam-local",
}
# tests/e2e/test_first_deploy.py follows this page to the letter.
FOLLOWED = "first-deploy.md"
_LINK = re.compile(r"\]\((?!https?:)([^)#]+)")


@pytest.mark.parametrize("shown", list(commands()), ids=str)
def test_every_command_is_run_by_a_test(shown: Shown) -> None:
    ours = shown.text.startswith(("optimizer ", "aws sns "))
    assert ours or shown.text in ELSEWHERE or shown.file == FOLLOWED, "say how it is tried"


@pytest.mark.parametrize("shown", [one for one in commands() if re.match("aws (?!sns )", one.text)], ids=str)
def test_every_documented_call_is_known_to_the_sdk(shown: Shown) -> None:
    _, service, operation, *words = shlex.split(shown.text)
    model = botocore.session.get_session().get_service_model(service)
    asked = model.operation_model("".join(part.capitalize() for part in operation.split("-"))).input_shape
    assert asked is not None
    known = {f"--{xform_name(name, '-')}" for name in asked.members}
    # What begins so is the command's own, and so are the options for a package and for a part of an answer.
    own = {"--zip-file", "--query"}
    assert {word for word in words if word.startswith("--") and not word.startswith("--cli-")} <= known | own


@pytest.mark.parametrize("shown", [*commands(), *commands_in_text()], ids=str)
def test_every_command_and_option_is_there(shown: Shown) -> None:
    program, *words = re.split(r"[\s|]+", shown.text)
    if program != "optimizer":
        return
    command: Any = main
    context = click.Context(main)
    while words and isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        assert found is not None, shown
        command = found
        if isinstance(command, click.Group) and words and command.get_command(context, words[0]) is None:
            break
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("shown", list(documents_in_json()), ids=lambda shown: f"{shown.file}:{shown.line}")
def test_every_policy_that_is_shown_is_one(shown: Shown) -> None:
    document = json.loads(shown.text)
    if "Statement" in document:
        # The key policy is that of the deployed test: tests/deployments/test_company_resources.py.
        assert all({"Effect", "Principal", "Action", "Resource"} <= one.keys() for one in document["Statement"])
        return
    if {"ttl_s", "previous"} & document.keys():
        return
    read_policy(json.dumps({"version": 1, **document}))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Any) -> None:
    missing = [link for link in _LINK.findall(path.read_text()) if not (path.parent / link).exists()]
    assert missing == []


def test_every_document_is_reached_from_the_first() -> None:
    reached, left = set(), [ROOT / "README.md"]
    while left:
        path = left.pop()
        if path not in reached:
            reached.add(path)
            links = [(path.parent / link).resolve() for link in _LINK.findall(path.read_text())]
            left += [link for link in links if link.suffix == ".md"]
    assert set(FILES) - reached == set()


def test_the_policy_reference_matches_the_schema() -> None:
    said = markdown(policy_schema())
    assert (ROOT / "docs" / "policy.md").read_text() == said, "run `optimizer policy reference > docs/policy.md`"
    keys = re.findall(r"^\| `(\w+)` \|", said, re.MULTILINE)
    assert {"version", "max_usd_day", "sliding", "lock_timeout_ms", "needed"} <= set(keys)
