"""Tune caches of a team through the deployed application: two TTLs change, one is out of reach, one is rolled back."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from local_account.caches import TeamCaches

from tests.helpers.e2e.running import Inbox, Running, subscribed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
RUN = "cache-ttls-run"


@pytest.fixture(scope="module")
def run(machines: Running) -> Iterator[dict[str, Any]]:
    """Run the tuner once, and follow its changes up to their ends."""
    machines.settle()
    with (
        TeamCaches(machines.account) as caches,
        subscribed(machines.account.session, machines.application.programs_topic_arn) as inbox,
    ):
        caches.ready()
        machines.store_policy({"version": 1, "mode": "auto", "cache_ttls": caches.policy()})
        ended = machines.optimize(RUN, {"tuners": ["cache_ttls"]})
        machines.wait_for_executions()
        assert not caches.failures
        yield {
            "ended": ended,
            "published": caches.published(),
            "plan": machines.document(f"runs/{RUN}/plan.json"),
            "changes": _changes(machines),
            "inbox": inbox,
        }


def _changes(machines: Running) -> dict[str, dict[str, Any]]:
    """Return the records of the run's changes, by target."""
    found = {}
    for item in machines.document(f"runs/{RUN}/plan.json")["proposals"]:
        key = {"pk": {"S": f"CHANGE#{item['change']['id']}"}, "sk": {"S": "CHANGE"}}
        record = machines.dynamodb.get_item(TableName=machines.application.table, Key=key)["Item"]
        found[item["change"]["target"]] = {name: value.get("S") for name, value in record.items()}
    return found


def test_the_run_succeeds_without_looking_at_a_function(run: dict[str, Any]) -> None:
    assert (run["ended"].status, run["ended"].error) == ("SUCCEEDED", "")
    assert run["plan"]["failed"] == {}


def test_two_namespaces_are_tuned_and_their_change_is_kept(run: dict[str, Any]) -> None:
    assert run["changes"]["cache/shop"]["status"] == "kept"
    shop = run["published"]["shop"]
    assert shop["version"] == 1
    assert 60 < shop["ttl_s"]["price"] <= 120
    assert 20 < shop["ttl_s"]["stock"] <= 40
    assert shop["ttl_s"]["page"] == 300
    assert shop["previous"] == {"version": 0, "ttl_s": {}} or shop["previous"]["ttl_s"]["price"] == 60


def test_hit_ratio_out_of_reach_is_reported(run: dict[str, Any]) -> None:
    (page,) = [item for item in run["plan"]["no_changes"] if item["target"] == "cache/shop/page"]
    assert "no TTL reaches the target of 85%" in page["reason"]
    said = " ".join(message.text for message in run["inbox"].about(RUN))
    assert "no TTL reaches the target of 85%" in said


def test_harmful_ttl_change_is_rolled_back_as_a_newer_version(run: dict[str, Any]) -> None:
    search = run["changes"]["cache/search"]
    assert search["status"] == "reverted"
    progress = json.loads(search["progress"])
    assert "of the reads hit" in progress["unhealthy"]["result"]
    published = run["published"]["search"]
    assert (published["version"], published["ttl_s"]) == (2, {"result": 60.0})
    inbox: Inbox = run["inbox"]
    assert any("rolled back" in message.subject for message in inbox.about(RUN))


def test_nothing_is_decided_while_a_cache_settles(machines: Running, run: dict[str, Any]) -> None:
    assert run["ended"].status == "SUCCEEDED"
    items = machines.dynamodb.query(
        TableName=machines.application.table,
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": "TARGET#cache/search"}},
    )["Items"]
    kinds = sorted(item["sk"]["S"].split("=")[0] for item in items)
    assert kinds == ["COOLDOWN#cache_ttls", "LAST#cache_ttls", "TAKEN_BACK#cache_ttls#result"]
