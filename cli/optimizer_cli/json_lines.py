"""The protocol of `optimizer plan` for programs: one JSON object a line in, one answer a line out, in order."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TextIO


class UnusableRequest(ValueError):
    """The planner cannot read a request; the message names the field and the reason."""


def serve(lines: Iterable[str], out: TextIO, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer each line; an unreadable request gets `{"error": ...}` with its line. Return the number of those."""
    unreadable = 0
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise UnusableRequest("a request is a JSON object")
            reply = answer(request)
        except json.JSONDecodeError as error:
            unreadable += 1
            reply = {"error": f"line {number}, column {error.colno}: not JSON: {error.msg}"}
        except UnusableRequest as error:
            unreadable += 1
            reply = {"error": f"line {number}: {error}"}
        out.write(json.dumps(reply) + "\n")
        out.flush()
    return unreadable
