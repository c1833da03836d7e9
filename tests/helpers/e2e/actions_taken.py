"""Compare the rights of each Lambda in IAM with its actions that the local account recorded, in IAM's words."""

import ast
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local_account.account import ROOT, LocalAccount

from tests.helpers.e2e.recorded_calls import access_key, configuration, events_since

_SERVICES = {"monitoring": "cloudwatch", "tagging": "tag"}
_ACTIONS = {
    "lambda:Invoke": "lambda:InvokeFunction",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
}
# The rights that a transaction needs depend on its items.
_IN_TRANSACTIONS = {
    "Put": "dynamodb:PutItem",
    "Update": "dynamodb:UpdateItem",
    "Delete": "dynamodb:DeleteItem",
    "ConditionCheck": "dynamodb:ConditionCheckItem",
    "Get": "dynamodb:GetItem",
}


def allowed(account: LocalAccount, function: str) -> set[str]:
    """Return the actions that the function's own policies allow, without those of AWS' managed policies."""
    iam = account.session.client("iam")
    role = configuration(account, function)["Role"].rpartition("/")[2]
    found: set[str] = set()
    for page in iam.get_paginator("list_role_policies").paginate(RoleName=role):
        for name in page["PolicyNames"]:
            document: Any = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
            for statement in (s for s in document["Statement"] if s["Effect"] == "Allow"):
                actions = statement["Action"]
                found.update([actions] if isinstance(actions, str) else actions)
    return found


def taken(account: LocalAccount, functions: list[str]) -> dict[str, set[str]]:
    """Return the actions that each function took since the account was made."""
    keys = {access_key(account, function): function for function in functions}
    found: dict[str, set[str]] = {function: set() for function in functions}
    for event in events_since(account, datetime.fromtimestamp(0, UTC)):
        if event["AccessKeyId"] in keys:
            found[keys[event["AccessKeyId"]]].update(_of_event(event))
    for made in account.stand_in_calls():
        if made["access_key"] in keys:
            found[keys[made["access_key"]]].add(_action(made["service"], made["operation"]))
    return found


def calls_in_source(function: str) -> set[str]:
    """Return the names of all methods and functions that the handler, or the library code it imports, calls."""
    seen: set[Path] = set()
    names: set[str] = set()
    waiting = [ROOT / "functions" / function / "app.py"]
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            waiting += _imported(node)
            if isinstance(node, ast.Call):
                # Paginators, and code that gets a method by its name, mention the operation as text.
                names.update(a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str))
            if isinstance(node, ast.Attribute):
                names.add(node.attr)
    return names


def _imported(node: ast.AST) -> Iterator[Path]:
    modules: list[str] = []
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module:
        modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    for module in modules:
        path = ROOT / "layer" / Path(*module.split("."))
        yield from (found for found in (path.with_suffix(".py"), path / "__init__.py") if found.exists())
    if isinstance(node, ast.ImportFrom) and node.module:
        yield from _through_the_door(ROOT / "layer" / Path(*node.module.split(".")), {a.name for a in node.names})


def _through_the_door(room: Path, names: set[str]) -> Iterator[Path]:
    """Yield the modules that the door of a room takes the names from; the stub beside the door lists them."""
    stub = room / "__init__.pyi"
    if not stub.exists():
        return
    for exported in ast.parse(stub.read_text()).body:
        if isinstance(exported, ast.ImportFrom) and exported.module and names & {a.name for a in exported.names}:
            yield ROOT / "layer" / Path(*exported.module.split(".")).with_suffix(".py")


def _of_event(event: Mapping[str, Any]) -> Iterator[str]:
    parameters = json.loads(event["CloudTrailEvent"])["requestParameters"]
    operation = event["EventName"]
    if operation.startswith("Transact"):
        yield from {_IN_TRANSACTIONS[kind] for item in parameters["TransactItems"] for kind in item}
        return
    named = parameters.get("Action") if operation.startswith("POST.") else None
    yield _action(event["EventSource"].removesuffix(".amazonaws.com"), named or operation)


def _action(service: str, operation: str) -> str:
    action = f"{_SERVICES.get(service, service)}:{operation}"
    return _ACTIONS.get(action, action)
