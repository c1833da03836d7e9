"""PlanCacheTtls and ChangeCacheTtls by their own handlers: from log lines to a parameter, on AWS as moto has it."""

import importlib.util
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from local_account.cache_traffic import Application, Memory, Stream, reads
from moto import mock_aws
from optimizer import aws, canonical
from optimizer.changes import Change, Status
from optimizer.policy import Cache, CacheNamespace, CacheTtls, Mode, Policy
from optimizer.runs import RunStore

from optimizer_cache import Bounds

ROOT = Path(__file__).parents[2]
GROUP, NAME = "/aws/lambda/shop", "/shop/cache-ttls"
STREAM = Stream("price", Bounds(60, 1, 3600), 150, 1.0, 1.0)
CACHE = Cache("shop", 16, (GROUP,), (CacheNamespace("price", 5, 900),), NAME)
POLICY = Policy(mode=Mode.AUTO, cache_ttls=CacheTtls(caches=(CACHE,), observe_hours=2))


def handler(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(f"{name}_app", ROOT / "functions" / name / "app.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.handler


def event(name: str, **other: Any) -> dict[str, Any]:
    """The sample event of the Lambda, about this run."""
    sample = json.loads((ROOT / "events" / f"{name}.json").read_text())
    return {**sample, "run_id": "run", **other}


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    for name in ("TABLE", "BUCKET", "TOPIC_ARN", "POLICY_KEY"):
        monkeypatch.setenv(f"OPTIMIZER_{name}", "things")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        aws.client.cache_clear()
        boto3.client("dynamodb").create_table(
            TableName="things",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        s3 = boto3.client("s3")
        s3.create_bucket(Bucket="things", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        put(POLICY)
        yield s3
    aws.client.cache_clear()


def put(policy: Policy) -> None:
    boto3.client("s3").put_object(
        Bucket="things", Key="runs/run/policy.json", Body=json.dumps(canonical.plain(policy)).encode()
    )


def log(noise: bool = True) -> None:
    """Two hours of records, among what else a function writes."""
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
    body = s3.get_object(Bucket="things", Key="runs/run/proposals/cache_ttls-shop.json")["Body"].read()
    return dict(json.loads(body))


def test_from_the_log_to_a_published_parameter_and_back(world: Any) -> None:
    log()
    planned = handler("plan_cache_ttls")(event("plan_cache_ttls"), None)
    assert {k: planned[k] for k in ("outcome", "changes", "failed")} == {
        "outcome": "planned",
        "changes": 1,
        "failed": 0,
    }
    change = Change.from_document(proposals(world)["changes"][0])
    store = RunStore(boto3.client("dynamodb"), "things")
    store.record_change(change, Status.APPROVED, datetime.now(UTC))
    act = handler("change_cache_ttls")
    applied = act(event("change_cache_ttls", change_id=change.id), None)
    assert applied["outcome"] == "applied"
    assert applied["wait_s"] >= 600
    ssm = boto3.client("ssm")
    published = json.loads(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    assert published["ttl_s"]["price"] == change.after["ttl_s"]["price"] > 60
    assert act(event("change_cache_ttls", change_id=change.id), None)["outcome"] == "applied"
    # Nobody reads any more: what should be there and is not counts as unhealthy.
    looked = act(event("change_cache_ttls", change_id=change.id, step="verify", verification=1), None)
    assert (looked["outcome"], "missing data" in looked["message"]) == ("revert", True)
    back = act(event("change_cache_ttls", change_id=change.id, step="revert", reason=looked["message"]), None)
    assert back["outcome"] == "reverted"
    published = json.loads(ssm.get_parameter(Name=NAME)["Parameter"]["Value"])
    assert (published["version"], published["ttl_s"]) == (2, {"price": 60.0})
    taken_back = store.taken_back("cache/shop", change.tuner, datetime.now(UTC))
    assert list(taken_back) == [f"price={change.after['ttl_s']['price']:g}"]


def test_a_log_group_that_is_not_there_is_reported_and_nothing_is_changed(world: Any) -> None:
    assert handler("plan_cache_ttls")(event("plan_cache_ttls"), None)["failed"] == 1
    assert "could not be read: ResourceNotFoundException" in proposals(world)["failed"]["cache/shop"]


def test_what_is_published_and_no_ttl_document_is_reported(world: Any) -> None:
    boto3.client("ssm").put_parameter(Name=NAME, Value="60", Type="String")
    handler("plan_cache_ttls")(event("plan_cache_ttls"), None)
    assert "no TTL document" in proposals(world)["failed"]["cache/shop"]


def test_zero_megabytes_of_records_means_that_none_are_read(world: Any) -> None:
    put(Policy(cache_ttls=CacheTtls(caches=(CACHE,), max_log_mb=0)))
    handler("plan_cache_ttls")(event("plan_cache_ttls"), None)
    assert "max_log_mb is 0" in proposals(world)["failed"]["cache/shop"]


def test_a_cache_that_the_policy_does_not_name_is_a_failure(world: Any) -> None:  # noqa: ARG001 - sets AWS up
    with pytest.raises(LookupError, match="no cache other, only"):
        handler("plan_cache_ttls")(event("plan_cache_ttls", target="other"), None)
