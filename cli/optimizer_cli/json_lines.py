"""Programs talk to `optimizer plan`: one JSON object per line in, one answer per line out, in order."""

import json
from collections.abc import Callable, Iterable
from typing import Any, TextIO


class UnusableRequest(ValueError):
    """A request that the planner cannot read; the message says which field and why."""


def serve(lines: Iterable[str], out: TextIO, answer: Callable[[dict[str, Any]], dict[str, Any]]) -> int:
    """Answer each line; a request that cannot be read gets `{"error": ...}` with its line. Returns how many did."""
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
