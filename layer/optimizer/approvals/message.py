"""The message that asks one approver: in plain words, with the link that is theirs. Pure."""

import textwrap
from collections.abc import Sequence

from optimizer.approvals import describe
from optimizer.core import ANYONE, Approval, StoredChange, canonical_json
from optimizer.report import Line, Message

KIND = "Approval wanted"
# A mail nobody scrolls through; the page has them all.
LONGEST_LIST = 20
_WIDTH = 78
_SUBJECT = 99


def approval_message(asked: Approval, approver: str, url: str, changes: Sequence[StoredChange]) -> Message:
    """The message with the approver's link. For everybody who gets the topic's messages, `approver` stays empty, so
    that a filter policy tells it from the links of single people."""
    lines = describe.shown(changes)
    return Message(
        kind=KIND,
        subject=subject(asked),
        text=text(asked, approver, url, lines),
        run_id=asked.run_id,
        outcome="waiting",
        severity="warning",
        tuners=tuple(sorted(set(asked.changes.values()))),
        details={
            "digest": asked.digest,
            "expires_at": asked.expires_at,
            "changes": [_document(line) for line in lines[:LONGEST_LIST]],
        },
        link=url,
        approver="" if approver == ANYONE else approver,
    )


def subject(asked: Approval) -> str:
    """One ASCII line under 100 characters."""
    waits = "waits" if len(asked.changes) == 1 else "wait"
    until = describe.moment(asked.expires_at, asked.time_zone).partition(" (")[0]
    line = f"Optimizer: {describe.count(len(asked.changes), 'change')} {waits} for your answer until {until}"
    return "".join(character if " " <= character <= "~" else "?" for character in line)[:_SUBJECT]


def text(asked: Approval, approver: str, url: str, lines: Sequence[Line]) -> str:
    """The mail."""
    number = len(asked.changes)
    paragraphs = [
        f"Run {asked.run_id} would make {describe.count(number, 'change')} that your policy wants a person to approve.",
        f"Answer until {describe.deadline(asked)}. Without an answer nothing of it is done.",
    ]
    if describe.agreement(asked):
        paragraphs.append(describe.agreement(asked))
    for place, line in enumerate(lines[:LONGEST_LIST], start=1):
        facts = f"Price: {describe.price(line)}. Risk: {describe.risk(line)}."
        paragraphs.append(f"{place}. {describe.title(line)}. {describe.why(line)} {facts}")
    if number > LONGEST_LIST:
        paragraphs.append(f"And {number - LONGEST_LIST} more, on the page.")
    paragraphs.append(f"Together: {describe.total(lines)}.")
    whose = "" if approver == ANYONE else f" The link is for {approver} alone: do not pass it on."
    paragraphs.append(f"To approve all, some or none of it, open this page. Opening it changes nothing.{whose}")
    as_whom = "" if approver == ANYONE else f" --as {approver}"
    body = "\n\n".join(_wrap(paragraph) for paragraph in paragraphs)
    command = f"optimizer approve {asked.run_id}{as_whom}"
    # Lines that are copied or clicked are never broken.
    return (
        f"{body}\n\n{url}\n\nOr with AWS credentials, from a terminal:\n{command}\n\nPlan (SHA-256):\n{asked.digest}\n"
    )


def _document(line: Line) -> dict[str, object]:
    return {
        "change_id": line.change_id,
        "tuner": line.tuner,
        "target": line.target,
        "title": describe.title(line),
        "reason": line.reason,
        "risk": line.risk,
        "usd_month": canonical_json.plain(line.usd_month),
    }


def _wrap(paragraph: str) -> str:
    return textwrap.fill(paragraph, _WIDTH, break_long_words=False, break_on_hyphens=False)
