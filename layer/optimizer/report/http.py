"""Responses of show_report: a page of a report for whoever has a link to it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from optimizer.report.links import ReportLink, parse
from optimizer.store import Documents, NoSuchDocument

_HEADERS = {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
_TYPES = {"html": "text/html; charset=utf-8", "json": "application/json"}
_PLAIN = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<meta name="color-scheme" content="light dark"><title>{title}</title><h1>{title}</h1><p>{text}</p></html>'
)


def respond_to_report_request(
    event: Mapping[str, Any], documents: Documents, is_valid: Callable[[ReportLink, bytes], bool], now: datetime
) -> dict[str, Any]:
    """Return the response to a request of the function URL (payload format 2.0).

    Nothing is read before the link is verified.
    """
    context = event.get("requestContext")
    http = context.get("http") if isinstance(context, dict) else None
    method = http.get("method") if isinstance(http, dict) else None
    if method not in ("GET", "HEAD"):
        return _error_page(405, "Method not allowed", "This page can only be read.", {"Allow": "GET, HEAD"})
    asked = parse(str(event.get("rawPath") or ""))
    if asked is None:
        return _error_page(404, "No such page", "The address is incomplete. Open the link of the message again.")
    if asked.link.expires_at <= now.timestamp():
        return _error_page(410, "This link has expired", "Fetch the report with: optimizer report RUN")
    if not is_valid(asked.link, asked.mac):
        return _error_page(403, "This link is not valid", "Open the link of the message again.")
    folder = f"runs/{asked.link.run_id}"
    try:
        key = f"{folder}/report.json" if asked.file == "report.json" else f"{folder}/report/{asked.file}"
        body = documents.read_bytes(key).decode()
    except NoSuchDocument:
        return _error_page(404, "No such page", "The report of the run has no page of this name.")
    kind = _TYPES[asked.file.rpartition(".")[2]]
    return {"statusCode": 200, "headers": {**_HEADERS, "Content-Type": kind}, "body": body if method == "GET" else ""}


def _error_page(status: int, title: str, text: str, more: Mapping[str, str] | None = None) -> dict[str, Any]:
    headers = {**_HEADERS, "Content-Type": _TYPES["html"], **(more or {})}
    return {"statusCode": status, "headers": headers, "body": _PLAIN.format(title=title, text=text)}
