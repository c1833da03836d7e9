"""Test in the local account that pings take nothing from callers and run no code of the function's own."""

import io
import json
import threading
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.targets import create_targets
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.core.clock import minute_of
from optimizer.core.ping import Ping
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.run_store import RunStore

pytestmark = pytest.mark.e2e
# It answers nothing that a ping could use, and counts the orders that it takes.
OWN_CODE = """
orders = 0

def handler(event, context):
    global orders
    orders += 1
    return {"orders": orders}
"""


@pytest.fixture(scope="module")
def shop(deployed: Any) -> "Shop":
    return Shop(deployed)


class Shop:
    """Functions of a team, and the application's Lambdas that ping them."""

    def __init__(self, deployed: Any) -> None:
        session, self.application = deployed.account.session, deployed.application
        self.ready = next(f for f in deployed.account.fleet if f.alias and f.tags.get("optimizer:warmup") == "ready")
        self.session = session
        self.lambda_: Any = session.client("lambda")
        self.store = RunStore(session.client("dynamodb"), self.application.table)
        self.documents = Documents(session.client("s3"), self.application.bucket)
        pages = self.lambda_.get_paginator("list_functions").paginate()
        self.names = [function["FunctionName"] for page in pages for function in page["Functions"]]

    def function(self, name: str) -> str:
        """Create a function whose version answers pings; return its ARN."""
        create_targets(self.session, [replace(self.ready, name=name)], datetime.now(UTC))
        return str(self.lambda_.get_function_configuration(FunctionName=name)["FunctionArn"])

    def deploy(self, name: str) -> str:
        """Publish another version that answers pings, and move the alias to it; return the version."""
        self.lambda_.update_function_configuration(FunctionName=name, Description="another version")
        self.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
        version = str(self.lambda_.publish_version(FunctionName=name)["Version"])
        self.lambda_.update_alias(FunctionName=name, Name=self.ready.alias, FunctionVersion=version)
        return version

    def deploy_own_code(self, name: str) -> None:
        """Publish a version that is not decorated, and move the alias to it."""
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("app.py", OWN_CODE)
        self.lambda_.update_function_code(FunctionName=name, ZipFile=package.getvalue())
        self.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)
        version = self.lambda_.publish_version(FunctionName=name)["Version"]
        self.lambda_.update_alias(FunctionName=name, Name=self.ready.alias, FunctionVersion=version)

    def orders(self, name: str) -> int:
        """Return how often the version's own code ran: calls one after the other meet the same environment."""
        version = self.lambda_.get_alias(FunctionName=name, Name=self.ready.alias)["FunctionVersion"]
        answer = self.lambda_.invoke(FunctionName=name, Qualifier=version, Payload=b"{}")
        return int(json.loads(answer["Payload"].read())["orders"]) - 1

    def apply(self, arn: str, run_id: str) -> dict[str, Any]:
        """Apply a plan of pings that begin in an hour."""
        now = datetime.now(UTC)
        change = Change(
            run_id=run_id,
            tuner=Tuner.WARMUPS,
            action="schedule_warmups",
            target=arn,
            before={"schedules": 0, "plans": []},
            after={
                "pings": 6,
                "most_environments": 3,
                "usd_day": 0.0001,
                "alias": self.ready.alias,
                "timezone": "UTC",
                "hold_ms": 200,
                "hours": 2,
                "from": (now.replace(second=0, microsecond=0) + timedelta(hours=1)).isoformat(),
                "schedule": [[0, 5, 2, 3]],
            },
            reason="a rise is expected",
            undo={"action": "delete_schedules", "schedules": 2},
            risk=Risk.LOW,
            evidence={"cold_starts_avoided": 3.0, "errors_share": 0.01},
        )
        self.documents.write(f"runs/{run_id}/policy.json", {"version": 1})
        self.store.record_change(change, Status.APPROVED, now)
        return self.call("change_warmups", {"step": "apply", "run_id": run_id, "change_id": change.id})

    def ping(self, name: str, environments: int, change_id: str = "warmups-respect") -> dict[str, Any]:
        """Send one ping, as its schedule does."""
        event = {
            "function_name": name,
            "alias": self.ready.alias,
            "environments": environments,
            "hold_ms": 200,
            "run_id": "run-respect",
            "change_id": change_id,
            "minute": minute_of(datetime.now(UTC)),
            "callers": 1,
            "keep_free": 100,
        }
        return self.call("warm_function", event)

    def call(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        name = next(one for one in self.names if one.endswith(f"-{function}"))
        response = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event))
        answer: dict[str, Any] = json.loads(response["Payload"].read())
        assert "FunctionError" not in response, answer
        return answer

    @contextmanager
    def callers(self, name: str) -> Iterator[list[str]]:
        """Let one caller after the other call the function; yield how each call ended."""
        ended: list[str] = []
        stop = threading.Event()

        def call() -> None:
            client: Any = self.session.client("lambda")
            while not stop.is_set():
                try:
                    client.invoke(FunctionName=name, Qualifier=self.ready.alias, Payload=b"{}")
                    ended.append("served")
                except client.exceptions.TooManyRequestsException:
                    ended.append("throttled")

        caller = threading.Thread(target=call)
        caller.start()
        try:
            yield ended
        finally:
            stop.set()
            caller.join()


def test_own_code_runs_once_and_stays_off_until_the_next_version(shop: Shop) -> None:
    """The tag is the function's, and the version behind the alias is not decorated."""
    arn = shop.function("undecorated")
    shop.deploy_own_code("undecorated")
    for run_id in ("run-respect-1", "run-respect-2"):
        answer = shop.apply(arn, run_id)
        assert (answer["outcome"], answer["rule"]) == ("refused", "warmups.not_ready"), answer
    assert shop.ping("undecorated", 3)["outcome"] == "held_back"
    assert shop.orders("undecorated") == 1


def test_a_deploy_in_the_middle_of_a_plan_runs_its_own_code_once(shop: Shop) -> None:
    arn = shop.function("deployed-over")
    assert shop.apply(arn, "run-respect-3")["outcome"] == "applied"
    assert shop.ping("deployed-over", 3)["environments"] == 3
    shop.deploy_own_code("deployed-over")
    for _ in range(3):
        answer = shop.ping("deployed-over", 3)
        assert (answer["outcome"], answer["asked"]) == ("held_back", 0), answer
    assert shop.orders("deployed-over") == 1


def test_a_version_is_warm_within_a_minute_of_its_deploy(shop: Shop) -> None:
    """EventBridge tells of the alias; nobody else pings it in this hour."""
    arn = shop.function("deployed-warm")
    change_id = shop.apply(arn, "run-respect-deploy")["change_id"]
    assert shop.ping("deployed-warm", 3, change_id)["environments"] == 3
    deployed = datetime.now(UTC)
    version = shop.deploy("deployed-warm")
    log = PingLog(shop.session.client("dynamodb"), shop.application.table)
    pings: list[Ping] = []
    while not pings:
        assert datetime.now(UTC) < deployed + timedelta(minutes=1), "no ping after the deploy"
        time.sleep(0.5)
        now = minute_of(datetime.now(UTC))
        pings = [ping for ping in log.between("deployed-warm", now - 2, now + 1) if ping.after_deploy]
    assert (pings[0].environments, pings[0].failed) == (3, 0), pings
    # The version's first environments were started for it: the next three calls at once meet no cold one.
    assert pings[0].cold >= 2
    answer = shop.ping("deployed-warm", 3, change_id)
    assert (answer["environments"], answer["cold"]) == (3, 0), answer
    assert shop.lambda_.get_alias(FunctionName="deployed-warm", Name=shop.ready.alias)["FunctionVersion"] == version


@pytest.mark.parametrize(("reserved", "asked"), [(3, 2), (0, 0)])
def test_pings_throttle_no_caller_of_a_reserved_function(shop: Shop, reserved: int, asked: int) -> None:
    name = f"reserved-{reserved}"
    arn = shop.function(name)
    assert shop.apply(arn, f"run-respect-{name}")["outcome"] == "applied"
    shop.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
    if not reserved:
        assert shop.ping(name, 5)["held_back"] == "its reserved concurrency is 0"
        return
    with shop.callers(name) as ended:
        answers = [shop.ping(name, 5) for _ in range(5)]
    assert {(one["asked"], one["failed"]) for one in answers} == {(asked, 0)}, answers
    assert len(ended) > 5
    assert set(ended) == {"served"}


def test_a_plan_for_a_function_without_concurrency_is_refused(shop: Shop) -> None:
    arn = shop.function("braked")
    shop.lambda_.put_function_concurrency(FunctionName="braked", ReservedConcurrentExecutions=0)
    answer = shop.apply(arn, "run-respect-braked")
    assert (answer["outcome"], answer["rule"]) == ("refused", "warmups.concurrency"), answer
