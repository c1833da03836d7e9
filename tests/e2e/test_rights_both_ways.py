"""Compare the rights of each Lambda with its actions in all end-to-end tests: none is missing, none unused.

Two processes run the end-to-end tests, each with an account of its own, and record what was done there; a process that
runs all of them records twice. Rights that cannot be seen in use, because that takes an accident or a place that the
local account does not have, are in rights_not_seen.json, each with its reason and the test that uses it outside a
deployment; `implied` there are rights that no call of their own asks for.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from botocore import xform_name

from tests.helpers.e2e.actions_taken import calls_in_source
from tests.helpers.e2e.records import HALVES, RAN, Record, Records

pytestmark = [pytest.mark.e2e, pytest.mark.looks_back, pytest.mark.timeout(3700)]

FOLDER = Path(__file__).parent
FUNCTIONS = sorted(path.parent.name for path in (FOLDER.parents[1] / "functions").glob("*/app.py"))
NOT_SEEN: dict[str, dict[str, str]] = json.loads((FOLDER / "rights_not_seen.json").read_text())
IMPLIED = NOT_SEEN["implied"]
# The first two deploy accounts of their own; the third deletes what the records are made of.
ELSEWHERE = {"test_demo.py", "test_upgrade.py", "test_stack_deleted.py", Path(__file__).name}
# IAM and the API name some actions differently.
OPERATIONS = {"lambda:InvokeFunction": "Invoke", "s3:ListBucket": "ListObjectsV2"}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Records:
    return Records.of_session(tmp_path_factory)


@pytest.mark.parametrize("half", HALVES, ids=HALVES)
def test_actions_of_each_half_are_recorded(
    deployed: Any, records: Records, pytestconfig: pytest.Config, half: str
) -> None:
    """The last test of each half, but for the one that deletes the stack."""
    record = records.write(half, pytestconfig.stash[RAN] - ELSEWHERE, deployed.account, FUNCTIONS)
    assert {name for name in FUNCTIONS if record.done[name] - record.allowed[name]} == set()


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest, records: Records) -> list[Record]:
    """Return the records of both halves, in which every file of the end-to-end tests has run."""
    all_files = {path.name for path in FOLDER.glob("test_*.py")} - ELSEWHERE
    not_asked = sorted(all_files - {Path(item.path).name for item in request.session.items})
    if not_asked:
        say = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        say(f"looks back on all end-to-end tests, and these were not asked for: {', '.join(not_asked)}")
    found = records.all()
    assert sorted(all_files.difference(*(record.files for record in found))) == [], "no test of these files was run"
    return found


@pytest.fixture(scope="module")
def done(recorded: list[Record]) -> dict[str, set[str]]:
    """Return the actions of each Lambda in all end-to-end tests."""
    return {function: set().union(*(record.done[function] for record in recorded)) for function in FUNCTIONS}


@pytest.fixture(scope="module")
def rights(recorded: list[Record]) -> dict[str, set[str]]:
    """Return the actions that the policies of each Lambda allow, the same ones in both accounts."""
    first, *others = (record.allowed for record in recorded)
    assert all(other == first for other in others)
    return {function: set(allowed) for function, allowed in first.items()}


def unused(rights: set[str], taken_actions: set[str], function: str) -> set[str]:
    """Return the rights that were not used, and for which the list gives no reason."""
    return rights - taken_actions - set(IMPLIED) - set(NOT_SEEN.get(function, {}))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_do_only_what_their_policies_name(
    rights: dict[str, set[str]], done: dict[str, set[str]], function: str
) -> None:
    assert done[function] - rights[function] == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_right_of_a_function_is_used_or_listed(
    rights: dict[str, set[str]], done: dict[str, set[str]], function: str
) -> None:
    """A right that no test used is listed with its reason."""
    assert unused(rights[function], done[function], function) == set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_unused_and_missing_rights_are_found(
    rights: dict[str, set[str]], done: dict[str, set[str]], function: str
) -> None:
    assert unused(rights[function] | {"s3:DeleteObject"}, done[function], function) == {"s3:DeleteObject"}
    for action in done[function]:
        assert done[function] - (rights[function] - {action}) == {action}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_rights_listed_as_not_seen_are_called_in_the_code(function: str) -> None:
    """A right that is listed as not seen has a reason, a test of its own, and a call in the source of the function."""
    called = calls_in_source(function)
    for action, reason in NOT_SEEN.get(function, {}).items():
        method = xform_name(OPERATIONS.get(action, action.partition(":")[2]))
        assert method in called, f"{function} never calls {method}; what needs {action}?"
        path, _, test = reason.rpartition("; ")[2].partition("::")
        assert f"def {test}" in (FOLDER.parents[1] / path).read_text(), f"{action} of {function}: no test {reason}"


def test_list_names_only_existing_functions_and_rights(rights: dict[str, set[str]]) -> None:
    assert set(NOT_SEEN) - {"implied"} <= set(FUNCTIONS)
    assert set(IMPLIED) <= set().union(*rights.values())
    for function in set(NOT_SEEN) - {"implied"}:
        assert set(NOT_SEEN[function]) <= rights[function]
