"""`optimizer assess` against an account with quotas: it only reads, goes on where it was, and names missing rights."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from optimizer.assess import Assessor, ReadOnlySession, assessor as assessor_module
from optimizer.assess.reads import READS, NotARead
from optimizer.aws import CallBudget
from optimizer.policy import read_policy
from optimizer_cli.main import main

from tests.helpers.documents import Shown, commands, run
from tests.helpers.untouched_account import Untouched, untouched

FUNCTIONS = 6
# The functions are cheap.
ANY_GAIN = b'{"version": 1, "memory": {"min_savings_usd_month": 0}}'
RIGHTS = sorted({read.action for read in READS.values()} - {"sts:GetCallerIdentity"})


@pytest.fixture(scope="module")
def running() -> Iterator[Untouched]:
    with untouched(FUNCTIONS) as account:
        yield account


@pytest.fixture
def account(running: Untouched, monkeypatch: pytest.MonkeyPatch) -> Untouched:
    running.deny()
    for name, value in running.variables.items():
        monkeypatch.setenv(name, value)
    return running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few functions stay below every quota without a pace."""
    monkeypatch.setattr(CallBudget, "take", lambda _self, _calls=1.0: None)
    monkeypatch.setattr("optimizer.assess.details._QUERY_S", 0.6)


def assess(folder: Path, *options: str) -> Result:
    policy = folder / "policy.json"
    policy.write_bytes(ANY_GAIN)
    done = CliRunner().invoke(main, ["assess", "--folder", str(folder), "--policy", str(policy), *options])
    assert done.exit_code == 0, done.output
    return done


def test_assessment_only_reads_within_the_quotas(account: Untouched, tmp_path: Path) -> None:
    done = assess(tmp_path)
    assert account.not_reads() == []
    assert not [call for call in account.calls if call.startswith("refused")]
    assert f"{FUNCTIONS} functions" not in done.stdout
    assert f"Functions           {FUNCTIONS}" in done.stdout
    assert "Largest savings" in done.stdout
    assert "no alias, only $LATEST is called" in done.stdout
    assert "a CloudFormation stack owns it" in done.stdout
    assert "Missing rights" not in done.stdout
    assert [line for line in done.stdout.splitlines() if len(line) > 80] == []


@pytest.mark.usefixtures("quick")
def test_first_page_comes_before_any_function_is_looked_at(account: Untouched, tmp_path: Path) -> None:
    done = assess(tmp_path)
    first, _, _ = done.stderr.partition("Looking at")
    assert "first look" in first
    assert "Largest bills" in first
    assert "logs at most" in done.stderr
    assert [line for line in first.splitlines() if len(line) > 80] == []
    assert account.calls["Lambda.ListFunctions"] == 1


@pytest.mark.usefixtures("quick")
def test_programs_get_json_and_csv_and_people_a_page(account: Untouched, tmp_path: Path) -> None:
    found = json.loads(assess(tmp_path, "--json").stdout)
    assert found["totals"]["functions"] == FUNCTIONS
    assert found["totals"]["saved_usd_month"]["estimate"] > 0
    assert {row["name"] for row in found["servers"]} == {"shop", "ledger", "orders", "sessions"}
    assert found["missing_rights"] == []
    lines = assess(tmp_path, "--csv").stdout.splitlines()
    assert lines[0].startswith("kind,name,owner")
    assert len(lines) == 1 + FUNCTIONS + 4
    page = next(tmp_path.glob("*.html")).read_text()
    assert "What the optimizer could do here" in page
    assert "http://" not in page.replace("http://www.w3.org/", "")
    kept = next(tmp_path.glob("*.jsonl")).read_text() + page + json.dumps(found)
    assert "hunter2" not in kept, "a variable of a function was kept"
    assert account.not_reads() == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("action", RIGHTS)
def test_missing_right_is_named_and_the_rest_is_assessed(account: Untouched, tmp_path: Path, action: str) -> None:
    account.deny(action)
    found = json.loads(assess(tmp_path, "--json").stdout)
    assert [right["action"] for right in found["missing_rights"]] == [action]
    assert found["missing_rights"][0]["without"]
    assert len(found["functions"]) == (0 if action == "lambda:ListFunctions" else FUNCTIONS)
    assert len(found["servers"]) == {"rds:DescribeDBInstances": 2, "rds:DescribeDBClusters": 3}.get(
        action, 3 if action == "elasticache:DescribeCacheClusters" else 4
    )
    refused = sum(number for call, number in account.calls.items() if call.startswith("refused"))
    # Calls that are under way when the first ones are denied are denied, too.
    assert refused <= 16


@pytest.mark.usefixtures("quick")
def test_stopped_assessment_goes_on_where_it_was(
    account: Untouched, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessor_module, "BATCH", 2)
    monkeypatch.setattr(assessor_module, "_AT_ONCE", 2)
    stopped = Assessor(ReadOnlySession("eu-west-1"), read_policy(ANY_GAIN), tmp_path, datetime.now(UTC))
    stopped.list_all()
    looking = stopped.look()
    assert next(looking) == 2
    looking.close()
    # The end of a line that was being written.
    with stopped.state_path.open("a") as file:
        file.write('{"kind": "rows", "rows": [{"name": "cut o')
    before = account.calls
    assert before["Lambda.ListAliases"] <= 4
    done = assess(tmp_path, "--json")
    assert "Going on with the assessment that was stopped: 2 of 6 functions." in done.stderr
    assert account.calls["Lambda.ListFunctions"] == before["Lambda.ListFunctions"] == 1
    # One batch was being read when it was stopped, and is read again.
    assert account.calls["Lambda.ListAliases"] <= FUNCTIONS + 2
    found = json.loads(done.stdout)
    assert found["is_complete"]
    assert all(row["is_assessed"] for row in found["functions"])
    assert found["spent"]["calls"]["lambda.ListFunctions"] == 1
    # What is complete is not gone on with.
    assert "Going on" not in assess(tmp_path).stderr


@pytest.mark.usefixtures("account")
def test_operation_that_is_no_read_is_never_sent() -> None:
    session = ReadOnlySession("eu-west-1")
    with pytest.raises(NotARead, match=r"lambda\.DeleteFunction"):
        session.client("lambda").delete_function(FunctionName="fleet-00000")
    with pytest.raises(NotARead):
        session.client("resourcegroupstaggingapi").tag_resources(ResourceARNList=["arn:aws:x:y:1:z"], Tags={"a": "b"})
    assert not session.calls


def test_rights_are_those_of_the_reads() -> None:
    printed = json.loads(CliRunner().invoke(main, ["assess", "--rights"]).stdout)
    (statement,) = printed["Statement"]
    assert statement["Action"] == sorted({read.action for read in READS.values()})
    verbs = {action.partition(":")[2] for action in statement["Action"]}
    assert all(verb.startswith(("List", "Get", "Describe", "StartQuery")) for verb in verbs)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("shown", list(commands("optimizer assess")), ids=str)
def test_documented_assessment_runs(account: Untouched, shown: Shown, tmp_path: Path) -> None:
    done = run(shown.text, tmp_path, account.variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert account.not_reads() == []
