"""Every line of docs/security.md names a test, and every test that it names exists."""

import ast
import re

from tests.helpers.documents import ROOT

TEXT = (ROOT / "docs" / "security.md").read_text()
# Rows of the first table, which lists no attempts.
ASSETS = 6
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", TEXT)


def test_tests_of_the_threat_model_exist() -> None:
    assert len(NAMED) > 30
    assert [f"{file}::{name}" for file, name in NAMED if name not in names_in(file)] == []


def test_every_line_of_the_threat_model_names_a_test() -> None:
    heads = ("| what stops it |", "| where it is |", "| --- |")
    rows = [line for line in TEXT.splitlines() if line.startswith("| ") and line.count(" | ") == 2]
    attempts = [row for row in rows if not any(head in row for head in heads)][ASSETS:]
    assert len(attempts) > 25
    assert [row for row in attempts if "::test_" not in row] == []


def names_in(file: str) -> set[str]:
    """Return the names of the functions of a file of tests; none if it does not exist."""
    path = ROOT / file
    body = ast.parse(path.read_text()).body if path.exists() else []
    return {one.name for one in body if isinstance(one, ast.FunctionDef)}
