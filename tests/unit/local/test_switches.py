"""Each switch of the local account is described, and each of its settings is run."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from local_account.account import ROOT
from local_account.switches import STRICTEST, Switches, SwitchFile, UnknownSwitch

from tests.helpers.strict_matrix import MATRIX


def test_every_switch_is_in_the_guide() -> None:
    """docs/development.md lists each switch with its test."""
    guide = (ROOT / "docs" / "development.md").read_text()
    assert [one.name for one in fields(Switches) if f"`{one.name}" not in guide] == []


def test_every_setting_of_a_switch_is_run_end_to_end() -> None:
    """The ordinary suite has the strictest settings; `make test-strict` has the others."""
    settings = {name for row in MATRIX for name in row.switches}
    assert {one.name for one in fields(Switches)} <= settings
    assert all((ROOT / path).exists() for row in MATRIX for path in row.files)


def test_switches_are_read_again_when_they_change(tmp_path: Path) -> None:
    writer, reader = SwitchFile(tmp_path / "switches.json"), SwitchFile(tmp_path / "switches.json")
    writer.write(Switches())
    assert reader.read() == Switches()
    writer.write(STRICTEST)
    assert reader.read() == STRICTEST


def test_unknown_switch_is_an_error() -> None:
    with pytest.raises(UnknownSwitch, match="function_url"):
        Switches.from_json(json.dumps({"function_url": False}))
