"""Respond to a deployed application with IAM: the run waits, the message comes, the page opens, the run goes on."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.helpers.e2e.approvers import add_approver, links_of
from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.browser, pytest.mark.e2e, pytest.mark.timeout(600)]

ASK = {
    "version": 1,
    "mode": "approve",
    "time_zone": "Europe/Berlin",
    "run": {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4},
    "approvals": {"approvers": [{"name": "anna"}, {"name": "ben"}], "needed": 2},
    # Other tests cover the events after the responses.
    "warmups": {"watch_minutes": [1]},
}


@pytest.fixture
def running(deployed: Any) -> Iterator[Running]:
    found = Running(deployed)
    found.settle()
    found.store_policy(ASK)
    yield found
    found.forget_policy()
    found.settle()


def test_approvers_let_the_changes_of_a_run_start(running: Running, windows: Any) -> None:
    """One approver answers on a phone, the other at a desk, both with the keyboard alone."""
    run = "answered-by-page"
    for approver in ("anna", "ben"):
        add_approver(running, approver)
    arn = running.start(running.application.optimize_arn, run, {"tuners": ["warmups"]})
    running.asked(run)
    found = {approver: links_of(running, approver, run)[0] for approver in ("anna", "ben")}
    # The run does not wait for people.
    assert running.ended(arn).status == "SUCCEEDED"
    assert running.lock_holder() is None
    approval = running.approval_of(run)
    shown = running.asked(run)
    number = len(shown["changes"])
    for approver, window in (("anna", windows["phone"]), ("ben", windows["desktop"])):
        assert running.sfn.describe_execution(executionArn=approval)["status"] == "RUNNING"
        window.page.goto(found[approver])
        window.check("deployed")
        for change in shown["changes"]:
            assert change["price"] in window.page.inner_text("main")
        by_keyboard(window, approver.title())
        window.comes_to("Your response is recorded")
        window.check("deployed-recorded")
    ended = running.ended(approval)
    assert ended.status == "SUCCEEDED"
    assert ended.states.count("StartChange") == number > 0
    windows["phone"].page.goto(found["anna"])
    windows["phone"].comes_to("This approval request is closed")
    answered = running.asked(run)
    assert (answered["status"], len(answered["approved"])) == ("answered", number)
    assert [vote["by"] for vote in answered["votes"]] == ["Anna", "Ben"]


def by_keyboard(window: Any, name: str) -> None:
    """Go to the response, approve all of it, enter the name, pass the reason, and send."""
    keyboard = window.page.keyboard
    for key in ("Tab", "Enter", "Tab", "Space", "Tab"):
        keyboard.press(key)
    keyboard.type(name)
    for key in ("Tab", "Tab", "Enter"):
        keyboard.press(key)
