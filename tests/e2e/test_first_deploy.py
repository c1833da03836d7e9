"""Follow docs/first-deploy.md to the letter in the local account, as far as it goes."""

import io
import json
import shlex
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name
from botocore.exceptions import ClientError
from click.testing import CliRunner
from local_account.account import LocalAccount
from optimizer_cli.main import main

from tests.helpers.documents import Shown, commands

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
PAGE = [shown for shown in commands("aws ") if shown.file == "first-deploy.md"]
# The page accepts these answers as well; its text says what each of them means.
MAY_BE_REFUSED = ("update-alias", "put-provisioned-concurrency-config")
# The local account lacks these calls of AWS.
NOT_HERE = ("lookup-events",)


@dataclass
class Person:
    """A person who types the commands of the page, one after the other."""

    account: LocalAccount
    folder: Path
    role: str = ""
    answers: dict[str, Any] = field(default_factory=dict)

    def type(self, command: str) -> Any:
        """Make the call of an `aws` command through the SDK, and return its answer or the code of its error."""
        _, service, operation, *words = shlex.split(command.replace("ROLE_ARN", self.role))
        client = self.account.session.client(service)
        name = client.meta.method_to_api_mapping[operation.replace("-", "_")]
        members = client.meta.service_model.operation_model(name).input_shape.members
        options = {xform_name(member, "-"): member for member in members}
        asked: dict[str, Any] = {}
        while words:
            option = words.pop(0).removeprefix("--")
            if option == "zip-file":
                asked["Code"] = {"ZipFile": (self.folder / words.pop(0).removeprefix("fileb://")).read_bytes()}
            elif members[options[option]].type_name == "boolean":
                asked[options[option]] = True
            else:
                asked[options[option]] = _value(members[options[option]].type_name, words.pop(0))
        try:
            answer = getattr(client, operation.replace("-", "_"))(**asked)
        except ClientError as refused:
            return refused.response["Error"]["Code"]
        self.role = answer.get("Role", {}).get("Arn", self.role) if operation == "create-role" else self.role
        return answer


def _value(kind: str, text: str) -> Any:
    if kind == "integer":
        return int(text)
    if kind == "list":
        # AttributeKey=NAME,AttributeValue=VALUE
        return [dict(part.split("=", 1) for part in text.split(","))]
    return json.loads(text) if kind in ("structure", "map") else text


@pytest.fixture(scope="module")
def person(account: LocalAccount, tmp_path_factory: pytest.TempPathFactory) -> Person:
    folder = tmp_path_factory.mktemp("person")
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("app.py", "def handler(event, context):\n    return event\n")
    (folder / "app.zip").write_bytes(content.getvalue())
    return Person(account, folder)


@pytest.mark.parametrize("shown", PAGE, ids=lambda shown: f"{shown.line}: {' '.join(shown.text.split()[1:3])}")
def test_the_commands_of_the_page_are_answered(person: Person, shown: Shown) -> None:
    """In the order of the page: later commands need the earlier ones."""
    operation = shown.text.split()[2]
    if operation in NOT_HERE:
        return
    answer = person.type(shown.text)
    if operation in MAY_BE_REFUSED and isinstance(answer, str):
        assert answer in ("InvalidParameterValueException", "ResourceConflictException", "ValidationException")
        return
    assert isinstance(answer, dict), answer
    if operation == "publish-version":
        assert (answer["Version"], answer["MemorySize"]) == ("2", 256)


def test_doctor_names_what_is_expected_right_after_deploying(deployed: Any) -> None:
    """The local account deploys without schedules and without a subscription; all else is in order."""
    done = CliRunner().invoke(main, ["doctor", "--try", "--json"], env=deployed.account.environment())
    found = {finding["check"]: finding for finding in json.loads(done.stdout)}
    problems = {check for check, finding in found.items() if finding["health"] == "problem"}
    assert problems <= {"people", "schedules", "runs", "dead letters"}
    assert found["lambdas"]["health"] == found["stack"]["health"] == "ok"
    for check in ("filters of JSON messages", "empty attribute", "empty Distributed Map", "schedules in the past"):
        assert found[check]["health"] == "note", found[check]
    assert done.exit_code == (1 if problems else 0)
