"""Respond to the approval request of a demo run as an approver would: with the link in the message, on the page."""

import json
import re
import time
import urllib.request
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

_WITHIN_S = 60.0
_TITLE = re.compile(r"<h1>(.*?)</h1>", re.DOTALL)
# A browser sends these headers with a form of the page itself.
_FROM_THE_PAGE = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}


class NoApprovalRequest(TimeoutError):
    """Changes wait for approval, but no message with a link has arrived."""


def responder(sqs: Any, queue: str, approve: bool, progress: Console, taken: list[Any]) -> Callable[[], None]:
    """Return what to do when the run has sent an approval request: show the link, and with `approve` approve all.

    Messages that are taken from the queue are added to `taken`.
    """

    def respond() -> None:
        link = _link(sqs, queue, taken)
        progress.print(f"  Changes wait for approval: {link}", soft_wrap=True, markup=False)
        if not approve:
            progress.print("  Open the link to respond, or start the demo with --approve.")
            return
        progress.print(f"  Opened: {_heading(urllib.request.Request(link))}")  # noqa: S310 - the account's own link
        form = {"decision": "all", "by": "optimizer demo", "reason": "unattended demo"}
        request = urllib.request.Request(link, urlencode(form).encode(), _FROM_THE_PAGE)  # noqa: S310 - as above
        progress.print(f"  Responded: {_heading(request)}")

    return respond


def _link(sqs: Any, queue: str, taken: list[Any]) -> str:
    deadline = time.monotonic() + _WITHIN_S
    while time.monotonic() < deadline:
        received = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in received.get("Messages", []):
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            taken.append(message)
            content = json.loads(json.loads(message["Body"])["Message"])
            if content.get("link"):
                return str(content["link"])
    raise NoApprovalRequest(f"changes wait for approval, but no message with a link arrived within {_WITHIN_S:.0f} s")


def _heading(request: urllib.request.Request) -> str:
    with urllib.request.urlopen(request, timeout=60) as page:  # noqa: S310 - the account's own link
        found = _TITLE.search(page.read().decode())
    return found[1].strip() if found else "a page without a heading"
