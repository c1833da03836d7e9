"""Plant secrets wherever the application comes across one, and find none of them in the data that its runs leave."""

import json
import re
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from local_account.servers import HOST
from local_account.servers.postgresql import WHEEL_16

from tests.helpers.e2e.everything_kept import kept, spellings
from tests.helpers.e2e.running import Execution, Inbox, Message, Running, subscribed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

RUN = "planted"
REFUSED = "planted-refused"
# docs/architecture.md, show_report.
SIGNED = re.compile(r"/\d{10}\.([^/]+)/")
SECRET_NAME = "planted-database"
# Other tests change these functions, and need them without recent changes.
LEFT_TO_OTHERS = (0, 1, 4, 9)
# Statistics that were never gathered are the smallest task in a database.
TABLE = [
    "CREATE TABLE orders (id int PRIMARY KEY, note text)",
    "INSERT INTO orders SELECT n, 'note' FROM generate_series(1, 6000) n",
    "DELETE FROM orders WHERE id > 5900",
    "SELECT pg_stat_force_next_flush()",
    "VACUUM orders",
]


@dataclass(frozen=True, slots=True)
class Planted:
    """The planted secrets and those that came up, by their kind, and the runs that came across them.

    Also their places while a run waited for its response, and at the end, and all places that were searched.
    """

    secrets: dict[str, str]
    run: Execution
    refused: Execution
    plan: dict[str, Any]
    waiting: dict[str, set[str]]
    found: dict[str, set[str]]
    seen: list[str]


@pytest.fixture(scope="module")
def planted(deployed: Any, server: Callable[..., Any]) -> Planted:
    running = Running(deployed)
    running.settle()
    schedules, since = set(running.schedules()), datetime.now(UTC)
    known = {what: secrets.token_hex(16) for what in ("database password", "Redis AUTH", "variable of a function")}
    targets = [t.name for place, t in enumerate(running.fleet) if t.tags and t.alias and place not in LEFT_TO_OTHERS]
    try:
        with (
            subscribed(deployed.account.session, deployed.application.programs_topic_arn) as inbox,
            database(running, server(WHEEL_16), known["database password"]) as policy_of_database,
            variables(running, targets, known["variable of a function"]),
        ):
            refused = run_with_a_password_in_the_policy(running, known["Redis AUTH"])
            running.store_policy(policy(policy_of_database))
            request = {"tuners": ["warmups", "memory", "indexes"], "functions": targets, "databases": ["orders"]}
            arn = running.start(running.application.optimize_arn, RUN, request)
            running.asked(RUN, within_s=180)
            known["task token"] = token_of(running)
            link = str(told(inbox, RUN, "Approval wanted").document["link"])
            known["signature of a link"] = parse_qs(urlsplit(link).query)["mac"][0]
            waiting, _ = look_for(known, running, inbox, since)
            approve_all(link)
            run = running.ended(arn)
            assert running.ended(running.approval_of(RUN)).status == "SUCCEEDED"
            for change in running.changes_of(RUN):
                running.ended(change)
            report = told(inbox, RUN, "Run finished").document["report_url"]
            known["signature of a report"] = SIGNED.findall(report)[0]
            assert fetched(report) == 200
            found, seen = look_for(known, running, inbox, since)
            plan = running.document(f"runs/{RUN}/plan.json")
    finally:
        running.forget_policy()
        for name in set(running.schedules()) - schedules:
            running.scheduler.delete_schedule(Name=name, GroupName=running.application.schedule_group)
    return Planted(known, run, refused, plan, waiting, found, seen)


def policy(database: dict[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "mode": "approve",
        # The changes themselves do not matter here, but their lives must end soon.
        "memory": {"mode": "recommend"},
        "provisioned_concurrency": {"mode": "recommend"},
        "warmups": {"watch_minutes": [1]},
        "indexes": {"databases": [database], "watch_minutes": [1]},
        "run": {"max_changes": 100, "max_changes_share": 1.0, "max_changes_at_once": 4},
    }


@contextmanager
def database(running: Running, postgresql: Any, password: str) -> Iterator[dict[str, Any]]:
    """Provide a database that the password opens, the secret that holds it, and its part of a policy."""
    with postgresql.session() as connection:
        connection.run(f"CREATE ROLE planted LOGIN SUPERUSER PASSWORD '{password}'")
    manager = running.account.session.client("secretsmanager")
    text = json.dumps({"username": "planted", "password": password, "host": HOST})
    tags = [{"Key": "optimizer", "Value": "on"}]
    arn = manager.create_secret(Name=SECRET_NAME, SecretString=text, Tags=tags)["ARN"]
    try:
        with postgresql.database(*TABLE) as name:
            yield {
                "name": "orders",
                "engine": "postgresql",
                "host": HOST,
                "port": postgresql.port,
                "database": name,
                "secret_arn": arn,
                "tls": "off",
            }
    finally:
        manager.delete_secret(SecretId=SECRET_NAME, ForceDeleteWithoutRecovery=True)
        with postgresql.session() as connection:
            connection.run("DROP ROLE planted")


@contextmanager
def variables(running: Running, targets: list[str], password: str) -> Iterator[None]:
    """Set a password in the environment variables of the functions, as teams do; restore them afterwards."""
    before = {}
    for name in targets:
        own = running.lambda_.get_function_configuration(FunctionName=name).get("Environment", {}).get("Variables", {})
        before[name] = own
        more = {"Variables": {**own, "DATABASE_URL": f"postgresql://shop:{password}@db.example/shop"}}
        running.lambda_.update_function_configuration(FunctionName=name, Environment=more)
    try:
        yield
    finally:
        for name, own in before.items():
            running.lambda_.update_function_configuration(FunctionName=name, Environment={"Variables": own})


def run_with_a_password_in_the_policy(running: Running, password: str) -> Execution:
    """Run with two caches whose addresses hold the password, one of them no address at all."""
    space = [{"name": "page", "min_ttl_s": 5, "max_ttl_s": 60}]
    cache = {"memory_mb": 64, "log_groups": ["/aws/lambda/shop"], "namespaces": space}
    caches = [
        {
            **cache,
            "name": "one",
            "parameter": "/one/cache-ttls",
            "endpoint": f"rediss://:{password}@cache.example:6379",
        },
        {**cache, "name": "two", "parameter": "/two/cache-ttls", "endpoint": f"redis://:{password}@cache.example:port"},
    ]
    running.store_policy({"version": 1, "mode": "auto", "cache_ttls": {"caches": caches}})
    return running.optimize(REFUSED, {})


def token_of(running: Running) -> str:
    key = {"pk": {"S": f"RUN#{RUN}"}, "sk": {"S": "APPROVAL"}}
    item = running.dynamodb.get_item(TableName=running.application.table, Key=key)["Item"]
    return str(json.loads(item["document"]["S"])["task_token"])


def told(inbox: Inbox, run: str, kind: str) -> Message:
    """Return the message about the run, once it has come."""
    deadline = time.monotonic() + 30
    while not (found := [said for said in inbox.about(run) if said.document["kind"] == kind]):
        assert time.monotonic() < deadline, f"no message that is a {kind} has come"
        time.sleep(0.3)
    return found[0]


def fetched(link: str) -> int:
    with urllib.request.urlopen(link, timeout=60) as page:  # noqa: S310 - the account's own link
        return int(page.status)


def approve_all(link: str) -> None:
    form = urlencode({"decision": "all", "by": "test", "reason": "to see what is left behind"}).encode()
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": "application/x-www-form-urlencoded"}
    with urllib.request.urlopen(urllib.request.Request(link, form, headers), timeout=60) as page:  # noqa: S310 - the account's own link
        assert page.status == 200


def look_for(
    known: dict[str, str], running: Running, inbox: Inbox, since: datetime
) -> tuple[dict[str, set[str]], list[str]]:
    """Return the places of each secret, and the places that were searched."""
    found: dict[str, set[str]] = {what: set() for what in known}
    seen = []
    for where, text in kept(running, inbox, since):
        seen.append(where)
        for what, secret in known.items():
            if any(form in text for form in spellings(secret)):
                found[what].add(where)
    return found, seen


def test_runs_come_across_every_secret(planted: Planted) -> None:
    assert (planted.refused.status, planted.refused.error) == ("FAILED", "PolicyInvalid")
    assert "password" in planted.refused.cause
    assert planted.run.status == "SUCCEEDED"
    proposed = {item["change"]["tuner"] for item in planted.plan["proposals"]}
    assert "indexes" in proposed, planted.plan["failed"]
    assert proposed & {"memory", "warmups"}


KINDS = ("item", "object", "log", "execution", "history", "schedule", "message", "variables")


@pytest.mark.parametrize("kind", KINDS)
def test_search_covers_every_kind_of_stored_data(planted: Planted, kind: str) -> None:
    assert any(where.startswith(kind) for where in planted.seen)


@pytest.mark.parametrize("what", ["database password", "Redis AUTH", "variable of a function"])
def test_secrets_are_not_stored_anywhere(planted: Planted, what: str) -> None:
    assert planted.waiting[what] == planted.found[what] == set()


def test_task_token_is_stored_only_while_a_run_waits(planted: Planted) -> None:
    """The token is in one item of the table until somebody responds, and nowhere afterwards."""
    assert planted.waiting["task token"] == {f"item RUN#{RUN} APPROVAL"}
    assert planted.found["task token"] == set()


def test_approval_link_signature_is_only_in_its_message(planted: Planted) -> None:
    found = planted.found["signature of a link"]
    assert all(where.startswith("message ") and "for your approval" in where for where in found), found
    assert len(found) == 1, found


def test_report_signature_is_only_in_the_message_about_its_run(planted: Planted) -> None:
    found = planted.found["signature of a report"]
    assert all(where.startswith("message ") for where in found), found
    assert len(found) == 1, found
