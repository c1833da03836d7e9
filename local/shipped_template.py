"""Read template.yaml as plain data (`!Ref x` becomes `{"!Ref": x}`), and the permissions that it grants."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]


class Loader(yaml.SafeLoader):
    """A YAML loader that reads `!Ref x` and the like as `{"!Ref": x}`."""


def _intrinsic(loader: Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        return {f"!{tag}": loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {f"!{tag}": loader.construct_sequence(node, deep=True)}
    return {f"!{tag}": loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", _intrinsic)
TEMPLATE: dict[str, Any] = yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506 - a SafeLoader
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def of_type(kind: str) -> dict[str, Any]:
    """Return the properties of the resources of a type, by logical id."""
    return {name: resource["Properties"] for name, resource in RESOURCES.items() if resource["Type"] == kind}


@dataclass(frozen=True, slots=True)
class Permission:
    """A statement that allows something; `holder` is the logical id of the resource that brings it."""

    holder: str
    actions: tuple[str, ...]
    resources: tuple[Any, ...]
    condition: Any


def permissions() -> list[Permission]:
    """Return every permission that the roles of the application have with any parameters."""
    return [_permission(holder, one) for holder, one in statements() if one["Effect"] == "Allow"]


def statements() -> list[tuple[str, dict[str, Any]]]:
    """Return the holder and the content of every statement of a role's policies, also of those with a condition."""
    found: list[tuple[str, Any]] = []
    for kind in ("AWS::Serverless::Function", "AWS::Serverless::StateMachine"):
        for name, own in of_type(kind).items():
            policies = [policy for policy in own.get("Policies", []) if "Statement" in policy]
            found += [(name, statement) for policy in policies for statement in policy["Statement"]]
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        for name, own in of_type(kind).items():
            found += [(name, statement) for statement in _statements(own["PolicyDocument"])]
    for name, own in of_type("AWS::IAM::Role").items():
        documents = [policy["PolicyDocument"] for policy in own["Policies"]]
        found += [(name, statement) for document in documents for statement in _statements(document)]
    return [(holder, branch) for holder, statement in found for branch in branches(statement)]


def branches(value: Any) -> Iterator[Any]:
    """Yield each value that a condition leads to, or the value itself where no condition decides."""
    decided = value.get("!If", value.get("Fn::If")) if isinstance(value, dict) else None
    if decided is None:
        if value != {"!Ref": "AWS::NoValue"}:
            yield value
        return
    for branch in decided[1:]:
        yield from branches(branch)


def _statements(document: Any) -> Iterator[dict[str, Any]]:
    # A document is text where the key of a condition holds a parameter.
    yield from (json.loads(document["!Sub"]) if "!Sub" in document else document)["Statement"]


def _permission(holder: str, statement: dict[str, Any]) -> Permission:
    resources = tuple(branch for resource in _listed(statement["Resource"]) for branch in branches(resource))
    return Permission(holder, _listed(statement["Action"]), resources, statement.get("Condition"))


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list) else (value,)
