"""An upgrade keeps every resource that something still in progress, or a person, refers to.

CloudFormation replaces a resource when its logical id, its type or one of these properties changes: open links, running
executions, schedules and subscriptions of version 0.1.0 would then lead nowhere.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from shipped_template import RESOURCES, TEMPLATE

BEFORE: dict[str, Any] = json.loads((Path(__file__).parent / "v0_1_0" / "resources.json").read_text())


@pytest.mark.parametrize("logical_id", sorted(BEFORE["resources"]))
def test_a_resource_is_the_same_after_an_upgrade(logical_id: str) -> None:
    before = BEFORE["resources"][logical_id]
    now = RESOURCES[logical_id]
    assert now["Type"] == before["Type"]
    properties = now.get("Properties", {})
    assert {name: properties.get(name) for name in before["identity"]} == before["identity"]


@pytest.mark.parametrize("function", BEFORE["function_urls"])
def test_a_page_keeps_its_address(function: str) -> None:
    """SAM derives the logical id of the URL from that of the function; the URL may be a resource of its own now."""
    assert "FunctionUrlConfig" in RESOURCES[function]["Properties"] or (
        RESOURCES[f"{function}Url"]["Type"] == "AWS::Lambda::Url"
    )


def test_outputs_of_earlier_versions_stay() -> None:
    assert set(BEFORE["outputs"]) <= TEMPLATE["Outputs"].keys()


def test_no_parameter_of_the_people_disappears_without_a_word() -> None:
    page = (Path(__file__).parents[3] / "docs" / "upgrade.md").read_text()
    gone = set(BEFORE["parameters"]) - TEMPLATE["Parameters"].keys()
    assert [name for name in gone if f"`{name}`" not in page] == []
