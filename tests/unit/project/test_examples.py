"""The example policies are valid, and as cautious as their README says."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from optimizer.policy import read_policy
from optimizer.policy.model import Mode, Policy
from optimizer_cli.main import main
from shipped_template import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.json"))


def policy(name: str) -> Policy:
    return read_policy((ROOT / "examples" / f"{name}.json").read_bytes())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_passes_policy_check(path: Path) -> None:
    done = CliRunner().invoke(main, ["policy", "check", str(path)])
    assert (done.exit_code, done.stdout) == (0, f"{path}: the policy is valid.\n")


def test_the_readme_names_every_example() -> None:
    text = (ROOT / "examples" / "README.md").read_text()
    assert [path.stem for path in EXAMPLES] == ["careful", "fleet", "pilot"]
    assert all(f"[{path.name}]({path.name})" in text for path in EXAMPLES)


def test_the_pilot_applies_nothing() -> None:
    pilot = policy("pilot")
    tuners = (pilot.warmups, pilot.memory, pilot.provisioned_concurrency, pilot.indexes, pilot.cache_ttls)
    assert {tuner.mode or pilot.mode for tuner in tuners} == {Mode.RECOMMEND}
    assert pilot.functions.include != ("*",)


def test_the_careful_policy_asks_before_every_change() -> None:
    careful = policy("careful")
    tuners = (careful.warmups, careful.memory, careful.provisioned_concurrency, careful.indexes, careful.cache_ttls)
    assert {tuner.mode or careful.mode for tuner in tuners} == {Mode.APPROVE}
    assert careful.run.freezes
    assert careful.run.windows
    assert careful.approvals.needed == 2


def test_the_fleet_acts_alone_only_within_budgets() -> None:
    fleet = policy("fleet")
    assert fleet.mode is Mode.APPROVE
    alone = (fleet.warmups, fleet.memory, fleet.provisioned_concurrency)
    assert {tuner.mode for tuner in alone} == {Mode.AUTO}
    assert {fleet.indexes.mode, fleet.cache_ttls.mode} == {Mode.APPROVE}
    assert 0 < fleet.warmups.max_usd_month < 1000
    assert 0 < fleet.provisioned_concurrency.max_usd_month < 1000
