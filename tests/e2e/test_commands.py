"""Run an operator's commands on the deployed application: runs, changes, reports and rolling back."""

import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from optimizer_cli.main import main

from tests.helpers.e2e.running import Execution, Running, subscribed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

RUN = "commands-1"
WARMUPS = {
    "version": 1,
    "warmups": {"mode": "auto", "watch_minutes": [1]},
    "run": {"max_changes": 3, "max_changes_share": 1.0},
}


@dataclass(frozen=True, slots=True)
class Done:
    """A run that changed something, and its messages."""

    run: Execution
    text: str
    document: dict[str, Any]
    environment: dict[str, str]

    def command(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, [*arguments], env=self.environment)

    def json(self, *arguments: str) -> Any:
        done = self.command(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def done(deployed: Any) -> Done:
    running = Running(deployed)
    running.settle()
    running.store_policy(WARMUPS)
    try:
        with subscribed(deployed.account.session, deployed.application.programs_topic_arn) as inbox:
            run = running.optimize(RUN, {"tuners": ["warmups", "memory"]})
            assert run.status == "SUCCEEDED", run.cause
            (message,) = [said for said in inbox.about(RUN) if said.attributes["outcome"] == "succeeded"]
    finally:
        running.forget_policy()
    return Done(run, message.text, dict(message.document), deployed.account.environment())


def test_runs_are_listed_with_their_outcome(done: Done) -> None:
    (found,) = [run for run in done.json("runs") if run["run_id"] == RUN]
    assert found["status"] == "succeeded"
    assert found["verdicts"]["automatic"] > 0
    assert RUN in done.command("runs").output


def saved(usd_month: float) -> str:
    """Return the savings as people read them: what lowers the bill is positive."""
    return f"{'-' if round(usd_month, 2) > 0 else ''}${abs(usd_month):,.2f}"


def test_terminal_mail_and_page_say_the_same_numbers(done: Done, tmp_path: Path) -> None:
    shown = done.command("report", RUN, "--folder", str(tmp_path))
    assert shown.exit_code == 0, shown.output
    numbers = done.json("report", RUN)
    page = (tmp_path / RUN / "index.html").read_text()
    changes = done.json("changes", RUN)
    # Stored reports, which are read with IAM, have no link.
    said, _, link = done.text.partition(" Report with charts, until ")
    assert " ".join(shown.output.split()).startswith(said)
    assert "http" in link
    for name in ("expected_usd_month", "possible_usd_month"):
        assert done.document[name] == numbers[name]
        assert saved(numbers[name]["estimate"]) in page
    assert f"in this run: {saved(numbers['expected_usd_month']['estimate'])} " in " ".join(done.text.split())
    assert done.document["counts"]["changed"] == len(numbers["changed"]) > 0
    assert sum(done.document["counts"].values()) == len(changes)
    for change in numbers["changed"]:
        assert change["target"] in page
        assert change["target"] in done.text
        (listed,) = [item for item in changes if item["change_id"] == change["change_id"]]
        assert listed["usd_month"] == change["usd_month"]


def test_every_target_has_a_page_with_its_numbers_beside_it(done: Done, tmp_path: Path) -> None:
    done.command("report", RUN, "--folder", str(tmp_path))
    pages = {path.stem for path in (tmp_path / RUN / "functions").glob("*.html")}
    assert len(pages) == done.document["targets"]
    assert pages == {path.stem for path in (tmp_path / RUN / "functions").glob("*.json")}


def test_the_link_of_the_message_opens_the_page_and_expires(done: Done) -> None:
    url = done.document["report_url"]
    assert url in done.text
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - the local account's own
        assert "What the optimizer did" in answer.read().decode()
    expired = re.sub(r"/\d{10}\.", "/1700000000.", url)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(expired, timeout=30)  # noqa: S310
    assert refused.value.code == 410


def test_change_is_rolled_back_once_with_a_message(done: Done) -> None:
    change = done.json("report", RUN)["changed"][0]["change_id"]
    first = done.json("revert", change, "--reason", "Anna wants it cold.")
    assert first["status"] == "reverted"
    again = done.json("revert", change)
    assert again["status"] == "reverted"
    (listed,) = [item for item in done.json("changes", RUN) if item["change_id"] == change]
    assert "Anna wants it cold." in listed["message"]


def test_change_that_was_never_applied_cannot_be_rolled_back(done: Done) -> None:
    recommended = next(item for item in done.json("changes", RUN) if item["status"] in ("recommended", "refused"))
    refused = done.command("revert", recommended["change_id"])
    assert refused.exit_code == 1
    assert "it was never applied" in refused.output


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("changes", "no-such-run"), 3, "No run no-such-run is recorded"),
        (("report", "no-such-run"), 3, "No run no-such-run is recorded"),
        (("revert", "no-such-change"), 3, "No change no-such-change is recorded"),
        (("runs", "--stack", "other"), 3, "There is no stack other in this account and region"),
        (("runs", "--days", "0"), 2, "--days"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    done: Done, arguments: tuple[str, ...], code: int, said: str
) -> None:
    failed = done.command(*arguments)
    assert failed.exit_code == code
    assert said in failed.output
    assert "Traceback" not in failed.output
