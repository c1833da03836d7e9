"""The handlers PlanCacheTtls and ChangeCacheTtls, from log lines to a parameter, on AWS as moto simulates it."""

import json
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from local_account.cache_traffic import Application, Memory, Stream, reads
from optimizer.core import canonical_json
from optimizer.core.change import Change, Status
from optimizer.policy.model import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.store.run_store import RunStore
from optimizer_cache import Bounds

from tests.helpers.own_account import BUCKET, load_handler, own_account, sample_event

GROUP, NAME = "/aws/lambda/shop", "/shop/cache-ttls"
STREAM = Stream("price", Bounds(60, 1, 3600), 150, 1.0, 1.0)
CACHE = Cache("shop", 16, (GROUP,), (CacheNamespace("price", 5, 900),), NAME)
POLICY = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,), observe_hours=2))


def event(name: str, **other: Any) -> dict[str, Any]:
    """The sample event of the Lambda, about this run."""
    return {**sample_event(name), "run_id": "run", **other}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    with own_account(monkeypatch):
        put(POLICY)
        yield boto3.client("s3")


def put(policy: Policy) -> None:
    boto3.client("s3").put_object(
        Bucket=BUCKET, Key="runs/run/policy.json", Body=json.dumps(canonical_json.plain(policy)).encode()
    )


def log(noise: bool = True) -> None:
    """Log two hours of records, among other lines of a function."""
    end = datetime.now(UTC).timestamp()
    application = Application((STREAM,), Memory(), end - 7200)
    events = [
        {"timestamp": round(line.at * 1000), "message": line.text}
        for line in application.run(reads((STREAM,), end - 7200, end, seed=5))
    ]
    if noise:
        events += [{"timestamp": round(end * 1000), "message": text} for text in ("OptimizerCache {", "START", "{}")]
    logs = boto3.client("logs")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="one")
    logs.put_log_events(logGroupName=GROUP, logStreamName="one", logEvents=events)


def proposals(s3: Any) -> dict[str, Any]:
    body = s3.get_object(Bucket=BUCKET, Key="runs/run/proposals/cache_ttls-shop.json")["Body"].read()
    return dict(json.loads(body))


def test_handlers_publish_ttls_from_the_log_and_roll_back(world: Any) -> None:
    log()
    planned = load_handler("plan_cache_ttls").handler(event("plan_cache_ttls"), None)
    assert {k: planned[k] for k in ("outcome", "changes", "failed")} == {
        "outcome": "planned",
        "changes": 1,
        "failed": 0,
    }
    change = Change.from_document(proposals(world)["changes"][0])
    store = RunStore(boto3.client("dynamodb"), BUCKET)
    store.record_change(change, Status.APPROVED, datetime.now(UTC))
    act = load_handler("change_cache_ttls").handler
    applied = act(event("change_cache_ttls", change_id=change.id), None)
    assert applied["outcome"] == "applied"
    assert applied["wait_s"] >= 600
    ssm = boto3.client("ssm")
    published = json.loads(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    assert published["ttl_s"]["price"] == change.after["ttl_s"]["price"] > 60
    assert act(event("change_cache_ttls", change_id=change.id), None)["outcome"] == "applied"
    # Nobody reads any more, and missing data counts as unhealthy.
    looked = act(event("change_cache_ttls", change_id=change.id, step="verify", verification=1), None)
    assert (looked["outcome"], "missing data" in looked["message"]) == ("revert", True)
    back = act(event("change_cache_ttls", change_id=change.id, step="revert", reason=looked["message"]), None)
    assert back["outcome"] == "reverted"
    published = json.loads(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    assert (published["version"], published["ttl_s"]) == (2, {"price": 60.0})
    taken_back = store.taken_back("cache/shop", change.tuner, datetime.now(UTC))
    assert list(taken_back) == [f"price={change.after['ttl_s']['price']:g}"]


def test_plan_reports_a_missing_log_group(world: Any) -> None:
    """Nothing changes then."""
    assert load_handler("plan_cache_ttls").handler(event("plan_cache_ttls"), None)["failed"] == 1
    assert "could not be read: ResourceNotFoundException" in proposals(world)["failed"]["cache/shop"]


def test_plan_reports_a_published_text_that_is_no_document(world: Any) -> None:
    boto3.client("ssm").put_parameter(Name=NAME, Value="60", Type="String")
    load_handler("plan_cache_ttls").handler(event("plan_cache_ttls"), None)
    assert "the published document is not a TTL document" in proposals(world)["failed"]["cache/shop"]


def test_plan_reads_no_records_with_a_limit_of_zero_mb(world: Any) -> None:
    put(Policy(cache_ttls=CacheTtls(caches=(CACHE,), max_log_mb=0)))
    load_handler("plan_cache_ttls").handler(event("plan_cache_ttls"), None)
    assert "max_log_mb is 0" in proposals(world)["failed"]["cache/shop"]


def test_plan_fails_for_a_cache_outside_the_policy(world: Any) -> None:  # noqa: ARG001 - sets AWS up
    with pytest.raises(LookupError, match="no cache other, only"):
        load_handler("plan_cache_ttls").handler(event("plan_cache_ttls", target="other"), None)
