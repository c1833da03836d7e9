"""Serve the approval page by a real HTTP server on this machine, as the function URL serves it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from optimizer.approvals import PageServices, respond_to_page_request

from tests.helpers.asking import NOW, Asking, url_event


@dataclass(slots=True)
class PageServer:
    """A server that answers requests by the rules of `office` at the time `now`.

    `log` holds method and status of each.
    """

    office: Asking
    now: datetime = NOW
    log: list[tuple[str, int]] = field(default_factory=list)

    def answer(self, url: str, method: str, body: str, headers: dict[str, str]) -> Any:
        event = url_event(url, method, body=body, headers=headers)
        services = PageServices(
            self.office.store, self.office.signatures, self.office.tell_run, self.office.tell_people
        )
        return respond_to_page_request(event, services, self.now)[1]


@contextmanager
def page_server(office: Asking) -> Iterator[PageServer]:
    """Yield a server; links that `office` sends lead to it."""
    pages = PageServer(office)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(pages))
    office.base = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(pages: PageServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = pages.answer(self.path, self.command, self.rfile.read(length).decode(), headers)
            pages.log.append((self.command, answer["statusCode"]))
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            body = answer["body"].encode()
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - names of http.server

        def log_message(self, *_: Any) -> None:
            """Log nothing: every request of every test would be too many lines."""

    return Handler
