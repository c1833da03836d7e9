"""One execution environment of a function: the Runtime API, and the process of the runtime that asks it for calls."""

import base64
import json
import os
import queue
import shutil
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

HERE = Path(__file__).parent
_ROUTE = "/2018-06-01/runtime/"
_STREAM_ERROR = b"lambda-runtime-function-error-body"
_WITHIN_S = 30.0


class NoAnswer(RuntimeError):
    """The runtime did not answer a call; the message ends with its output."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a call. error: "", "invocation" or "init"."""

    payload: Any
    error: str = ""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RuntimeApi)
        self.calls: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self.answers: queue.Queue[Answer] = queue.Queue()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave a connection that ended with its process without a word."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def runtime_command(runtime: str) -> list[str]:
    """Return the command line of a runtime, `python` or `nodejs`, as its exec wrapper gets it."""
    if runtime.startswith("python"):
        return [sys.executable, str(HERE / "bootstrap.py")]
    return [str(shutil.which("node")), str(HERE / "index.mjs")]


class Environment:
    """A running environment; use it as a context manager.

    wrapper: the value of AWS_LAMBDA_EXEC_WRAPPER, empty without one.
    """

    def __init__(
        self, runtime: str, code: Path, handler: str, *, wrapper: str = "", variables: Mapping[str, str] | None = None
    ) -> None:
        self._server = _Server()
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self.log = ""
        environment = {
            "PATH": os.environ["PATH"],
            "_HANDLER": handler,
            "LAMBDA_TASK_ROOT": str(code),
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            **({"AWS_LAMBDA_EXEC_WRAPPER": wrapper} if wrapper else {}),
            **(variables or {}),
        }
        command = [*([wrapper] if wrapper else []), *runtime_command(runtime)]
        self._process = subprocess.Popen(
            command, cwd=code, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, event: Any) -> Answer:
        """Call the function; raise NoAnswer if its process ends or says nothing."""
        self._server.calls.put((str(uuid.uuid4()), json.dumps(event).encode()))
        until = time.monotonic() + _WITHIN_S
        while time.monotonic() < until:
            try:
                return self._server.answers.get(timeout=0.2)
            except queue.Empty:
                if self._process.poll() is not None and self._server.answers.empty():
                    break
        raise NoAnswer(f"the runtime did not answer: {self.log[-2000:]}")

    def ended(self) -> str:
        """Return everything that the process wrote, once it has ended."""
        self._process.wait(timeout=_WITHIN_S)
        self._reader.join()
        return self.log

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101  a pipe was asked for
        for line in self._process.stdout:
            self.log += line


class _RuntimeApi(BaseHTTPRequestHandler):
    server: "_Server"
    protocol_version = "HTTP/1.1"
    # Small answers are sent at once.
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        request_id, event = self.server.calls.get()
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + 3) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:eu-central-1:123456789012:function:orders",
            "Lambda-Runtime-Trace-Id": "Root=1-5759e988-bd862e3fe1be46a994272793",
            "Content-Type": "application/json",
        }
        self._respond(200, event, headers)

    def do_POST(self) -> None:
        body, failed = self._body()
        kind = self.path.removeprefix(_ROUTE)
        self._respond(202, b"{}", {})
        error = "init" if kind == "init/error" else "invocation" if failed or kind.endswith("/error") else ""
        self.server.answers.put(Answer(json.loads(body), error))

    def _body(self) -> tuple[bytes, bool]:
        """Return the body, and True if it is the error of a stream, which comes behind it."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0))), False
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        failed = False
        while line := self.rfile.readline().strip():
            name, _, value = line.partition(b": ")
            if name.lower() == _STREAM_ERROR:
                body, failed = base64.b64decode(value), True
        return body, failed

    def _respond(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass
