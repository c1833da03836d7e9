"""Prepare the built template for `sam local`, with the variables that CloudFormation would have filled in."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from local_account.account import REGION, ROOT
from local_account.deploy import LOCAL_ARCHITECTURE, SAM, build_lock, template_for

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

BUILT = ROOT / ".aws-sam" / "sam-local"
_FUNCTION = "AWS::Serverless::Function"


class CannotBuild(RuntimeError):
    """`sam build` failed; the message is the last line of its output."""


def build() -> dict[str, str]:
    """Build all packages for this machine; return the logical id of each function, by the name of its folder."""
    command = [str(SAM), "build", "--build-dir", str(BUILT), "--cached", "--parallel"]
    environment = {**os.environ, "SAM_CLI_TELEMETRY": "0", "AWS_DEFAULT_REGION": REGION}
    with build_lock():
        command += ["--template-file", str(template_for(LOCAL_ARCHITECTURE))]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotBuild(f"sam build failed: {(done.stdout + done.stderr).strip().splitlines()[-1]}")
    return functions(_read(BUILT / "template.yaml"))


def functions(template: Mapping[str, Any]) -> dict[str, str]:
    """Return the logical id of each function, by the last part of its name."""
    found = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == _FUNCTION}
    return {str(own["FunctionName"]["Fn::Sub"]).rpartition("-")[2]: name for name, own in found.items()}


def with_endpoints(endpoints: Mapping[str, str]) -> Path:
    """Return a copy of the built template whose functions declare these variables too.

    `sam local` hands over only declared variables.
    """
    template = _read(BUILT / "template.yaml")
    template["Globals"]["Function"]["Environment"]["Variables"].update(endpoints)
    path = BUILT / "with-endpoints.yaml"
    path.write_text(yaml.safe_dump(template, sort_keys=False))
    return path


def variables(lambda_: "LambdaClient", stack: str, by_name: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the variables of each function of a deployed stack, by logical id, for `sam local invoke --env-vars`."""
    found = {}
    for name, logical_id in by_name.items():
        own = lambda_.get_function_configuration(FunctionName=f"{stack}-{name}")
        found[logical_id] = own.get("Environment", {}).get("Variables", {})
    return found


def write(path: Path, document: object) -> Path:
    """Write a document as JSON; return its path."""
    path.write_text(json.dumps(document, indent=2))
    return path


def _read(path: Path) -> dict[str, Any]:
    template: dict[str, Any] = yaml.safe_load(path.read_text())
    return template
