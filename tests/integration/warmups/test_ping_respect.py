"""A ping takes no concurrency from callers, and none is sent to a version that would run its own code."""

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from optimizer.core.ping import Warmed, Warmup
from optimizer.core.warm_layer import LAYER_NAME, SCRIPT, VARIABLE
from optimizer.store.ready_versions import ReadyVersions, VersionReadiness
from optimizer.warmups.callers import callers_at
from optimizer.warmups.event_sources import read_event_sources, why_nobody_waits
from optimizer.warmups.readiness import why_not_ready
from optimizer.warmups.sending.room import read_room
from optimizer.warmups.sending.warm import warm_alias

from tests.helpers.own_account import create_run_table

NOW = datetime(2026, 12, 1, 8, tzinfo=UTC)
LAYER = {
    "Environment": {"Variables": {VARIABLE: SCRIPT}},
    "Layers": [{"Arn": f"arn:aws:lambda:eu-west-1:123456789012:layer:{LAYER_NAME}:3"}],
}


class Function:
    """A function as Lambda shows it: `decorated` are the versions that answer pings."""

    def __init__(self, *decorated: str) -> None:
        self.decorated = set(decorated)
        self.version, self.weights = "7", dict[str, float]()
        self.reserved: int | None = None
        self.unreserved = 1000
        self.configuration: dict[str, Any] = {}
        self.fails = False
        self.refused = ""
        self.called: list[str] = []
        # The alias moves to this version between the check and the calls.
        self.raced_to = ""
        self._lock = threading.Lock()

    def get_function_concurrency(self, **_: Any) -> dict[str, Any]:
        if self.refused:
            raise ClientError({"Error": {"Code": self.refused, "Message": "no"}}, "GetFunctionConcurrency")
        return {} if self.reserved is None else {"ReservedConcurrentExecutions": self.reserved}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.unreserved}}

    def get_alias(self, **_: Any) -> dict[str, Any]:
        return {"FunctionVersion": self.version, "RoutingConfig": {"AdditionalVersionWeights": self.weights}}

    def get_function_configuration(self, **_: Any) -> dict[str, Any]:
        return {"CodeSha256": "sha-of-latest-code", **self.configuration}

    def invoke(self, **request: Any) -> dict[str, Any]:
        with self._lock:
            version = (self.raced_to or self.version) if request["Qualifier"] == "live" else request["Qualifier"]
            self.called.append(version)
            number = len(self.called)
        answer = {"optimizer_warmup": {"cold": True, "instance": f"i-{number}"}}
        if version not in self.decorated:
            answer = {"statusCode": 200, "body": "order placed"}  # type: ignore[dict-item]
        content = {"Payload": io.BytesIO(json.dumps(answer).encode()), "ExecutedVersion": version}
        return {**content, "FunctionError": "Unhandled"} if self.fails else content


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadyVersions]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        dynamodb: Any = boto3.client("dynamodb", "us-east-1")
        create_run_table(dynamodb)
        yield ReadyVersions(dynamodb, "optimizer")


def ping(function: Any, known: ReadyVersions, environments: int = 5, callers: int = 0, keep_free: int = 100) -> Warmed:
    warmup = Warmup("orders", "live", environments, 0, "run", "warmups-1", 1, callers, keep_free)
    return warm_alias(function, lambda _: function, known, warmup, NOW)


def ready(function: Any, known: ReadyVersions) -> str:
    return why_not_ready(function, lambda: function, known, "orders", "live", NOW)


def test_own_code_runs_once_and_never_again(known: ReadyVersions) -> None:
    """The tag is the function's; the version behind the alias is not decorated."""
    function = Function()
    said = [ping(function, known) for _ in range(5)]
    assert function.called == ["7"]
    assert all(one.asked == 0 and "version 7 does not answer pings" in one.held_back for one in said)
    assert "order placed" in ready(function, known)
    assert function.called == ["7"]


def test_a_version_is_asked_once_and_its_answer_kept(known: ReadyVersions) -> None:
    function = Function("7")
    assert ping(function, known).environments == 5
    assert ping(function, known).environments == 5
    assert len(function.called) == 11


@pytest.mark.parametrize(("first", "then"), [("7", "8"), ("8", "9")])
def test_a_deploy_in_the_middle_of_a_plan_is_asked_first(known: ReadyVersions, first: str, then: str) -> None:
    function = Function(first)
    function.version = first
    assert ping(function, known).environments == 5
    function.version = then
    assert ping(function, known).asked == 0
    assert function.called.count(then) == 1
    # A rollback is pinged again, without asking again.
    function.version, function.called = first, []
    assert ping(function, known).environments == 5
    assert len(function.called) == 5


def test_an_undecorated_canary_stops_pings_until_it_ends(known: ReadyVersions) -> None:
    """Pings of the alias would reach it by its share of the calls."""
    function = Function("7")
    function.weights = {"8": 0.1}
    assert "version 8 does not answer" in ping(function, known).held_back
    assert function.called == ["7", "8"]
    function.weights = {}
    assert ping(function, known).environments == 5


def test_a_deploy_that_races_with_a_ping_is_remembered(known: ReadyVersions) -> None:
    function = Function("7")
    ping(function, known, environments=1)
    function.raced_to, function.called = "8", []
    raced = ping(function, known, environments=1)
    assert (raced.failed, list(raced.own_code)) == (1, ["8"])
    function.version = "8"
    assert ping(function, known).asked == 0
    assert function.called == ["8"]


def test_a_version_that_fails_on_its_first_ping_stays_off(known: ReadyVersions) -> None:
    function = Function("7")
    function.fails = True
    assert "the function failed" in ping(function, known).held_back
    function.fails = False
    assert ping(function, known).asked == 0
    assert function.called == ["7"]


def test_a_failure_after_an_answer_is_not_its_own_code(known: ReadyVersions) -> None:
    function = Function("7")
    ping(function, known)
    function.fails = True
    assert ping(function, known).failed == 5
    function.fails = False
    assert ping(function, known).environments == 5


def test_the_layer_in_the_configuration_answers_without_a_call(known: ReadyVersions) -> None:
    function = Function("7")
    function.configuration = LAYER
    assert ready(function, known) == ""
    assert function.called == []


def test_code_of_latest_is_remembered_by_its_hash(known: ReadyVersions) -> None:
    function = Function()
    function.version = "$LATEST"
    assert ready(function, known)
    function.configuration = {"CodeSha256": "other-code-of-latest"}
    function.decorated = {"$LATEST"}
    assert ready(function, known) == ""
    assert function.called == ["$LATEST", "$LATEST"]


def test_that_own_code_ran_is_never_replaced(known: ReadyVersions) -> None:
    known.record("orders", VersionReadiness("7", is_ready=False, why="order placed", at=NOW))
    known.record("orders", VersionReadiness("7", is_ready=True, why="it answered a ping", at=NOW + timedelta(days=1)))
    found = known.read("orders", "7")
    assert found is not None
    assert (found.is_ready, found.why, found.at) == (False, "order placed", NOW)
    assert known.read("orders", "8") is None


@pytest.mark.parametrize(
    ("reserved", "callers", "asked"),
    [(0, 0, 0), (1, 0, 0), (3, 0, 2), (3, 2, 1), (3, 3, 0), (3, 9, 0), (50, 4, 5), (None, 0, 5)],
)
def test_pings_leave_of_the_reservation_what_callers_need(
    known: ReadyVersions, reserved: int | None, callers: int, asked: int
) -> None:
    """One place stays free even where nobody is expected."""
    function = Function("7")
    function.reserved = reserved
    warmed = ping(function, known, callers=callers)
    assert (warmed.asked, warmed.environments) == (asked, asked)
    assert len(function.called) == (asked + 1 if asked else 0)
    assert bool(warmed.held_back) is (asked < 5)


@pytest.mark.parametrize(
    ("unreserved", "keep_free", "asked"), [(10, 100, 0), (103, 100, 3), (1000, 100, 5), (10, 8, 2)]
)
def test_pings_leave_the_account_what_must_stay_free(
    known: ReadyVersions, unreserved: int, keep_free: int, asked: int
) -> None:
    function = Function("7")
    function.unreserved = unreserved
    warmed = ping(function, known, keep_free=keep_free)
    assert warmed.asked == asked
    assert asked == 5 or f"unreserved concurrency of {unreserved}" in warmed.held_back


@pytest.mark.parametrize("code", ["AccessDeniedException", "TooManyRequestsException"])
def test_a_ping_whose_room_is_unknown_is_not_sent(known: ReadyVersions, code: str) -> None:
    function = Function("7")
    function.refused = code
    with pytest.raises(ClientError, match=code):
        ping(function, known)
    assert function.called == []


def test_a_function_that_is_gone_is_a_ping_that_failed(known: ReadyVersions) -> None:
    function = Function("7")
    function.refused = "ResourceNotFoundException"
    warmed = ping(function, known)
    assert (warmed.asked, warmed.calls) == (1, len(function.called)) == (1, 1)


def test_room_names_the_reservation_only_where_there_is_one() -> None:
    function: Any = Function()
    assert read_room(function, "orders", 0, 100).reserved is None
    function.reserved = 0
    assert read_room(function, "orders", 0, 100).reserved == 0


def test_callers_are_counted_at_the_local_time_of_day() -> None:
    """Clocks went back on 25 October: nine o'clock in Berlin was 07:00 UTC before it and is 08:00 UTC after it."""
    measured = {
        datetime(2026, 10, 24, 7, 0, tzinfo=UTC): 4.0,
        datetime(2026, 10, 25, 8, 3, tzinfo=UTC): 6.0,
        datetime(2026, 10, 25, 8, 1, tzinfo=UTC): 50.0,
    }
    pinged = {int(datetime(2026, 10, 25, 8, 1, tzinfo=UTC).timestamp()) // 60}
    nine = int(datetime(2026, 10, 26, 8, 0, tzinfo=UTC).timestamp()) // 60
    assert callers_at([nine, nine - 1, nine - 5, nine + 60], measured, pinged, "Europe/Berlin") == [6, 4, 0, 0]
    assert callers_at([nine], {}, set(), "Europe/Berlin") == [0]


class Listing:
    """Event source mappings in pages."""

    def __init__(self, *mappings: dict[str, Any]) -> None:
        self.mappings = mappings

    def get_paginator(self, name: str) -> Any:
        assert name == "list_event_source_mappings"
        return self

    def paginate(self) -> list[dict[str, Any]]:
        return [{"EventSourceMappings": [mapping]} for mapping in self.mappings]


ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:incoming"


@pytest.mark.parametrize(
    ("mapping", "left_alone"),
    [
        ({"FunctionArn": f"{ARN}:live", "EventSourceArn": QUEUE, "State": "Enabled"}, True),
        ({"FunctionArn": f"{ARN}:7", "EventSourceArn": QUEUE, "State": "Enabled"}, True),
        ({"FunctionArn": f"{ARN}:live", "SelfManagedEventSource": {}, "State": "Creating"}, True),
        ({"FunctionArn": f"{ARN}:live", "EventSourceArn": QUEUE, "State": "Disabled"}, False),
        # It calls $LATEST, another alias, or another function.
        ({"FunctionArn": ARN, "EventSourceArn": QUEUE, "State": "Enabled"}, False),
        ({"FunctionArn": f"{ARN}:blue", "EventSourceArn": QUEUE, "State": "Enabled"}, False),
        ({"FunctionArn": f"{ARN}-archive:live", "EventSourceArn": QUEUE, "State": "Enabled"}, False),
    ],
)
def test_nobody_waits_for_what_a_queue_or_stream_calls(mapping: dict[str, Any], left_alone: bool) -> None:
    listing: Any = Listing(mapping)
    reason = why_nobody_waits(read_event_sources(listing), ARN, ("live", "7"))
    assert bool(reason) is left_alone
    assert not left_alone or "nobody waits" in reason
