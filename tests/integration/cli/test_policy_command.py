"""`optimizer policy` for people and for programs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws
from optimizer_cli.application import Application
from optimizer_cli.main import main


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="optimizer")
        yield client


def policy(*arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, ["policy", *arguments], input=given)


def test_check_ends_with_1_and_lists_every_error(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"version": 1}')
    assert policy("check", str(file)).exit_code == 0
    file.write_text('{"version": 2, "mod": "auto"}')
    result = policy("check", str(file))
    assert result.exit_code == 1
    assert "mod: is not a known key. Did you mean mode?" in result.stderr
    assert "2 errors." in result.stderr


def test_check_prints_errors_as_json() -> None:
    result = policy("check", "-", "--json", given='{"version": 2}')
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "valid": False,
        "errors": [{"path": "version", "message": "must be 1, not 2."}],
    }


def test_stored_policy_is_shown(s3: Any, tmp_path: Path) -> None:
    assert s3 is not None
    file = tmp_path / "policy.json"
    file.write_text('{"version": 1, "mode": "approve"}')
    assert policy("put", str(file), "--bucket", "optimizer").exit_code == 0
    assert json.loads(policy("show", "--bucket", "optimizer").stdout) == {"version": 1, "mode": "approve"}
    shown = json.loads(policy("show", "--bucket", "optimizer", "--defaults").stdout)
    assert shown["memory"]["headroom"] == 1.3


def test_invalid_policy_is_not_stored(s3: Any, tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"version": 2}')
    assert policy("put", str(file), "--bucket", "optimizer").exit_code == 1
    assert "Contents" not in s3.list_objects_v2(Bucket="optimizer")


def test_defaults_are_shown_without_a_policy(s3: Any) -> None:
    assert s3 is not None
    result = policy("show", "--bucket", "optimizer")
    assert json.loads(result.stdout)["mode"] == "recommend"
    assert "No policy is stored" in result.stderr


def test_unreachable_bucket_is_one_line(s3: Any) -> None:
    assert s3 is not None
    result = policy("show", "--bucket", "missing")
    assert result.exit_code == 4
    assert result.stderr.startswith("Error: s3://missing/policy/policy.json cannot be read:")


@pytest.fixture
def stack(s3: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack whose rights are bound to a tag of its own."""
    assert s3 is not None
    arn = "arn:aws:states:us-east-1:123456789012:stateMachine:x"
    tag = ("team-optimizer", "yes")
    application = Application("table", "optimizer", arn, arn, "arn:aws:sns:us-east-1:123456789012:t", "", tag)
    monkeypatch.setattr(Application, "find", lambda _stack: application)


@pytest.mark.usefixtures("stack")
def test_check_says_where_policy_and_stack_differ() -> None:
    checked = policy("check", "-", "--stack", "s", given='{"version": 1, "functions": {"tags": {"prod": "yes"}}}')
    assert checked.exit_code == 0
    assert "names the tags prod=yes" in checked.stderr
    assert "with team-optimizer=yes (TagKey, TagValue)" in checked.stderr


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("tags", ["", ', "functions": {"tags": {"team-optimizer": "yes", "prod": "yes"}}'])
def test_check_is_quiet_where_policy_and_stack_agree(tags: str) -> None:
    checked = policy("check", "-", "--stack", "s", given=f'{{"version": 1{tags}}}')
    assert (checked.exit_code, checked.stderr) == (0, "")


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("do", ["check", "put"])
def test_policy_that_the_stack_can_never_follow_is_an_error(s3: Any, do: str) -> None:
    contrary = '{"version": 1, "functions": {"tags": {"team-optimizer": "no"}}}'
    refused = policy(do, "-", "--stack", "s", given=contrary)
    assert refused.exit_code == 1
    assert 'functions.tags.team-optimizer: must be "yes", not "no"' in refused.stderr.replace('"]', "").replace(
        '["', "."
    )
    assert "Contents" not in s3.list_objects_v2(Bucket="optimizer")


@pytest.mark.usefixtures("stack")
def test_defaults_of_a_stack_name_its_tag() -> None:
    assert json.loads(policy("show", "--stack", "s").stdout)["functions"]["tags"] == {"team-optimizer": "yes"}


OCCASIONS = {
    "version": 1,
    "functions": {"tags": {"team-optimizer": "yes"}},
    "calendars": {"bavaria": {"country": "DE", "region": "BY"}},
    "overrides": [{"functions": ["munich-*"], "calendar": "bavaria"}, {"functions": ["shop-*"], "calendar": "bavaria"}],
    "warmups": {
        "events": [
            {"functions": ["shop-*"], "from": "2020-03-06T18:00", "until": "2020-03-06T20:00", "environments": 4},
            {"tags": {"team": "x"}, "from": "2040-03-06T18:00", "until": "2040-03-06T20:00", "environments": 4},
        ],
        "days": [{"on": "2020-11-27", "level": 2}],
    },
}


def test_check_warns_of_what_is_over() -> None:
    checked = policy("check", "-", given=json.dumps(OCCASIONS))
    assert checked.exit_code == 0
    assert "warmups.events[0] ended on 2020-03-06 at 20:00 UTC: only back-tests still use it." in checked.stderr
    assert "warmups.days[0] lies in the past (2020-11-27): only back-tests still use it." in checked.stderr
    assert "events[1]" not in checked.stderr


def make_shop_web(**tags: str) -> None:
    boto3.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")
    boto3.client("lambda").create_function(
        FunctionName="shop-web",
        Runtime="python3.13",
        Role="arn:aws:iam::123456789012:role/r",
        Handler="app.handler",
        Code={"ZipFile": b"x"},
        Tags={"team-optimizer": "yes", **tags},
    )


@pytest.mark.usefixtures("stack")
def test_check_warns_of_patterns_that_fit_no_function() -> None:
    make_shop_web()
    checked = policy("check", "-", "--stack", "s", given=json.dumps(OCCASIONS))
    assert "overrides[0] fits none of the 1 functions that runs check (munich-*)." in checked.stderr
    assert "warmups.events[1] fits none of the 1 functions that runs check (* with team=x)." in checked.stderr
    assert "overrides[1]" not in checked.stderr
    assert "events[0] fits" not in checked.stderr


@pytest.mark.usefixtures("stack")
def test_check_warns_of_overrides_that_contradict_each_other_for_a_function() -> None:
    make_shop_web(team="x")
    entries = [
        {"functions": ["shop-*"], "memory": {"ceiling_mb": 512}},
        {"tags": {"team": "x"}, "memory": {"floor_mb": 1024}},
        {"tags": {"team": "y"}, "memory": {"goal": "balanced"}},
    ]
    tags = {"tags": {"team-optimizer": "yes"}}
    checked = policy(
        "check", "-", "--stack", "s", given=json.dumps({"version": 1, "functions": tags, "overrides": entries})
    )
    assert (
        "overrides contradict each other for shop-web: memory.floor_mb: 1024 is above memory.ceiling_mb, which is 512."
        in checked.stderr
    )
    assert "overrides[2] fits none of the 1 functions that runs check (* with team=y)." in checked.stderr
