"""Write docs/rights.md, which lists the actions of each role of template.yaml, their resources and their reasons.

Run it as `python -m rights_document`. Actions and resources are the template's own words; the reasons are in
rights_reasons.yaml, which must name every action of every role and no other.
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from shipped_template import RESOURCES, ROOT, Permission, of_type, permissions

DOCUMENT = ROOT / "docs" / "rights.md"
REASONS: Mapping[str, Mapping[str, str]] = yaml.safe_load(Path(__file__).with_name("rights_reasons.yaml").read_text())
PURPOSES = {
    "WarmupScheduleRole": "The schedules of warm-ups.",
    "TimetableRole": "The schedules of timetables.",
    "RunScheduleRole": "The schedules of runs.",
    "UseOwnKey": "Every role that reads or writes what the key encrypts; it exists only with `KmsKeyArn`.",
}
_ANYBODY = "anybody"
_FUNCTION, _MACHINE, _ROLE = "AWS::Serverless::Function", "AWS::Serverless::StateMachine", "AWS::IAM::Role"
_OWN_KEY = "UseOwnKey"
_READS = re.compile(r".*:(Get|List|Describe|BatchGet|Query|Filter|StartQuery|StopQuery)")
_ARN = re.compile(r"^arn:\$\{AWS::Partition\}:[\w-]*:\$\{AWS::Region\}:\$\{AWS::AccountId\}:")
_NAMED = re.compile(r"\$\{(?:AWS::)?(\w+)(?:\.Arn)?\}")

_HEAD = """\
# The rights of each role, with reasons

`python -m rights_document` generates this page from `template.yaml`; a test compares the two. Every function and every
state machine has a role of its own. `Table`, `Bucket` and the like are resources of the template, `{TagKey}` and
the like its parameters. All resources are in the stack's own account and region.

In addition, every function has AWS' own policies for its log and its traces (`AWSLambdaBasicExecutionRole`,
`AWSXRayDaemonWriteAccess`), and the state machines have the one for traces. With `VpcSubnetIds`, the functions that
connect to databases and caches may create and delete network interfaces, as every function in a VPC must. Every
function is denied `logs:CreateLogGroup`, so that none makes its log group anew while the stack is deleted.

A test compares these rights with the calls that the local account recorded in all end-to-end tests, in both directions:
every call is listed here, and every right listed here is used by a call, except the few in
`tests/e2e/rights_not_seen.json`, each with its reason.
"""
_REACH = """
## Rights on your own resources
All other rights only read, or write to resources of the application.

| right | role | on |
| --- | --- | --- |
"""
_LOGINS = """
In databases, the two functions that may read the secrets, or log in with IAM, have the rights of the database user:
[indexes.md](indexes.md) lists the minimum. For caches see [cache-ttls.md](cache-ttls.md).
"""
_TABLE = "| right | on | reason |\n| --- | --- | --- |\n"


class NoReason(LookupError):
    """An action is in the template and not in rights_reasons.yaml, or the other way round."""


def document() -> str:
    """Return the content of docs/rights.md."""
    held = _by_role()
    _check_no_unused_reason(held)
    parts = [_HEAD, _REACH, *_foreign_writes(held), _LOGINS]
    for title, kind in (("Functions", _FUNCTION), ("State machines", _MACHINE), ("Schedules", _ROLE)):
        parts.append(f"\n## {title}\n")
        for role in of_type(kind):
            parts.append(f"\n### {_named(role)}\n{_purpose(role)}\n\n{_TABLE}")
            parts += [line for permission in held[role] for line in _lines(role, permission)]
    parts.append(f"\n## Your own key\n{PURPOSES[_OWN_KEY]}\n\n{_TABLE}")
    parts += [line for permission in held[_OWN_KEY] for line in _lines(_OWN_KEY, permission)]
    return "".join(parts)


def _by_role() -> dict[str, list[Permission]]:
    """Return the permissions of each role, whichever resource brings them."""
    held: dict[str, list[Permission]] = {name: [] for kind in (_FUNCTION, _MACHINE, _ROLE) for name in of_type(kind)}
    held[_OWN_KEY] = []
    for permission in permissions():
        for role in _roles(permission.holder):
            held[role].append(permission)
    return held


def _roles(holder: str) -> Iterator[str]:
    kind = RESOURCES[holder]["Type"]
    if kind == "AWS::IAM::Policy":
        yield from (role["!Ref"].removesuffix("Role") for role in RESOURCES[holder]["Properties"]["Roles"])
    elif kind == "AWS::IAM::ManagedPolicy" and holder != _OWN_KEY:
        machines = of_type(_MACHINE).items()
        yield from (name for name, machine in machines if {"!Ref": holder} in machine["Policies"])
    else:
        yield holder


def _lines(role: str, permission: Permission) -> Iterator[str]:
    """Yield a line for all actions of a permission that share a reason."""
    together: dict[str, list[str]] = {}
    for action in permission.actions:
        together.setdefault(REASONS[_reason_key(role, action)][action], []).append(action)
    for reason, actions in together.items():
        yield f"| {_code(actions)} | {_where(permission)} | {reason} |\n"


def _reason_key(role: str, action: str) -> str:
    """Return the name under which the reason is listed: the role's, or that of everybody."""
    for name in (role, _ANYBODY):
        if action in REASONS.get(name, {}):
            return name
    raise NoReason(f"{role} may {action}, and rights_reasons.yaml does not say why")


def _check_no_unused_reason(held: Mapping[str, list[Permission]]) -> None:
    used = {
        (_reason_key(role, action), action)
        for role, found in held.items()
        for permission in found
        for action in permission.actions
    }
    for name, reasons in REASONS.items():
        for action in reasons:
            if (name, action) not in used:
                raise NoReason(f"rights_reasons.yaml says why {name} may {action}, which it may not")


def _foreign_writes(held: Mapping[str, list[Permission]]) -> Iterator[str]:
    """Yield a line for each permission to write to resources outside the application."""
    for role, found in held.items():
        for permission in found:
            actions = [action for action in permission.actions if not _READS.match(action)]
            if actions and not all(_is_own(resource) for resource in permission.resources):
                yield f"| {_code(actions)} | {_named(role)} | {_where(permission)} |\n"


def _is_own(resource: Any) -> bool:
    """Return whether the resource is one of the template, or the stack itself."""
    text = next(iter(resource.values())) if isinstance(resource, dict) else resource
    if isinstance(resource, dict) and "!Sub" not in resource:
        return True
    named = set(re.findall(r"\$\{([\w:]+)", text))
    return bool(named & set(RESOURCES)) or "AWS::StackName" in named


def _where(permission: Permission) -> str:
    places = " ".join(f"`{_place(resource)}`" for resource in permission.resources)
    places = "everything" if places == "`*`" else places
    return f"{places}{_condition(permission.condition)}"


def _place(resource: Any) -> str:
    text = next(iter(resource.values())) if isinstance(resource, dict) else resource
    if isinstance(resource, dict) and "!Sub" not in resource:
        named = str(text).removesuffix(".Arn")
        return named if named in RESOURCES else f"{{{named}}}"
    return _NAMED.sub(lambda found: found[1] if found[1] in RESOURCES else f"{{{found[1]}}}", _ARN.sub("", text))


def _condition(condition: Any) -> str:
    if condition is None:
        return ""
    conditions = []
    for names in condition.values():
        for name, wanted in names.items():
            values = wanted if isinstance(wanted, list) else [wanted]
            conditions.append(f"`{_place(name)}` = `{' or '.join(_place(value) for value in values)}`")
    return f", only where {' and '.join(conditions)}"


def _code(actions: list[str]) -> str:
    """Return the actions in backticks, with the service at the first only: `lambda:GetAlias`, `ListTags`."""
    service = actions[0].partition(":")[0]
    short = [action.removeprefix(f"{service}:") for action in actions[1:]]
    return ", ".join(f"`{name}`" for name in [actions[0], *short])


def _named(role: str) -> str:
    own = RESOURCES[role]["Properties"]
    if "CodeUri" in own:
        return Path(own["CodeUri"]).name
    return Path(own["DefinitionUri"]).name.partition(".")[0] if "DefinitionUri" in own else role


def _purpose(role: str) -> str:
    """Return the first sentence of the code's own description."""
    own = RESOURCES[role]["Properties"]
    if "CodeUri" in own:
        text = ast.get_docstring(ast.parse((ROOT / own["CodeUri"] / "app.py").read_text())) or ""
        text = " ".join(text.partition("\n\n")[0].split())
        text = text.removeprefix(f"{role}: ")
        return f"{text[0].upper()}{text[1:]}"
    if "DefinitionUri" in own:
        return str(json.loads((ROOT / own["DefinitionUri"]).read_text())["Comment"])
    return PURPOSES[role]


if __name__ == "__main__":
    DOCUMENT.write_text(document())
