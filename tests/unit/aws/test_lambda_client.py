"""The client of Lambda: its pace, and the fields that its SDK does not know."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from optimizer.aws.environment import Environment
from optimizer.aws.lambda_client import (
    CallBudget,
    configuration_of,
    has_alias,
    keep_unknown_fields,
    pace,
    refuses_pings,
    share_of_calls,
)


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_budget_spaces_calls_by_its_rate() -> None:
    time = Time()
    budget = CallBudget(2.0, lambda: time.now, time.sleep)
    for _ in range(5):
        budget.take()
    assert time.now == pytest.approx(102.0)


def test_budget_saves_nothing_for_a_burst() -> None:
    time = Time()
    budget = CallBudget(2.0, lambda: time.now, time.sleep)
    budget.take()
    time.now += 60
    for _ in range(3):
        budget.take()
    assert sum(time.slept) == pytest.approx(1.0)


def test_budget_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="above 0"):
        CallBudget(0)


@pytest.mark.parametrize(
    ("calls", "batches", "at_once", "share"), [("", "", None, 7.5), ("6", "4", None, 1.5), ("6", "4", 3, 2.0)]
)
def test_share_of_calls_is_divided_among_those_at_work(
    calls: str, batches: str, at_once: int | None, share: float
) -> None:
    environment = Environment("t", "b", "a", "p", lambda_calls_a_second=calls, batches_at_once=batches)
    assert share_of_calls(environment, at_once) == share


class Answers(BaseHTTPRequestHandler):
    """Answers every request with one function; refuses the first `refusals` of them."""

    configuration: Mapping[str, Any] = {}
    refusals = 0
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        refused = type(self).refusals > 0
        type(self).refusals -= refused
        document = {"message": "Rate exceeded"} if refused else {"Configuration": dict(self.configuration), "Tags": {}}
        body = json.dumps(document).encode()
        self.send_response(429 if refused else 200)
        if refused:
            self.send_header("x-amzn-errortype", "TooManyRequestsException")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def lambda_client(configuration: Mapping[str, Any], without: str = "", refusals: int = 0) -> Iterator[Any]:
    """Provide a client of a stand-in. without: a field of the configuration that the SDK does not know."""
    handler = type("Handler", (Answers,), {"configuration": configuration, "refusals": refusals})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    session = botocore.session.Session()
    session.set_credentials("key", "secret")
    # All sessions of a test process share one loader.
    loader = session.get_component("data_loader")
    original = loader.load_service_model
    if without:
        model = json.loads(json.dumps(loader.load_service_model("lambda", "service-2")))
        del model["shapes"]["FunctionConfiguration"]["members"][without]
        loader.load_service_model = lambda service, kind, **version: (
            model if (service, kind) == ("lambda", "service-2") else original(service, kind, **version)
        )
    made = session.create_client(
        "lambda",
        "eu-west-1",
        endpoint_url=f"http://127.0.0.1:{server.server_port}",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    try:
        yield made
    finally:
        loader.load_service_model = original
        server.shutdown()
        server.server_close()


FIELDS = {
    "TenancyConfig": ({"TenantIsolationMode": "PER_TENANT"}, "tenant isolation"),
    "DurableConfig": ({"ExecutionTimeout": 60}, "durable"),
    "CapacityProviderConfig": ({"LambdaManagedInstancesCapacityProviderConfig": {}}, "managed instances"),
}


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("field", FIELDS)
def test_kind_of_a_function_is_known_to_any_sdk(field: str, known: bool) -> None:
    """An SDK that is older than a kind of function drops its field; it is read from the answer as it came."""
    value, words = FIELDS[field]
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
    if field == "CapacityProviderConfig":
        value = {"LambdaManagedInstancesCapacityProviderConfig": {"CapacityProviderArn": arn}}
    with lambda_client({"FunctionName": "orders", field: value}, without="" if known else field) as client:
        keep_unknown_fields(client)
        configuration = configuration_of(client.get_function(FunctionName="orders"))
    assert configuration[field] == value
    assert words in refuses_pings(configuration)


def test_ordinary_function_takes_pings() -> None:
    with lambda_client({"FunctionName": "orders"}, without="DurableConfig") as client:
        keep_unknown_fields(client)
        assert refuses_pings(configuration_of(client.get_function(FunctionName="orders"))) == ""


def test_each_attempt_waits_for_its_turn() -> None:
    """GetFunction has a budget of its own, and a call that is tried again takes another turn."""
    takes: Counter[float] = Counter()

    def budget(rate: float) -> Any:
        return type("Budget", (), {"take": lambda _self: takes.update([rate])})()

    with lambda_client({"FunctionName": "orders"}, refusals=1) as client:
        pace(client, 1.5, budget)
        client.get_function(FunctionName="orders")
        client.get_alias(FunctionName="orders", Name="live")
        client.list_aliases(FunctionName="orders")
    assert takes == {10.0: 2, 1.5: 2}


class Functions:
    """Lambda with a function `orders`. refused: the error for each qualifier; other calls succeed."""

    def __init__(self, refused: dict[str, str]) -> None:
        self.refused = refused

    def get_function(self, FunctionName: str, Qualifier: str = "") -> dict[str, Any]:  # noqa: N803
        assert FunctionName == "orders"
        if code := self.refused.get(Qualifier):
            raise ClientError({"Error": {"Code": code, "Message": "no"}}, "GetFunction")
        return {}


@pytest.mark.parametrize(
    ("refused", "expected"),
    [
        ({}, True),
        ({"live": "ResourceNotFoundException"}, False),
        ({"live": "AccessDeniedException"}, False),
        ({"live": "AccessDeniedException", "": "AccessDeniedException"}, True),
        ({"live": "TooManyRequestsException"}, True),
    ],
    ids=["there", "not there", "no right to what is not there", "no right at all", "throttled"],
)
def test_alias_is_missing_only_where_that_is_known(refused: dict[str, str], expected: bool) -> None:
    """IAM answers for an alias that does not exist as for one without the tag that the right asks for."""
    client: Any = Functions(refused)
    assert has_alias(client, "orders", "live") is expected
