"""Approvers of the deployed application, who read their links in mails."""

import re
import time
from typing import Any

from click.testing import CliRunner
from optimizer_cli.main import main

from tests.helpers.e2e.running import Running

_LINK = re.compile(r"http://127\.0\.0\.1:\d+/\S+")


def address(approver: str) -> str:
    """Return the address of an approver."""
    return f"{approver}@example.com"


def optimizer(running: Running, *arguments: str) -> str:
    """Run the command in the account; return what it prints."""
    done = CliRunner().invoke(main, list(arguments), env=running.account.environment())
    assert done.exit_code == 0, done.output
    return done.stdout


def add_approver(running: Running, approver: str) -> None:
    """Give an approver a topic, and confirm the address, as people do."""
    said = optimizer(running, "approvals", "add", approver, "--email", address(approver))
    if "open the link in it" in said:
        running.account.confirm(address(approver))


def mails(running: Running, to: str) -> list[dict[str, Any]]:
    """Return the mails to an address, without those that ask to confirm it."""
    return [mail for mail in running.account.mailbox(to) if "token" not in mail]


def links_of(running: Running, approver: str, run: str, within_s: float = 60) -> list[str]:
    """Return the links of an approver for a run, once there are any."""
    deadline = time.monotonic() + within_s
    while True:
        about = [mail["text"] for mail in mails(running, address(approver)) if f"Run {run} " in mail["text"]]
        found = [link for text in about for link in _LINK.findall(text)]
        if found:
            return found
        assert time.monotonic() < deadline, f"no link for {approver} of {run}"
        time.sleep(0.3)
