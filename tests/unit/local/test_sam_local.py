"""Test how `make sam-local` reads the output of `sam local invoke`, and that it leaves no function out."""

import json
import socket
import socketserver
import threading
from typing import Any

import pytest
import yaml
from local_account.sam_local import template
from local_account.sam_local.expected import EXPECTED, ORDER
from local_account.sam_local.invoke import Answer, NotReached
from local_account.sam_local.relay import relay
from local_account.sam_local.wrapped import judge
from shipped_template import ROOT

OURS = '  File "/var/task/app.py", line 19, in handler\n    return start(\n'


def error(**more: object) -> str:
    return json.dumps({"errorType": "NoSuchChange", "errorMessage": "no change x is recorded", **more})


def test_every_function_has_an_event_and_an_expected_answer() -> None:
    functions = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert set(EXPECTED) == functions == {path.stem for path in (ROOT / "events").glob("*.json")}
    assert sum(len(stage) for stage in ORDER) == len(EXPECTED)


def test_answers_are_named_by_outcome_and_pages_by_status() -> None:
    assert Answer.read('{"outcome": "started", "targets": 2}').kind == "started"
    page = Answer.read('{"statusCode": 403, "body": "<html>"}')
    assert (page.kind, "html" in page.line) == ("403", False)


def test_handler_errors_are_named_by_their_class_in_one_line() -> None:
    answer = Answer.read(error(stackTrace=[OURS]))
    assert (answer.kind, answer.line, answer.in_one_line) == ("NoSuchChange", "no change x is recorded", True)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "null",
        "Error: Running AWS SAM projects locally requires a container runtime.",
        error(),
        error(stackTrace=["  File"]),
    ],
)
def test_output_without_a_handler_is_no_answer(said: str) -> None:
    with pytest.raises(NotReached):
        Answer.read(said)


def test_functions_are_found_by_the_last_part_of_their_names() -> None:
    text = """
      Resources:
        Table: {Type: "AWS::DynamoDB::Table"}
        StartRun:
          Type: AWS::Serverless::Function
          Properties: {FunctionName: {"Fn::Sub": "${AWS::StackName}-start_run"}}
    """
    assert template.functions(yaml.safe_load(text)) == {"start_run": "StartRun"}


def test_relay_passes_connections_to_the_server_behind_it() -> None:
    class Echo(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"said " + self.rfile.read())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            relay("127.0.0.2", server.server_address[1]) as port,
            socket.create_connection(("127.0.0.2", port), timeout=5) as connection,
        ):
            connection.sendall(b"hello")
            connection.shutdown(socket.SHUT_WR)
            assert connection.makefile("rb").read() == b"said hello"
        server.shutdown()


ANSWER = {"optimizer_warmup": {"cold": True, "instance": "1"}}
FAILED = {
    "errorType": "KeyError",
    "errorMessage": "'no such order'",
    "requestId": "1",
    "stackTrace": ["/var/task/app.py"],
}


@pytest.mark.parametrize(
    ("event", "wrapped", "plain", "problem"),
    [
        ("ping", (ANSWER, False), None, ""),
        ("ping", (ANSWER, True), None, "its own code ran"),
        ("ping", ({"ran": 1}, False), None, "no answer of the protocol"),
        ("call", ({"ran": 1}, True), ({"ran": 1}, True), ""),
        ("call", ({"ran": 1}, False), ({"ran": 1}, True), ""),
        ("call", ({"ran": 2}, True), ({"ran": 1}, True), 'without the layer: {"ran": 1}'),
        ("error", ({**FAILED, "requestId": "2"}, True), (FAILED, True), ""),
        ("error", ({**FAILED, "errorType": "ValueError"}, True), (FAILED, True), "without the layer: "),
    ],
)
def test_layer_is_judged_beside_the_function_without_it(event: str, wrapped: Any, plain: Any, problem: str) -> None:
    found = judge("python", event, {("python", event, True): wrapped, ("python", event, False): plain})
    assert found.problem.startswith(problem)
    assert bool(found.problem) == bool(problem)
