"""Decide conditions of templates as CloudFormation does.

MiniStack 1.5.33 compares the names of pseudo parameters instead of their values, and text that Fn::Join makes with
nothing: a condition on AWS::Region never holds, and one on an empty list always does.
"""

from collections.abc import Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services.cloudformation import changesets, engine, handlers, stacks

type Values = Mapping[str, Mapping[str, Any]]


def patch() -> None:
    """Replace how the emulator decides conditions, in every module that does."""
    decide = engine._evaluate_conditions

    def evaluate_conditions(template: dict[str, Any], values: Values) -> Any:
        known = {**values, **_pseudo_parameters()}
        conditions = {name: _joined(test, known) for name, test in (template.get("Conditions") or {}).items()}
        return decide({**template, "Conditions": conditions}, known)

    for module in (changesets, engine, handlers, stacks):
        module._evaluate_conditions = evaluate_conditions


def _pseudo_parameters() -> Values:
    values = {"Region": get_region(), "AccountId": get_account_id(), "Partition": "aws"}
    return {f"AWS::{name}": {"Value": value} for name, value in values.items()}


def _joined(part: Any, values: Values) -> Any:
    """Return the condition with the text that each Fn::Join makes in its place."""
    if isinstance(part, list):
        return [_joined(one, values) for one in part]
    if not isinstance(part, dict):
        return part
    if "Fn::Join" in part:
        separator, items = part["Fn::Join"]
        # A list is one text where it is the value of a parameter.
        texts = _text(items, values).split(",") if isinstance(items, dict) else [_text(one, values) for one in items]
        return separator.join(texts)
    return {key: _joined(value, values) for key, value in part.items()}


def _text(value: Any, values: Values) -> str:
    if not isinstance(value, dict) or "Ref" not in value:
        return str(value)
    found = values[value["Ref"]]["Value"]
    return ",".join(found) if isinstance(found, list) else str(found)
