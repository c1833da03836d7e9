"""Environments of Python functions that are forked are as separate as those that are started."""

import json
from pathlib import Path
from typing import Any

import pytest
from local_account.account import LocalAccount

from tests.helpers.small_stacks import make_role, may, package

pytestmark = pytest.mark.starts_servers

ASKED = """
import os, sys
import boto3
seen = []
def handler(event, context):
    seen.append(event)
    if event == "end":
        os._exit(1)
    return {
        "calls": len(seen),
        "process": os.getpid(),
        "parent": os.getppid(),
        "variables": dict(os.environ),
        "folder": os.getcwd(),
        "path": sys.path,
        "script": sys.argv[0],
        "boto3": boto3.__file__,
        "emulator": sorted({"forked", "stacks", "ministack", "app"} & set(sys.modules)),
        "own": sys.modules["app"].__file__,
        "descriptors": len(os.listdir("/proc/self/fd")),
    }
"""


def make(account: LocalAccount, name: str, code: bytes, **more: Any) -> Any:
    client = account.session.client("lambda")
    role = make_role(account, "forked", may("logs:*"))
    client.create_function(
        FunctionName=name, Role=role, Runtime="python3.13", Handler="app.handler", Code={"ZipFile": code}, **more
    )
    return client


def asked(account: LocalAccount, name: str, event: Any = None) -> Any:
    """Call a function; return its response."""
    answer = account.session.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    document = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, document
    return document


def test_each_function_has_its_own_process_variables_and_folder(empty: LocalAccount) -> None:
    for name in ("red", "blue"):
        make(empty, name, package(ASKED), Environment={"Variables": {"COLOUR": name, f"ONLY_{name.upper()}": "1"}})
    red, blue = asked(empty, "red"), asked(empty, "blue")
    assert (red["calls"], blue["calls"]) == (1, 1)
    assert red["process"] != blue["process"]
    assert red["parent"] == blue["parent"]
    for own, other, name in ((red, "ONLY_BLUE", "red"), (blue, "ONLY_RED", "blue")):
        assert own["variables"]["COLOUR"] == own["variables"]["AWS_LAMBDA_FUNCTION_NAME"] == name
        assert other not in own["variables"]
        assert f"ministack-lambda-{name}-" in own["own"]
        assert str(Path(own["own"]).parent) in own["path"]
        assert own["script"].endswith("_worker.py")
        assert own["emulator"] == ["app"]
        assert not [folder for folder in own["path"] if folder.endswith("local/emulator")]
        assert own["descriptors"] <= 5, "standard streams, and that of the listing"
    assert asked(empty, "red")["calls"] == 2, "an environment is used again"


def test_a_changed_function_gets_a_new_environment(empty: LocalAccount) -> None:
    client = make(empty, "green", package(ASKED))
    before = asked(empty, "green")
    client.update_function_configuration(FunctionName="green", Environment={"Variables": {"COLOUR": "green"}})
    after = asked(empty, "green")
    assert (after["calls"], after["variables"]["COLOUR"]) == (1, "green")
    assert after["process"] != before["process"]


def test_an_environment_that_ends_is_replaced(empty: LocalAccount) -> None:
    client = make(empty, "grey", package(ASKED))
    before = asked(empty, "grey")
    assert "FunctionError" in client.invoke(FunctionName="grey", Payload=json.dumps("end"))
    after = asked(empty, "grey")
    assert after["calls"] == 1
    assert after["process"] != before["process"]


def test_a_package_with_a_module_of_the_sdk_uses_its_own(empty: LocalAccount) -> None:
    make(empty, "plain", package(ASKED))
    make(empty, "own-sdk", package(ASKED, **{"boto3.py": b""}))
    plain, own = asked(empty, "plain"), asked(empty, "own-sdk")
    assert plain["boto3"].endswith("site-packages/boto3/__init__.py")
    assert own["boto3"] == own["own"].replace("app.py", "boto3.py")
    assert own["parent"] != plain["parent"]


def test_a_layer_comes_before_the_sdk(empty: LocalAccount) -> None:
    client = empty.session.client("lambda")
    found = {}
    for name, files in (("more", {"python/more.py": b""}), ("instead", {"python/boto3.py": b""})):
        layer = client.publish_layer_version(LayerName=name, Content={"ZipFile": package(ASKED, **files)})
        make(empty, f"with-{name}", package(ASKED), Layers=[layer["LayerVersionArn"]])
        found[name] = asked(empty, f"with-{name}")
    assert found["more"]["boto3"].endswith("site-packages/boto3/__init__.py")
    assert found["instead"]["boto3"].endswith("layer_0/python/boto3.py")
