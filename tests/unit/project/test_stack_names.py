"""Commands accept the names that a stack of this application can have."""

import pytest
from click.testing import CliRunner
from optimizer_cli.application import StackName
from optimizer_cli.main import main
from shipped_template import of_type


def test_the_longest_name_is_what_lambda_leaves_for_it() -> None:
    suffixes = [own["FunctionName"]["!Sub"].removeprefix("${AWS::StackName}") for own in functions()]
    assert StackName.longest == 64 - max(map(len, suffixes))


def functions() -> list[dict[str, dict[str, str]]]:
    return list(of_type("AWS::Serverless::Function").values())


@pytest.mark.parametrize("name", ["o", "optimizer-staging", "x" * 41])
def test_name_that_a_stack_can_have_is_accepted(name: str) -> None:
    assert StackName().convert(name, None, None) == name


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 42, "has 42 characters"), ("1st", "begins with a letter"), ("a_b", "letters, digits")]
)
def test_name_that_no_stack_can_have_is_a_usage_error(name: str, reason: str) -> None:
    said = CliRunner().invoke(main, ["runs", "--stack", name])
    assert said.exit_code == 2
    assert reason in " ".join(said.stderr.split())
