"""The messages of an approval request: to one approver, with a link of their own, and about each response. Pure."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from optimizer.approvals import describe
from optimizer.core import ANYONE, Approval, StoredChange, Vote, canonical_json, harmless
from optimizer.report import Line, Message, command_for, count

KIND = "Approval wanted"
ANSWERED = "Approval answered"
# Nobody scrolls through more in a mail; the page has all changes.
LONGEST_LIST = 20
_WIDTH = 78
_SUBJECT = 99


def approval_message(
    approval: Approval, approver: str, url: str, changes: Sequence[StoredChange], stack: str = ""
) -> Message:
    """Return the message with the approver's link, or without one if `url` is empty.

    `approver` of the message stays empty if it is for everybody, which makes its text public.
    """
    lines = describe.shown(changes)
    return _message(
        approval,
        lines,
        text(approval, approver, url, lines, stack),
        approver="" if approver == ANYONE else approver,
        link=url,
    )


def unreached_message(
    approval: Approval, unreached: Mapping[str, str], changes: Sequence[StoredChange], stack: str = ""
) -> Message:
    """Return the message for everybody about approvers who got no link (name and reason); it contains no link."""
    lines = describe.shown(changes)
    return _message(approval, lines, unreached_text(approval, unreached, lines, stack), unreached=tuple(unreached))


def response_message(approval: Approval, vote: Vote, changes: Sequence[StoredChange], stack: str = "") -> Message:
    """Return the message for everybody about one response, so that a link that was misused is noticed."""
    lines = describe.shown(changes)
    said = describe.verdict(vote.approved, len(approval.changes))
    return Message(
        kind=ANSWERED,
        subject=_subject_line(f"a response to run {approval.run_id}: {said}"),
        mail_subject=_subject_line(f"{vote.approver} responded to run {approval.run_id}: {said}"),
        text=response_text(approval, vote, lines, stack),
        run_id=approval.run_id,
        outcome="recorded" if approval.outstanding else "answered",
        severity="info",
        tuners=tuple(sorted(set(approval.changes.values()))),
        details={
            "answered_by": vote.approver,
            "channel": vote.channel,
            "answered_at": vote.at,
            "approved": list(vote.approved),
            "rejected": [line.change_id for line in lines if line.change_id not in vote.approved],
            "outstanding": approval.outstanding,
        },
    )


def response_text(approval: Approval, vote: Vote, lines: Sequence[Line], stack: str = "") -> str:
    """Return the text about one response: what it was, what happens next, and what to do if nobody gave it."""
    way = "through the approval page" if vote.channel == "link" else "by command, with AWS credentials"
    approved = [line for line in lines if line.change_id in vote.approved]
    rejected = [line for line in lines if line.change_id not in vote.approved]
    if approval.outstanding:
        follows = f"The run waits for {count(approval.outstanding, 'more response')}."
    elif approval.approved:
        follows = "The changes that all needed approvers approved are applied now and observed."
    else:
        follows = "Nothing is applied."
    parts = [f"{describe.response(approval, vote)} The response came {way}.", *_listed("Approved", approved)]
    parts += [*_listed("Rejected", rejected), follows]
    if approved:
        commands = [command_for(f"optimizer revert {line.change_id}", stack) for line in approved[:LONGEST_LIST]]
        parts += ["If this person did not respond, roll the changes back:", "\n".join(commands)]
    return "\n\n".join(part if "\n" in part else _wrap(part) for part in parts) + "\n"


def _listed(word: str, lines: Sequence[Line]) -> list[str]:
    if not lines:
        return []
    shown = [_wrap(f"- {describe.title(line)}") for line in lines[:LONGEST_LIST]]
    more = [f"- and {len(lines) - LONGEST_LIST} more"] if len(lines) > LONGEST_LIST else []
    return ["\n".join([f"{word}:", *shown, *more])]


def _message(approval: Approval, lines: Sequence[Line], text: str, **more: Any) -> Message:
    return Message(
        kind=KIND,
        subject=subject(approval),
        text=text,
        run_id=approval.run_id,
        outcome="waiting",
        severity="warning",
        tuners=tuple(sorted(set(approval.changes.values()))),
        details={
            "expires_at": approval.expires_at,
            "changes": [_document(line) for line in lines[:LONGEST_LIST]],
        },
        **more,
    )


def subject(approval: Approval) -> str:
    """Return one ASCII line under 100 characters."""
    waits = "waits" if len(approval.changes) == 1 else "wait"
    until = describe.moment(approval.expires_at, approval.time_zone).partition(" (")[0]
    return _subject_line(f"{count(len(approval.changes), 'change')} {waits} for your approval until {until}")


def _subject_line(text: str) -> str:
    line = f"Optimizer: {text}"
    return "".join(character if " " <= character <= "~" else "?" for character in line)[:_SUBJECT]


def text(approval: Approval, approver: str, url: str, lines: Sequence[Line], stack: str = "") -> str:
    """Return the text of the mail. Without `url` it says only how to respond from a terminal."""
    whose = "" if approver == ANYONE else f" The link is for {approver} only: do not pass it on."
    page = f"To approve or reject the changes, open this page. Opening it changes nothing.{whose}"
    as_whom = "" if approver == ANYONE else f" --as {approver}"
    command = command_for(f"optimizer approve {approval.run_id}{as_whom}", stack)
    # A line that is copied or clicked must not be broken.
    parts = (
        *_request(approval, lines, "The page shows" if url else "The command below shows"),
        *((_wrap(page), url) if url else ()),
        f"{'Or respond' if url else 'Respond'} with AWS credentials, from a terminal:\n{command}",
        _plan(approval),
    )
    return "\n\n".join(parts) + "\n"


def unreached_text(approval: Approval, unreached: Mapping[str, str], lines: Sequence[Line], stack: str = "") -> str:
    """Return the text for everybody about approvers who got no link."""
    who = "; ".join(f"{name} has {reason}" for name, reason in unreached.items())
    commands = "\n".join(command_for(f"optimizer approve {approval.run_id} --as {name}", stack) for name in unreached)
    missing = "\n".join(command_for(f"optimizer approvals add {name} --email ADDRESS", stack) for name in unreached)
    parts = (
        *_request(approval, lines, "The command below shows"),
        _wrap(f"No link reached these approvers: {who}. They can respond with AWS credentials, from a terminal:"),
        commands,
        _wrap("For links from the next request on, add an address and confirm the mail that AWS sends to it:"),
        missing,
        _plan(approval),
    )
    return "\n\n".join(parts) + "\n"


def _request(approval: Approval, lines: Sequence[Line], shows_more: str) -> list[str]:
    """Return the paragraphs that say what is to be approved, and until when."""
    number = len(approval.changes)
    paragraphs = [
        f"Run {approval.run_id} proposes {count(number, 'change')} that your policy wants people to approve.",
        f"Respond until {describe.deadline(approval)}. If nobody responds in time, nothing is changed.",
    ]
    if describe.agreement(approval):
        paragraphs.append(describe.agreement(approval))
    for place, line in enumerate(lines[:LONGEST_LIST], start=1):
        facts = f"Bill: {describe.price(line)}. Risk: {describe.risk(line)}."
        paragraphs.append(f"{place}. {describe.title(line)}. {describe.why(line)} {facts}")
    if number > LONGEST_LIST:
        paragraphs.append(f"{shows_more} {number - LONGEST_LIST} more.")
    paragraphs.append(f"All changes together: {describe.total(lines)}.")
    if prices := describe.prices(lines):
        paragraphs.append(f"Prices: {prices}.")
    return [_wrap(paragraph) for paragraph in paragraphs]


def _plan(approval: Approval) -> str:
    return f"Plan (SHA-256):\n{approval.digest}"


def _document(line: Line) -> dict[str, object]:
    return {
        "change_id": line.change_id,
        "tuner": line.tuner,
        "target": line.target,
        "title": describe.title(line),
        "reason": line.reason,
        "risk": line.risk,
        "usd_month": canonical_json.plain(line.usd_month),
        "prices": line.prices,
    }


def _wrap(paragraph: str) -> str:
    return textwrap.fill(harmless(paragraph), _WIDTH, break_long_words=False, break_on_hyphens=False)
