"""The request with which CloudFormation deletes the custom resource of leaving, and the address that it answers to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def deletion() -> Iterator[tuple[dict[str, str], list[dict[str, Any]]]]:
    """Yield the request, and the answers so far."""
    answers: list[dict[str, Any]] = []

    class Answers(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            answers.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    request = {"RequestType": "Delete", "StackId": "stack", "RequestId": "request", "LogicalResourceId": "Leaving"}
    try:
        yield request | {"ResponseURL": f"http://127.0.0.1:{server.server_port}/answer"}, answers
    finally:
        server.shutdown()
        server.server_close()
