"""Compare the rights of each Lambda with its actions in all end-to-end tests: none is missing, none unused.

Rights that cannot be seen in use, because that takes an accident or a place that the local account does not have, are
in rights_not_seen.json, each with its reason and the test that uses it outside a deployment; `implied` there are rights
that no call of their own asks for.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.helpers.e2e.actions_taken import allowed, calls_in_source, taken

pytestmark = [pytest.mark.e2e, pytest.mark.looks_back, pytest.mark.timeout(300)]

FOLDER = Path(__file__).parent
FUNCTIONS = sorted(path.parent.name for path in (FOLDER.parents[1] / "functions").glob("*/app.py"))
NOT_SEEN: dict[str, dict[str, str]] = json.loads((FOLDER / "rights_not_seen.json").read_text())
IMPLIED = NOT_SEEN["implied"]
# It deploys an account of its own, and has a make target of its own.
ELSEWHERE = {"test_upgrade.py"}
# IAM and the API name some actions differently.
OPERATIONS = {"lambda:InvokeFunction": "Invoke", "s3:ListBucket": "ListObjectsV2"}


@pytest.fixture(scope="module")
def done(request: pytest.FixtureRequest, deployed: Any) -> dict[str, set[str]]:
    """Return the actions of each Lambda in all end-to-end tests of this session."""
    ran = {Path(item.path).name for item in request.session.items}
    missing = sorted({path.name for path in FOLDER.glob("test_*.py")} - ran - ELSEWHERE)
    if missing:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"looks back on all end-to-end tests, and these were not asked for: {', '.join(missing)}")
    return taken(deployed.account, FUNCTIONS)


def unused(rights: set[str], taken_actions: set[str], function: str) -> set[str]:
    """Return the rights that were not used, and for which the list gives no reason."""
    return rights - taken_actions - set(IMPLIED) - set(NOT_SEEN.get(function, {}))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_do_only_what_their_policies_name(deployed: Any, done: dict[str, set[str]], function: str) -> None:
    assert done[function] - allowed(deployed.account, function) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_right_of_a_function_is_used_or_listed(deployed: Any, done: dict[str, set[str]], function: str) -> None:
    """A right that no test used is listed with its reason."""
    assert unused(allowed(deployed.account, function), done[function], function) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_unused_and_missing_rights_are_found(deployed: Any, done: dict[str, set[str]], function: str) -> None:
    rights = allowed(deployed.account, function)
    assert unused(rights | {"s3:DeleteObject"}, done[function], function) == {"s3:DeleteObject"}
    for action in done[function]:
        assert done[function] - (rights - {action}) == {action}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rights_listed_as_not_seen_are_called_in_the_code(function: str) -> None:
    """A right that is listed as not seen has a reason, a test of its own, and a call in the source of the function."""
    called = calls_in_source(function)
    for action, reason in NOT_SEEN.get(function, {}).items():
        method = xform_name(OPERATIONS.get(action, action.partition(":")[2]))
        assert method in called, f"{function} never calls {method}; what needs {action}?"
        path, _, test = reason.rpartition("; ")[2].partition("::")
        assert f"def {test}" in (FOLDER.parents[1] / path).read_text(), f"{action} of {function}: no test {reason}"


def test_list_names_only_existing_functions_and_rights(deployed: Any) -> None:
    assert set(NOT_SEEN) - {"implied"} <= set(FUNCTIONS)
    rights = {function: allowed(deployed.account, function) for function in FUNCTIONS}
    assert set(IMPLIED) <= set().union(*rights.values())
    for function in set(NOT_SEEN) - {"implied"}:
        assert set(NOT_SEEN[function]) <= rights[function]
