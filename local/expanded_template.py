"""Expand template.yaml as CloudFormation would, and check the result with cfn-lint for every commercial Region.

`.build/sam/bin/python local/expanded_template.py` needs no account and no network. It checks the stack with the default
parameters and with `PublicPages=none`: for each, the resources that remain once all conditions are decided. Tests call
`expanded` and `decided`, which run on any interpreter.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TEMPLATE = ROOT / "template.yaml"
PYTHON = ROOT / ".build" / "sam" / "bin" / "python"
REGION = "eu-central-1"
VARIANTS: tuple[Mapping[str, str], ...] = ({}, {"PublicPages": "none"})
_NO_VALUE = {"Ref": "AWS::NoValue"}
_CODE = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
_MANAGED = {
    "AWSLambdaBasicExecutionRole": "service-role/AWSLambdaBasicExecutionRole",
    "AWSLambdaVPCAccessExecutionRole": "service-role/AWSLambdaVPCAccessExecutionRole",
    "AWSXRayDaemonWriteAccess": "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess": "AWSXrayWriteOnlyAccess",
}


class CannotExpand(RuntimeError):
    """The SAM CLI's interpreter failed; the message is the end of its output."""


def expanded() -> dict[str, Any]:
    """Return the template that the SAM transform makes of template.yaml; raise CannotExpand."""
    kept = _kept("expanded")
    if not kept.exists():
        done = subprocess.run(
            [str(PYTHON), __file__, "--print"], capture_output=True, text=True, check=False, timeout=120
        )
        if done.returncode:
            raise CannotExpand(done.stderr[-1000:])
        kept.parent.mkdir(exist_ok=True)
        own = kept.with_suffix(f".{os.getpid()}")
        own.write_text(done.stdout)
        own.replace(kept)
    template: dict[str, Any] = json.loads(kept.read_text())
    return template


def _kept(what: str) -> Path:
    """Return the path of something that is made of the template, this program and the tools alone."""
    made_of = (TEMPLATE, Path(__file__), ROOT / "requirements" / "sam.lock")
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in made_of)).hexdigest()
    return ROOT / ".aws-sam" / f"{what}-{digest[:16]}.json"


def decided(template: Mapping[str, Any], region: str, parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the template without conditions: with what CloudFormation makes there, given these parameters."""
    values = {name: own.get("Default", "") for name, own in template["Parameters"].items()}
    values |= {"AWS::Region": region, **parameters}
    holds = {name: _holds(test, template["Conditions"], values) for name, test in template["Conditions"].items()}
    left = {name: part for name, part in template.items() if name != "Conditions"}
    for section in ("Resources", "Outputs"):
        left[section] = {
            name: _without_conditions({key: part for key, part in own.items() if key != "Condition"}, holds)
            for name, own in template[section].items()
            if "Condition" not in own or holds[own["Condition"]]
        }
    return left


def _holds(test: Any, conditions: Mapping[str, Any], values: Mapping[str, Any]) -> bool:
    ((function, given),) = test.items()
    match function:
        case "Condition":
            return _holds(conditions[given], conditions, values)
        case "Fn::Not":
            return not _holds(given[0], conditions, values)
        case "Fn::And":
            return all(_holds(one, conditions, values) for one in given)
        case "Fn::Or":
            return any(_holds(one, conditions, values) for one in given)
        case "Fn::Equals":
            first, second = (_text(one, values) for one in given)
            return first == second
        case other:
            raise ValueError(f"{other} cannot be decided")


def _text(value: Any, values: Mapping[str, Any]) -> str:
    match value:
        case {"Ref": name}:
            return str(values[name])
        case {"Fn::Join": [separator, {"Ref": name}]}:
            return str(separator).join(str(values[name]).split(","))
        case _:
            return str(value)


def _without_conditions(part: Any, holds: Mapping[str, bool]) -> Any:
    match part:
        case {"Fn::If": [condition, first, second]}:
            return _without_conditions(first if holds[condition] else second, holds)
        case dict():
            found = {key: _without_conditions(value, holds) for key, value in part.items()}
            return {key: value for key, value in found.items() if value != _NO_VALUE}
        case list():
            return [one for one in (_without_conditions(value, holds) for value in part) if one != _NO_VALUE]
        case _:
            return part


def _expand() -> dict[str, Any]:
    os.environ["AWS_DEFAULT_REGION"] = REGION
    import boto3
    from samtranslator.parser.parser import Parser  # type: ignore[import-not-found]
    from samtranslator.translator.translator import Translator  # type: ignore[import-not-found]
    from samtranslator.yaml_helper import yaml_parse  # type: ignore[import-not-found]

    template = yaml_parse(TEMPLATE.read_text())
    for resource in template["Resources"].values():
        if resource["Type"] in _CODE:
            # The transform takes only packaged code; its place does not matter here.
            resource["Properties"][_CODE[resource["Type"]]] = "s3://bucket/key"
    managed = {name: f"arn:aws:iam::aws:policy/{path}" for name, path in _MANAGED.items()}
    session = boto3.session.Session(region_name=REGION)
    made: dict[str, Any] = Translator(managed, Parser(), boto_session=session).translate(template, parameter_values={})
    # The translator changes what it reads, and keeps numbers and text of a kind of its own.
    return dict(json.loads(json.dumps(made, default=str)))


def _lint() -> int:
    from cfnlint.helpers import REGIONS  # type: ignore[import-not-found]

    if (done := _kept("linted")).exists():
        print(f"The expanded template is as it was when {done.name} was written: no errors.")
        return 0
    template = _expand()
    # Regions that get the same resources are checked together.
    together: dict[str, list[str]] = {}
    for parameters in VARIANTS:
        for region in sorted(REGIONS):
            together.setdefault(json.dumps(decided(template, region, parameters)), []).append(region)
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        checks = [_start(Path(folder) / f"{n}.json", text, set(at)) for n, (text, at) in enumerate(together.items())]
        for process in checks:
            said, _ = process.communicate()
            found += process.returncode
            print(said, end="")
    if not found:
        done.parent.mkdir(exist_ok=True)
        done.write_text("{}")
        print(f"The expanded template has no errors in {len(REGIONS)} Regions, with and without public pages.")
    return 1 if found else 0


def _start(path: Path, text: str, regions: Iterable[str]) -> "subprocess.Popen[str]":
    path.write_text(text)
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--template", str(path), "--format", "parseable"]
    # Conditions are decided, so parameters that only they used are used no more.
    command += ["--ignore-checks", "W2001", "--regions", *sorted(regions)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        json.dump(_expand(), sys.stdout)
    else:
        sys.exit(_lint())
