"""Requests of the function URL turned into pages. GET, HEAD and OPTIONS only read; POST answers, once."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from optimizer.approvals import describe, page
from optimizer.approvals.http_request import BadRequest, PageRequest, approved, errors_of
from optimizer.approvals.links import ApprovalLink, MalformedLink, parse
from optimizer.approvals.page_parts import STYLE_HASH
from optimizer.approvals.respond import check_unchanged, record_response
from optimizer.approvals.settle import TellRun, settle
from optimizer.core import AnswerRefused, Approval, ApprovalStatus, DifferentPlan, Vote
from optimizer.store import RunStore

METHODS = ("GET", "HEAD", "OPTIONS", "POST")
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{STYLE_HASH}'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


class Verifier(Protocol):
    """Says whether a signature is the link's."""

    def is_valid(self, link: ApprovalLink, signature: bytes) -> bool:
        """Whether it is."""
        ...


@dataclass(frozen=True, slots=True)
class PageServices:
    """What answering needs."""

    store: RunStore
    signatures: Verifier
    tell_run: TellRun


@dataclass(frozen=True, slots=True)
class Page:
    """An answer to a browser. `outcome` is one word for the log."""

    status: int
    outcome: str
    html: str


def respond_to_page_request(event: dict[str, Any], services: PageServices, now: datetime) -> tuple[str, dict[str, Any]]:
    """One word for the log, and the response to an event of a function URL (payload format 2.0)."""
    method = ""
    try:
        request = PageRequest.of(event)
        method = request.method
        if method == "OPTIONS":
            return "options", {"statusCode": 204, "headers": {**HEADERS, "Allow": ", ".join(METHODS)}, "body": ""}
        found = _page(request, services, now)
    except BadRequest as bad:
        said = [str(bad), "Nothing was changed. Open the link in the message again and send your answer from there."]
        found = Page(bad.status, "bad_request", page.notice("This was not understood", said))
    except MalformedLink:
        found = _invalid()
    return found.outcome, _response(found, method)


def failure_response() -> dict[str, Any]:
    """Return the response that tells a person that something broke, and nothing about what."""
    said = [
        "It is not your fault, and it has been written to the log.",
        "If you were sending an answer, open the link again: the page says whether the answer was recorded, and lets "
        "you finish.",
    ]
    return _response(Page(500, "failed", page.notice("Something went wrong", said)), "GET")


def _response(found: Page, method: str) -> dict[str, Any]:
    """Return the page as Lambda sends it; a HEAD has no body."""
    headers = {**HEADERS, "Allow": ", ".join(METHODS)} if found.status == 405 else HEADERS
    return {"statusCode": found.status, "headers": dict(headers), "body": "" if method == "HEAD" else found.html}


def _page(request: PageRequest, services: PageServices, now: datetime) -> Page:
    if request.method not in METHODS:
        raise BadRequest(405, "This page is opened or answered, nothing else.")
    if request.path != "/":
        return Page(404, "not_found", page.notice("There is nothing here", ["Open the link in the message."]))
    if request.method == "POST":
        request.check_origin()
    link, signature = parse(request.query)
    if not services.signatures.is_valid(link, signature):
        return _invalid()
    asked = services.store.approval(link.run_id)
    if asked is None or asked.digest != link.digest or link.approver not in asked.approvers:
        return _withdrawn("The question that this link is for is not asked any more.")
    if request.method == "POST":
        return _posted(request, link, asked, services, now)
    return _state(link, asked, services, now)


def _posted(request: PageRequest, link: ApprovalLink, asked: Approval, services: PageServices, now: datetime) -> Page:
    form = request.form()
    # Whatever is sent after an answer was recorded finishes what it began, and changes nothing of it.
    settled = settle(services.store, asked, now, services.tell_run)
    if not _is_open(link, settled, now):
        return _state(link, settled, services, now, sent=form.decision != "finish")
    wrong = errors_of(form, asked.changes)
    if wrong:
        return _ask(link, asked, services, replace(form, errors=wrong), 422)
    vote = Vote(link.approver, form.by, approved(form, asked.changes), form.reason, now, "link", request.source)
    try:
        answered = record_response(services.store, settled, vote, link.digest, services.tell_run)
    except DifferentPlan:
        return _different()
    except AnswerRefused:
        # Somebody else was quicker between the two reads.
        return _state(link, services.store.approval(link.run_id) or asked, services, now, sent=True)
    if answered.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
        return _state(link, answered, services, now, sent=True)
    return _thanks(answered, services)


def _is_open(link: ApprovalLink, asked: Approval, now: datetime) -> bool:
    pending = asked.status is ApprovalStatus.PENDING and asked.vote_of(link.approver) is None
    return pending and now < min(link.expires_at, asked.expires_at)


def _state(link: ApprovalLink, asked: Approval, services: PageServices, now: datetime, *, sent: bool = False) -> Page:
    """The page of a link as things stand. `sent`: an answer came with the request, and did not count."""
    if _is_open(link, asked, now):
        return _ask(link, asked, services, page.Form(), 200)
    lost = ["What you just sent changed nothing."] if sent else []
    match asked.status:
        case ApprovalStatus.ANSWERED:
            changes = services.store.changes(asked.changes)
            said = [*lost, "This link works once.", *page.votes(asked)]
            return Page(409, "used", page.notice("This was answered", said, page.outcome(asked, changes)))
        case ApprovalStatus.WITHDRAWN:
            return _withdrawn("The run that asked has ended and waits for no answer.", *lost)
        case ApprovalStatus.PENDING if asked.vote_of(link.approver):
            waits = f"The run still waits for {asked.outstanding} more of {', '.join(_missing(asked))}."
            return Page(409, "used", page.notice("You have answered", [*lost, *page.votes(asked), waits]))
        case _:
            until = describe.moment(min(link.expires_at, asked.expires_at), asked.time_zone)
            said = [
                *lost,
                f"An answer was possible until {until}.",
                "What was asked about is rejected; nothing of it is done.",
            ]
            if now < asked.expires_at and asked.status is ApprovalStatus.PENDING:
                said = [*lost, f"This link was good until {until}.", "There is a newer message with a newer link."]
            return Page(410, "expired", page.notice("This link has expired", said))


def _ask(link: ApprovalLink, asked: Approval, services: PageServices, form: page.Form, status: int) -> Page:
    changes = services.store.changes(asked.changes)
    try:
        check_unchanged(asked, changes)
    except DifferentPlan:
        return _different()
    return Page(status, "asked" if status == 200 else "incomplete", page.question(asked, link.approver, changes, form))


def _thanks(answered: Approval, services: PageServices) -> Page:
    changes = services.store.changes(answered.changes)
    if answered.status is ApprovalStatus.PENDING:
        waits = f"The run waits for {answered.outstanding} more of {', '.join(_missing(answered))}."
        return Page(200, "answered", page.notice("Your answer is recorded", [*page.votes(answered), waits]))
    goes_on = "The run goes on. What was approved is made now, watched, and taken back if it does harm."
    nothing = "The run goes on without any of it."
    said = [*page.votes(answered), goes_on if answered.approved else nothing, "You can close this page."]
    more = page.outcome(answered, changes)
    return Page(200, "answered", page.notice("Your answer is recorded", said, more))


def _missing(asked: Approval) -> list[str]:
    return [approver for approver in asked.approvers if asked.vote_of(approver) is None]


def _invalid() -> Page:
    said = [
        "It is incomplete, was altered, or does not come from this application. Nothing was changed.",
        "Copy the whole link from the message, or answer with the command that the message names.",
    ]
    return Page(403, "invalid", page.notice("This link is not valid", said))


def _withdrawn(*said: str) -> Page:
    return Page(410, "withdrawn", page.notice("This question was withdrawn", [*said, "Nothing was changed."]))


def _different() -> Page:
    said = ["What would be changed is not what was asked about. Nothing was changed.", "A new run asks anew."]
    return Page(409, "different_plan", page.notice("The plan has changed", said))
