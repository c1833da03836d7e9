"""A request of the function URL as plain data, with checks that come before that of the link. Pure."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from optimizer.approvals.page import Form
from optimizer.core import LONGEST_NAME, LONGEST_REASON, OptimizerError

# The form of a plan with a few hundred changes, all ticked, is a fifth of this.
LARGEST_BODY = 64 * 1024
LONGEST_QUERY = 2048
_MOST_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"


class BadRequest(OptimizerError, ValueError):
    """The page does not send such a request; `status` is the HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request of a browser. `headers` by lower-case name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: str
    own_origin: str

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "PageRequest":
        """Read an event of a function URL (payload format 2.0); raises BadRequest if it is too large or unreadable."""
        context = event["requestContext"]
        http: Any = context.get("http") if isinstance(context, dict) else None
        headers = event.get("headers") or {}
        if not isinstance(http, dict) or "method" not in http or not isinstance(headers, dict):
            raise BadRequest(400, "This is not a request of a browser.")
        raw_query = str(event.get("rawQueryString") or "")
        if len(raw_query) > LONGEST_QUERY:
            raise BadRequest(414, f"The address has more than {LONGEST_QUERY} characters.")
        return cls(
            method=str(http["method"]).upper(),
            path=str(event.get("rawPath") or "/"),
            query=_single(raw_query),
            headers={name.lower(): str(value) for name, value in headers.items()},
            body=_body(event),
            own_origin=f"https://{context.get('domainName', '')}",
        )

    def check_origin(self) -> None:
        """Raise BadRequest unless the browser says that the form was sent from the page itself.

        Every browser since 2023 sends Sec-Fetch-Site; Origin is for older ones, which send it because of the page's
        Referrer-Policy. Another page cannot know the link either: this is the second lock.
        """
        known_by_site = self.headers.get("sec-fetch-site") == "same-origin"
        known_by_origin = "sec-fetch-site" not in self.headers and self.headers.get("origin") == self.own_origin
        if not (known_by_site or known_by_origin):
            raise BadRequest(403, "The response did not come from the page itself.")

    def form(self) -> Form:
        """Return the form, not yet checked against the approval request; raises BadRequest if it is no form."""
        if self.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
            raise BadRequest(415, "The response was not sent as a form.")
        try:
            fields = parse_qs(self.body, keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="replace")
        except ValueError as error:
            raise BadRequest(413, f"The form has more than {_MOST_FIELDS} fields.") from error
        return Form(
            decision=fields.get("decision", [""])[-1],
            ticked=frozenset(fields.get("change", [])),
            by=" ".join(fields.get("by", [""])[-1].split()),
            reason=fields.get("reason", [""])[-1].replace("\r\n", "\n").strip(),
        )


def errors_of(form: Form, requested: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return what is wrong with a form: pairs of field and message."""
    found: list[tuple[str, str]] = []
    ticked = len(form.ticked & set(requested))
    first = "decision-all"
    match form.decision:
        case "all" if 0 < ticked < len(requested):
            found.append(
                (first, f"You chose to approve all, but ticked {ticked} of {len(requested)}: choose one of the two.")
            )
        case "none" if ticked:
            found.append((first, f"You chose to reject all, but ticked {ticked}: choose one of the two."))
        case "some" if not ticked:
            found.append(
                ("change-1", "You chose to approve the ticked changes, but none is ticked: tick some, or reject all.")
            )
        case "all" | "none" | "some":
            pass
        case _:
            found.append((first, "Choose what to approve."))
    if form.ticked - set(requested):
        found.append(("change-1", "A ticked change is not part of this approval request."))
    if not form.by:
        found.append(("by", "Enter your name."))
    elif len(form.by) > LONGEST_NAME:
        found.append(("by", f"Enter a name of at most {LONGEST_NAME} characters."))
    if len(form.reason) > LONGEST_REASON:
        found.append(("reason", f"Enter a reason of at most {LONGEST_REASON} characters."))
    return tuple(found)


def approved(form: Form, requested: Mapping[str, str]) -> tuple[str, ...]:
    """Return the changes that a form without errors approves."""
    return {"all": tuple(requested), "some": tuple(form.ticked)}.get(form.decision, ())


def _single(raw_query: str) -> dict[str, str]:
    """Return the parameters that occur once; one that occurs twice is ambiguous."""
    try:
        found = parse_qs(raw_query, keep_blank_values=True, max_num_fields=20, errors="strict")
    except ValueError:
        return {}
    return {name: values[0] for name, values in found.items() if len(values) == 1}


def _body(event: Mapping[str, Any]) -> str:
    raw = str(event.get("body") or "")
    encoded = bool(event.get("isBase64Encoded"))
    if len(raw) > LARGEST_BODY * (4 / 3 if encoded else 1):
        raise BadRequest(413, f"The response has more than {LARGEST_BODY} bytes.")
    if not encoded:
        return raw
    try:
        return base64.b64decode(raw, validate=True).decode("utf-8", errors="replace")
    except binascii.Error as error:
        raise BadRequest(400, "The response cannot be decoded.") from error
