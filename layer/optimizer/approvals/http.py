"""The approval page behind the function URL. GET, HEAD and OPTIONS only read; POST records a response, once."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from optimizer.approvals import describe, page
from optimizer.approvals.http_request import BadRequest, PageRequest, approved, errors_of
from optimizer.approvals.links import ApprovalLink, MalformedLink, parse
from optimizer.approvals.page_parts import STYLE_HASH
from optimizer.approvals.respond import check_unchanged, record_response, settle
from optimizer.approvals.tell_run import TellPeople, TellRun
from optimizer.core import AnswerRefused, Approval, ApprovalStatus, DifferentPlan, Vote
from optimizer.report import count
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
    # With no-referrer, browsers would send the page's own form with the Origin null. Other sites get no address.
    "Referrer-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex, nofollow",
}


class Verifier(Protocol):
    """Verifies signatures of links."""

    def is_valid(self, link: ApprovalLink, signature: bytes) -> bool:
        """Return whether the signature is that of the link."""
        ...


@dataclass(frozen=True, slots=True)
class PageServices:
    """Services that the page needs."""

    store: RunStore
    signatures: Verifier
    tell_run: TellRun
    tell_people: TellPeople


@dataclass(frozen=True, slots=True)
class Page:
    """A page for a browser. `outcome` is one word for the log."""

    status: int
    outcome: str
    html: str


def respond_to_page_request(event: dict[str, Any], services: PageServices, now: datetime) -> tuple[str, dict[str, Any]]:
    """Return one word for the log, and the response to an event of a function URL (payload format 2.0)."""
    method = ""
    try:
        request = PageRequest.of(event)
        method = request.method
        if method == "OPTIONS":
            return "options", {"statusCode": 204, "headers": {**HEADERS, "Allow": ", ".join(METHODS)}, "body": ""}
        found = _page(request, services, now)
    except BadRequest as bad:
        paragraphs = [str(bad), "Nothing was changed. Open the link in the message again and respond from there."]
        found = Page(bad.status, "bad_request", page.notice("This request is not valid", paragraphs))
    except MalformedLink:
        found = _invalid()
    return found.outcome, _response(found, method)


def failure_response() -> dict[str, Any]:
    """Return the response that tells a person that something broke, and nothing about what."""
    paragraphs = [
        "This is not your fault. The error is in the log.",
        "If you were sending a response, open the link again: the page shows whether it was recorded, and lets you "
        "finish.",
    ]
    return _response(Page(500, "failed", page.notice("Something went wrong", paragraphs)), "GET")


def _response(found: Page, method: str) -> dict[str, Any]:
    """Return the page as Lambda sends it; a HEAD has no body."""
    headers = {**HEADERS, "Allow": ", ".join(METHODS)} if found.status == 405 else HEADERS
    return {"statusCode": found.status, "headers": dict(headers), "body": "" if method == "HEAD" else found.html}


def _page(request: PageRequest, services: PageServices, now: datetime) -> Page:
    if request.method not in METHODS:
        raise BadRequest(405, "This page accepts GET, HEAD, OPTIONS and POST only.")
    if request.path != "/":
        return Page(404, "not_found", page.notice("This page does not exist", ["Open the link in the message."]))
    if request.method == "POST":
        request.check_origin()
    link, signature = parse(request.query)
    # A read of the table costs a tenth of a question to KMS, and junk knows no digest: a link of a run has that of its
    # request for ever, so that whoever has another one was never sent it.
    approval = services.store.approval(link.run_id)
    if approval is None or approval.digest != link.digest or not services.signatures.is_valid(link, signature):
        return _invalid()
    if link.approver not in approval.approvers:
        return _withdrawn("The approval request of this link is no longer open.")
    if request.method == "POST":
        return _posted(request, link, approval, services, now)
    return _state(link, approval, services, now)


def _posted(
    request: PageRequest, link: ApprovalLink, approval: Approval, services: PageServices, now: datetime
) -> Page:
    form = request.form()
    # A request after the last response finishes telling the run, and changes nothing else.
    settled = settle(services.store, approval, now, services.tell_run)
    if not _is_open(link, settled, now):
        return _state(link, settled, services, now, sent=form.decision != "finish")
    wrong = errors_of(form, approval.changes)
    if wrong:
        return _ask(link, approval, services, replace(form, errors=wrong), 422)
    vote = Vote(link.approver, form.by, approved(form, approval.changes), form.reason, now, "link")
    try:
        answered = record_response(services.store, settled, vote, link.digest, services.tell_run, services.tell_people)
    except DifferentPlan:
        return _different()
    except AnswerRefused:
        # Somebody else responded between the load and the write.
        return _state(link, services.store.approval(link.run_id) or approval, services, now, sent=True)
    if answered.status in (ApprovalStatus.EXPIRED, ApprovalStatus.WITHDRAWN):
        return _state(link, answered, services, now, sent=True)
    return _thanks(answered, services)


def _is_open(link: ApprovalLink, approval: Approval, now: datetime) -> bool:
    return _awaits_approver(link, approval) and now < _end(link, approval)


def _awaits_approver(link: ApprovalLink, approval: Approval) -> bool:
    return approval.status is ApprovalStatus.PENDING and approval.vote_of(link.approver) is None


def _end(link: ApprovalLink, approval: Approval) -> datetime:
    return min(link.expires_at, approval.expires_at)


def _state(
    link: ApprovalLink, approval: Approval, services: PageServices, now: datetime, *, sent: bool = False
) -> Page:
    """Return the page of a link as things stand. `sent`: a response came with the request, and did not count."""
    if _is_open(link, approval, now):
        return _ask(link, approval, services, page.Form(), 200)
    lost = ["Your response changed nothing."] if sent else []
    if now >= _end(link, approval):
        # Links stay in mailboxes for years: after its end, a link tells nothing about changes, people or the result.
        return _expired(link, approval, now, *lost)
    match approval.status:
        case ApprovalStatus.ANSWERED:
            changes = services.store.changes(approval.changes)
            paragraphs = [*lost, "This link works once.", *describe.responses(approval)]
            return Page(
                409, "used", page.notice("This approval request is closed", paragraphs, page.outcome(approval, changes))
            )
        case ApprovalStatus.WITHDRAWN:
            return _withdrawn("The run has ended and no longer waits for a response.", *lost)
        case ApprovalStatus.PENDING if approval.vote_of(link.approver):
            waits = f"The run waits for {_outstanding(approval)}."
            return Page(409, "used", page.notice("You have responded", [*lost, *describe.responses(approval), waits]))
        case _:
            # The run stopped waiting shortly before the end.
            return _expired(link, approval, now, *lost)


def _expired(link: ApprovalLink, approval: Approval, now: datetime, *lost: str) -> Page:
    until = describe.moment(_end(link, approval), approval.time_zone)
    if now < approval.expires_at and _awaits_approver(link, approval):
        paragraphs = [*lost, f"This link was valid until {until}.", "A newer message has a newer link."]
    else:
        paragraphs = [*lost, f"A response was possible until {until}.", "The report of the run shows the result."]
    return Page(410, "expired", page.notice("This link has expired", paragraphs))


def _ask(link: ApprovalLink, approval: Approval, services: PageServices, form: page.Form, status: int) -> Page:
    changes = services.store.changes(approval.changes)
    try:
        check_unchanged(approval, changes)
    except DifferentPlan:
        return _different()
    return Page(
        status, "asked" if status == 200 else "incomplete", page.request_page(approval, link.approver, changes, form)
    )


def _thanks(answered: Approval, services: PageServices) -> Page:
    changes = services.store.changes(answered.changes)
    if answered.status is ApprovalStatus.PENDING:
        waits = f"The run waits for {_outstanding(answered)}."
        return Page(200, "answered", page.notice("Your response is recorded", [*describe.responses(answered), waits]))
    goes_on = "Approved changes are applied now, observed, and rolled back if they do harm."
    nothing = "None of these changes is applied."
    paragraphs = [*describe.responses(answered), goes_on if answered.approved else nothing, "You can close this page."]
    more = page.outcome(answered, changes)
    return Page(200, "answered", page.notice("Your response is recorded", paragraphs, more))


def _outstanding(approval: Approval) -> str:
    missing = [approver for approver in approval.approvers if approval.vote_of(approver) is None]
    return f"{count(approval.outstanding, 'more response')} of {', '.join(missing)}"


def _invalid() -> Page:
    paragraphs = [
        "It is incomplete, was altered, or does not come from this application. Nothing was changed.",
        "Copy the whole link from the message, or respond with the command in the message.",
    ]
    return Page(403, "invalid", page.notice("This link is not valid", paragraphs))


def _withdrawn(*paragraphs: str) -> Page:
    return Page(
        410, "withdrawn", page.notice("This approval request was withdrawn", [*paragraphs, "Nothing was changed."])
    )


def _different() -> Page:
    paragraphs = [
        "The changes differ from those of the approval request. Nothing was changed.",
        "The next run sends a new request.",
    ]
    return Page(409, "different_plan", page.notice("The plan has changed", paragraphs))
