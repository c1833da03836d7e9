"""Let one call of the AWS SDK go wrong, in each of the ways in which a call can."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import botocore.client
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError


class Killed(BaseException):
    """The process is gone: nothing in the code under test may catch it."""


class Fault(StrEnum):
    """The fault of one call, after all retries of the SDK; with CUT the call succeeded and its response was lost."""

    THROTTLED = "throttled"
    REFUSED = "refused"
    SLOW = "slow"
    CUT = "cut"
    TWICE = "answered twice"
    KILLED_BEFORE = "killed before"
    KILLED_AFTER = "killed after"


# The SDK sends the same token with every try, and the service answers as it did the first time.
KNOWN_BY_TOKEN = {"TransactWriteItems"}

type Call = Callable[[], Any]
type Answer = Callable[[dict[str, Any]], Any]


@dataclass
class FaultyAws:
    """A counter of calls that lets number `place` (from 1) go wrong once.

    `answers` stands for services that moto does not have or is slow at, by operation.
    """

    answers: dict[str, Answer] = field(default_factory=dict)
    place: int = 0
    fault: Fault | None = None
    meanwhile: Callable[[], object] | None = None
    made: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Route the calls of all clients through here from now on."""
        own = botocore.client.BaseClient._make_api_call

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            answer = self.answers.get(operation)
            tries = (client.meta.config.retries or {}).get("total_max_attempts")
            if answer is None:
                return self._call(operation, lambda: own(client, operation, dict(parameters)), tries)
            try:
                return self._call(operation, lambda: answer(parameters), tries)
            except ClientError as error:
                # The error has the class by which callers catch it.
                code = error.response["Error"]["Code"]
                raise client.exceptions.from_code(code)(error.response, operation) from None

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)

    def arm(self, place: int, fault: Fault | None) -> None:
        """Start counting from one again."""
        with self._lock:
            self.made.clear()
            self.place, self.fault, self.meanwhile = place, fault, None

    def at(self, place: int, meanwhile: Callable[[], object]) -> None:
        """Start counting from one again, and call a function just before that call."""
        self.arm(place, None)
        self.meanwhile = meanwhile

    def _call(self, operation: str, act: Call, tries: int | None) -> Any:
        with self._lock:
            self.made.append(operation)
            here = len(self.made) == self.place
            fault, meanwhile = (self.fault, self.meanwhile) if here else (None, None)
        if meanwhile is not None:
            self.arm(0, None)
            meanwhile()
        match fault:
            case None:
                return act()
            case Fault.THROTTLED:
                raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, operation)
            case Fault.REFUSED:
                raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": "not allowed"}}, operation)
            case Fault.SLOW:
                raise ReadTimeoutError(endpoint_url="https://example.invalid")
            case Fault.KILLED_BEFORE:
                raise Killed(operation)
            case Fault.CUT:
                act()
                raise ConnectionClosedError(endpoint_url="https://example.invalid")
            case Fault.KILLED_AFTER:
                act()
                raise Killed(operation)
            case Fault.TWICE:
                # A client that never tries again sends nothing twice, and DynamoDB knows a transaction by its token.
                return act() if tries == 1 or operation in KNOWN_BY_TOKEN else (act(), act())[1]
