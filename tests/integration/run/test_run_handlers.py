"""start_run, check_guardrails and publish_results, with the sample events, on an emulated account."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from optimizer.core import Approval, Vote
from optimizer.core.change import Change, Effect, Interval, Risk, Status, Tuner
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore

from tests.helpers.own_account import TABLE, create_inbox, create_target, load_handler, own_account, sample_event

REGION = "eu-west-1"


RUN = sample_event("start_run")["run_id"]


DATABASE = {"name": "shop", "engine": "postgresql", "host": "db.example", "database": "shop", "user": "optimizer"}
CACHE = {
    "name": "sessions",
    "memory_mb": 64,
    "parameter": "/shop/cache-ttls",
    "log_groups": ["/aws/lambda/orders"],
    "namespaces": [{"name": "basket", "min_ttl_s": 10, "max_ttl_s": 600}],
}


class Account:
    """moto's S3, DynamoDB, SNS, Lambda and tagging API with the application's own resources."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.s3: Any = boto3.client("s3")
        self.documents = Documents(self.s3, "optimizer")
        kms: Any = boto3.client("kms")
        self.report_key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        self.store = RunStore(boto3.client("dynamodb"), TABLE)
        self.sqs: Any = boto3.client("sqs")
        topic, self.queue = create_inbox()
        monkeypatch.setenv("OPTIMIZER_PROGRAMS_TOPIC_ARN", topic)
        people = boto3.client("sns").create_topic(Name="people")["TopicArn"]
        monkeypatch.setenv("OPTIMIZER_TOPIC_ARN", people)
        monkeypatch.setenv("OPTIMIZER_REPORT_KEY", self.report_key)
        monkeypatch.setenv("OPTIMIZER_REPORT_URL", "https://reports.example/")
        monkeypatch.setenv("OPTIMIZER_REPORT_DAYS", "7")
        self.lambda_: Any = boto3.client("lambda")

    def function(self, name: str, **tags: str) -> str:
        return create_target(name, alias=False, **tags)

    def policy(self, document: Any) -> None:
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        self.documents.write_bytes("policy/policy.json", content, "application/json")

    def call(self, name: str, payload: dict[str, Any] | None = None) -> dict[str, Any]:
        answer: dict[str, Any] = load_handler(name).handler(payload or sample_event(name), None)
        json.dumps(answer)
        return answer

    def propose(self, *changes: Change, name: str = "capacity-0000", **more: Any) -> None:
        document = {"changes": [change.to_document() for change in changes], "no_changes": [], "failed": {}, **more}
        self.documents.write(f"runs/{RUN}/proposals/{name}.json", document)

    def messages(self) -> list[dict[str, Any]]:
        """What came out of the topic at a queue; `Message` is its text, `document` all that a program gets."""
        found: list[dict[str, Any]] = []
        while batch := self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                notification = json.loads(message["Body"])
                document = json.loads(notification["Message"])
                found.append({**notification, "Message": document["text"], "document": document})
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
        return found


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with own_account(monkeypatch, REGION):
        yield Account(monkeypatch)


def arn(name: str) -> str:
    return f"arn:aws:lambda:{REGION}:123456789012:function:{name}"


def memory(name: str = "orders", after: int = 768) -> Change:
    return Change(
        run_id=RUN,
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=arn(name),
        before={"memory_mb": 1024},
        after={"memory_mb": after},
        reason="The same work costs a fifth less.",
        undo={"memory_mb": 1024},
        risk=Risk.MEDIUM,
        evidence={"max_memory_used_mb": 300, "samples": 5000, "price_ratio": 0.8, "duration_ratio": 1.02},
        effect=Effect(usd_month=Interval(-3.2, -4.1, -2.3)),
    )


def test_a_run_starts_with_its_batches_and_its_own_policy(account: Account) -> None:
    account.policy({"version": 1, "time_zone": "Europe/Berlin", "run": {"approval_hours": 2}})
    for number in range(51):
        account.function(f"f{number:03d}")
    account.function("untagged-for-us", optimizer="off")
    answer = account.call("start_run")
    assert answer == {
        "outcome": "started",
        "run_id": RUN,
        "manifest_key": f"runs/{RUN}/manifest.json",
        "bucket": "optimizer",
        "targets": 51,
        "databases": [],
        "caches": [],
        "report_parts": ["0000", "0001"],
        "approval_timeout_s": 7200,
        "max_changes_at_once": 3,
    }
    manifest = account.documents.read(answer["manifest_key"])
    assert manifest == [
        {"batch": "0000", "key": f"runs/{RUN}/batches/0000.json"},
        {"batch": "0001", "key": f"runs/{RUN}/batches/0001.json"},
    ]
    first, second = (account.documents.read(item["key"])["functions"] for item in manifest)
    assert (len(first), len(second)) == (50, 1)
    assert first[0] == {
        "function_name": "f000",
        "function_arn": arn("f000"),
        "alias": "live",
        "timezone": "Europe/Berlin",
        "warmup_ready": False,
        "tags": {"optimizer": "on"},
    }
    assert account.documents.read(f"runs/{RUN}/policy.json")["time_zone"] == "Europe/Berlin"
    assert account.store.run(RUN)["status"] == "running"


def test_start_replaces_countries_by_their_days(account: Account) -> None:
    """No planner needs the package of holidays."""
    account.policy({"version": 1, "calendars": {"bavaria": {"country": "DE", "region": "BY", "days": ["2026-12-24"]}}})
    account.function("orders")
    assert account.call("start_run")["outcome"] == "started"
    calendar = account.documents.read(f"runs/{RUN}/policy.json")["calendars"]["bavaria"]
    assert calendar["country"] is None
    year = datetime.now(UTC).year + 1
    assert {f"{year}-01-06", f"{year}-12-25", "2026-12-24"} <= set(calendar["days"])


def test_without_a_stored_policy_a_run_only_recommends(account: Account) -> None:
    assert account.call("start_run")["outcome"] == "started"
    assert account.documents.read(f"runs/{RUN}/policy.json")["mode"] == "recommend"
    assert account.documents.read(f"runs/{RUN}/manifest.json") == []


def test_a_policy_with_five_errors_reports_all_five(account: Account) -> None:
    """The start leaves nothing behind."""
    account.policy({"version": 1, "mode": "x", "memory": {"floor_mb": 1, "goal": 2, "headroom": 0}, "rum": {}})
    answer = account.call("start_run")
    assert answer["outcome"] == "policy_invalid"
    assert answer["message"].startswith("The policy policy/policy.json has 5 errors: (1) memory.floor_mb: must be")
    assert "\n" not in answer["message"]
    assert account.documents.keys("runs/") == []
    assert account.call("start_run", {**sample_event("start_run"), "run_id": "run-2"})["outcome"] == "policy_invalid"


def test_a_policy_that_is_not_json_reports_line_and_column(account: Account) -> None:
    account.policy(b'{"version": 1\n "mode": "auto"}')
    assert "Not JSON: line 2, column 2: Expecting ',' delimiter." in account.call("start_run")["message"]


def test_a_second_run_does_nothing_while_one_is_active(account: Account) -> None:
    account.call("start_run")
    answer = account.call("start_run", {**sample_event("start_run"), "run_id": "run-2"})
    assert answer == {"outcome": "busy", "message": f"Run {RUN} is still active; this run does nothing."}
    assert account.documents.keys("runs/run-2/") == []


def test_a_repeated_start_uses_the_policy_of_the_first_one(account: Account) -> None:
    """It returns the same answer."""
    account.policy({"version": 1, "mode": "approve"})
    account.function("orders")
    first = account.call("start_run")
    account.policy({"version": 1, "mode": "auto"})
    assert account.call("start_run") == first
    assert account.documents.read(f"runs/{RUN}/policy.json")["mode"] == "approve"


def test_functions_are_chosen_by_request_patterns_and_tags(account: Account) -> None:
    account.policy({"version": 1, "functions": {"include": ["shop-*"], "exclude": ["*-old"]}})
    account.function(
        "shop-a",
        **{"optimizer:warmup": "ready", "optimizer:alias": "prod", "optimizer:time-zone": "Asia/Tokyo"},
    )
    account.function("shop-b", **{"optimizer:time-zone": "Nowhere/None"})
    for name in ("shop-c", "shop-old", "billing"):
        account.function(name)
    request = {"functions": ["shop-a", "shop-b", "shop-old", "billing", "gone"]}
    answer = account.call("start_run", {**sample_event("start_run"), "request": request})
    assert answer["targets"] == 2
    found = account.documents.read(f"runs/{RUN}/batches/0000.json")["functions"]
    assert [(f["function_name"], f["alias"], f["timezone"], f["warmup_ready"]) for f in found] == [
        ("shop-a", "prod", "Asia/Tokyo", True),
        ("shop-b", "live", "UTC", False),
    ]
    assert account.store.run(RUN)["left_out"] == {
        "billing": "no pattern of functions.include in the policy matches its name",
        "gone": "there is no function of this name with the tags optimizer=on in this account and region",
        "shop-old": "functions.exclude of the policy leaves out *-old",
    }


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"functions": "orders"}, "functions: must be a list of texts"),
        ({"tuners": ["memmory"]}, "tuners: memmory is not one of"),
        ({"reason": 3}, "reason: must be a text"),
        ({"only_automatic": "yes"}, "only_automatic: must be true or false"),
        (
            {"function": ["orders"]},
            "function is not known; known: databases, functions, only_automatic, reason, review, tuners",
        ),
        ({"tuners": []}, "tuners: an empty list would check nothing; leave the field out for all"),
        ({"functions": []}, "functions: an empty list would check nothing"),
        ({"databases": []}, "databases: an empty list would check nothing"),
        ({"databases": ["shopp"]}, "databases: shopp is not in the policy; its indexes.databases has only shop"),
        (
            {"databases": ["shop"], "tuners": ["memory"]},
            "databases: none of the tuners (memory) checks databases",
        ),
        (
            {"functions": ["orders"], "tuners": ["indexes"]},
            "functions: none of the tuners (indexes) checks functions",
        ),
        (
            {"functions": ["orders"], "tuners": ["memory", "indexes", "cache_ttls"]},
            "tuners: indexes, cache_ttls would check nothing; a run that names functions or databases checks those",
        ),
        ({"review": True, "tuners": ["memory"]}, "review: a review reports on everything"),
        (["orders"], 'it must be an object {...}, not ["orders"]'),
        (None, "it must be an object {...}, not null"),
    ],
)
def test_an_unusable_request_names_its_field_and_takes_no_lock(account: Account, request_: Any, message: str) -> None:
    account.policy({"version": 1, "indexes": {"databases": [DATABASE]}})
    answer = account.call("start_run", {**sample_event("start_run"), "request": request_})
    assert answer["outcome"] == "request_invalid"
    assert answer["message"].startswith(f"The input of the execution cannot be used: {message}")
    assert account.call("start_run", {**sample_event("start_run"), "run_id": "run-2"})["outcome"] == "started"


@pytest.mark.parametrize(
    ("request_", "functions", "databases", "caches"),
    [
        ({}, 1, ["shop", "users"], ["sessions"]),
        ({"functions": ["orders"]}, 1, [], []),
        ({"databases": ["shop"]}, 0, ["shop"], []),
        ({"functions": ["orders"], "databases": ["shop"]}, 1, ["shop"], []),
        ({"tuners": ["memory"]}, 1, [], []),
        ({"tuners": ["indexes"], "databases": ["users"]}, 0, ["users"], []),
        ({"tuners": ["indexes", "cache_ttls"]}, 0, ["shop", "users"], ["sessions"]),
    ],
)
def test_a_request_that_names_resources_means_those_alone(
    account: Account, request_: Any, functions: int, databases: list[str], caches: list[str]
) -> None:
    both = [DATABASE, {**DATABASE, "name": "users"}]
    account.policy({"version": 1, "indexes": {"databases": both}, "cache_ttls": {"caches": [CACHE]}})
    account.function("orders")
    answer = account.call("start_run", {**sample_event("start_run"), "request": request_})
    found = [name for one in answer["databases"] for name in one["databases"]]
    assert (answer["targets"], found, answer["caches"]) == (functions, databases, caches)


@pytest.mark.parametrize("mode", ["approve", "recommend"])
def test_an_automatic_run_leaves_out_each_tuner_that_is_not(account: Account, mode: str) -> None:
    """A team adds tuners to the schedule of warm-ups, which runs four times a day and must not ask each time."""
    policy = {"version": 1, "warmups": {"mode": "auto"}, "memory": {"mode": mode}, "indexes": {"mode": mode}}
    account.policy({**policy, "cache_ttls": {"mode": "auto", "caches": [CACHE]}})
    account.function("orders")
    request = {"tuners": ["warmups", "memory", "indexes", "cache_ttls"], "only_automatic": True}
    answer = account.call("start_run", {**sample_event("start_run"), "request": request})
    assert (answer["databases"], answer["caches"]) == ([], ["sessions"])
    assert account.documents.read(f"runs/{RUN}/batches/0000.json")["tuners"] == ["warmups", "cache_ttls"]


def test_an_automatic_run_asks_for_no_single_change(account: Account) -> None:
    """The mode is automatic, and a size of $LATEST needs approval all the same: that is left to another run."""
    account.policy({"version": 1, "mode": "auto"})
    account.function("f0")
    request = {"tuners": ["memory"], "only_automatic": True}
    account.call("start_run", {**sample_event("start_run"), "request": request})
    change = memory("f0")
    account.propose(replace(change, evidence={**change.evidence, "alias": "$LATEST"}))
    answer = account.call("check_guardrails")
    assert (answer["automatic"], answer["ask"], answer["recommended"], answer["refused"]) == ([], [], 0, 0)
    (left,) = account.documents.read(answer["plan_key"])["no_changes"]
    assert "only applies what is automatic" in left["reason"]


def test_a_run_for_one_named_function_can_act(account: Account) -> None:
    """A quarter of one function is none; the share allows at least one."""
    account.policy({"version": 1, "mode": "auto"})
    for name in "abcdefghij":
        account.function(name)
    account.call("start_run", {**sample_event("start_run"), "request": {"functions": ["a"]}})
    account.propose(memory("a"))
    assert len(account.call("check_guardrails")["automatic"]) == 1


LIGHT = {"tuners": ["warmups"], "only_automatic": True, "reason": "schedule of warm-ups"}


@pytest.mark.parametrize(
    ("policy", "outcome"),
    [
        ({}, "skipped"),
        ({"mode": "approve"}, "skipped"),
        ({"mode": "auto", "warmups": {"mode": "approve"}}, "skipped"),
        ({"mode": "auto"}, "started"),
        ({"warmups": {"mode": "auto"}}, "started"),
    ],
)
def test_an_automatic_run_starts_only_if_nobody_must_approve(
    account: Account, policy: dict[str, Any], outcome: str
) -> None:
    """Such runs start every few hours."""
    account.policy({"version": 1, **policy})
    account.function("orders")
    answer = account.call("start_run", {**sample_event("start_run"), "request": LIGHT})
    assert answer["outcome"] == outcome
    if outcome == "skipped":
        assert account.documents.keys("runs/") == []
        assert account.call("start_run", {**sample_event("start_run"), "run_id": "run-2"})["outcome"] == "started"
    else:
        assert account.documents.read(f"runs/{RUN}/batches/0000.json")["tuners"] == ["warmups"]


def test_a_planner_of_other_tuners_proposes_nothing(account: Account) -> None:
    account.policy({"version": 1, "mode": "auto"})
    account.function("orders")
    account.call("start_run", {**sample_event("start_run"), "request": LIGHT})
    # No traffic was written and moto has no log group: reading either would fail.
    assert account.call("plan_capacity", {"run_id": RUN, "batch": "0000"}) == {
        "outcome": "planned",
        "run_id": RUN,
        "batch": "0000",
        "changes": 0,
        "no_changes": 0,
        "failed": 0,
    }
    assert account.documents.read(f"runs/{RUN}/proposals/capacity-0000.json")["changes"] == []


def started(account: Account, policy: dict[str, Any], functions: int = 8) -> None:
    account.policy({"version": 1, **policy})
    for number in range(functions):
        account.function(f"f{number}")
    account.call("start_run")


def test_every_change_is_recorded_before_the_answer(account: Account) -> None:
    started(account, {"mode": "auto", "memory": {"mode": "approve"}})
    good, bad = memory("f0"), memory("f1", after=256)
    account.propose(good, bad)
    answer = account.call("check_guardrails")
    assert (answer["outcome"], answer["automatic"], answer["recommended"], answer["refused"]) == ("checked", [], 0, 1)
    assert answer["ask"] == [{"change_id": good.id, "tuner": "memory"}]
    assert account.store.change(good.id).status is Status.AWAITING_APPROVAL
    refused = account.store.change(bad.id)
    assert (refused.status, refused.rule) == (Status.REFUSED, "memory.step")
    plan = account.documents.read(answer["plan_key"])
    assert {item["change"]["id"]: item["rule"] for item in plan["proposals"]} == {
        good.id: "mode",
        bad.id: "memory.step",
    }


def test_a_plan_is_decided_once(account: Account) -> None:
    started(account, {"mode": "auto"})
    account.propose(memory("f0"))
    first = account.call("check_guardrails")
    account.propose(memory("f1"), name="capacity-0001")
    assert account.call("check_guardrails") == first
    assert len(list(account.store.changes_of(RUN))) == 1


def test_the_next_attempt_records_what_a_dead_one_did_not(account: Account) -> None:
    started(account, {"mode": "auto"})
    account.propose(memory("f0"))
    first = account.call("check_guardrails")
    key = {"pk": {"S": f"CHANGE#{memory('f0').id}"}, "sk": {"S": "CHANGE"}}
    boto3.client("dynamodb").delete_item(TableName="optimizer", Key=key)
    assert account.call("check_guardrails") == first
    assert account.store.change(memory("f0").id).status is Status.APPROVED


def test_the_default_policy_only_recommends(account: Account) -> None:
    started(account, {})
    account.propose(memory("f0"))
    answer = account.call("check_guardrails")
    assert (answer["automatic"], answer["ask"], answer["recommended"]) == ([], [], 1)


def test_a_tuner_that_is_not_requested_does_nothing(account: Account) -> None:
    account.policy({"version": 1, "mode": "auto", "run": {"max_changes_share": 1}})
    account.function("f0")
    account.call("start_run", {**sample_event("start_run"), "request": {"tuners": ["warmups"]}})
    account.propose(memory("f0"))
    assert account.call("check_guardrails")["refused"] == 1
    assert account.store.change(memory("f0").id).rule == "run.request"


def test_a_cool_down_on_record_postpones(account: Account) -> None:
    """Resting is no guardrail that was hit: it is told as the reason for no change, and nothing is recorded."""
    started(account, {"mode": "auto"}, functions=1)
    until = datetime.now(UTC) + timedelta(days=1)
    account.store.cool_down(arn("f0"), Tuner.MEMORY, until, "memory-earlier")
    account.propose(memory("f0"))
    answer = account.call("check_guardrails")
    assert (answer["automatic"], answer["ask"], answer["refused"]) == ([], [], 0)
    assert list(account.store.changes_of(RUN)) == []
    plan = account.documents.read(answer["plan_key"])
    assert plan["proposals"] == []
    (rests,) = plan["no_changes"]
    assert (rests["tuner"], rests["target"], rests["evidence"]["wanted"]) == ("memory", arn("f0"), {"memory_mb": 768})
    assert f"until {until:%Y-%m-%d %H:%M} UTC (memory.cool_down_days)" in rests["reason"]
    account.call("render_report", {"run_id": RUN, "part": "0000"})
    account.call("publish_results")
    report = account.documents.read(f"runs/{RUN}/report.json")
    assert (report["refused"], [one["reason"] for one in report["left_alone"]]) == ([], [rests["reason"]])
    assert "In cool-down" in account.documents.read_bytes(f"runs/{RUN}/report/functions/f0.html").decode()


def test_evidence_of_tuners_not_asked_measures_changes(account: Account) -> None:
    """A run that was not started for memory says nothing of it, and still measures what an earlier change saved."""
    started(account, {}, functions=1)
    kept = memory("f0", after=512)
    account.store.record_change(kept, Status.WATCHING, datetime.now(UTC))
    account.store.move(kept.id, Status.KEPT, datetime.now(UTC), from_any={Status.WATCHING})
    sizes = {"1024": {"calls": 900, "mean_ms": 100.0}, "512": {"calls": 900, "mean_ms": 110.0}}
    traffic = {"invocations_day": 10_000.0, "days": 9, "function_arn": arn("f0")}
    account.documents.write(f"runs/{RUN}/traffic/0000.json", {"functions": {"f0": traffic}, "failed": {}})
    only_seen = {arn("f0"): {"memory": {"architecture": "x86_64", "sizes": sizes}}}
    account.propose(evidence=only_seen)
    account.call("check_guardrails")
    account.call("publish_results")
    report = account.documents.read(f"runs/{RUN}/report.json")
    assert report["left_alone"] == []
    assert report["proved"]["measured"] == 1
    assert report["proved"]["measured_usd_month"] < 0


def test_a_run_without_proposals_is_checked_and_reported(account: Account) -> None:
    started(account, {}, functions=1)
    answer = account.call("check_guardrails")
    assert (answer["automatic"], answer["ask"], answer["recommended"], answer["refused"]) == ([], [], 0, 0)
    account.call("publish_results")
    (message,) = account.messages()
    assert message["Subject"] == "Optimizer: nothing to change (1 function checked)"


def test_a_run_is_reported_once_with_numbers_of_its_report(account: Account) -> None:
    account.policy({"version": 1})
    account.function("f0")
    account.call("start_run", {**sample_event("start_run"), "request": {"functions": ["f0", "gone"]}})
    failed = {arn("f7"): "it has no alias live"}
    account.propose(memory("f0"), memory("f1", after=256), failed=failed)
    account.call("check_guardrails")
    cause = '{"errorMessage": "no \\"table\\"", "errorType": "ClientError", "stackTrace": ["'
    batches = [{"batch": "0003", "state": "AnalyzeTraffic", "error": "ClientError", "cause": cause}]
    payload = {**sample_event("publish_results"), "failed_batches": batches}
    answer = account.call("publish_results", payload)
    assert account.call("publish_results", payload) == answer
    (message,) = account.messages()
    assert message["MessageId"] == answer["message_id"]
    assert len(message["Subject"]) < 100
    assert message["Subject"].isascii()
    attributes = {name: one["Value"] for name, one in message["MessageAttributes"].items()}
    assert attributes["run"] == RUN
    assert (attributes["outcome"], attributes["severity"]) == ("succeeded", "warning")
    assert json.loads(attributes["tuner"]) == ["memory"]
    text = " ".join(message["Message"].split())
    for said in ("saves $3.20 ", "[memory.step]", "f7: it has no alias live", "gone: there is no function"):
        assert said in text
    assert 'Batch 0003 failed in AnalyzeTraffic: ClientError: no "table"' in text
    report = account.documents.read(f"runs/{RUN}/report.json")
    assert report["possible_usd_month"] == {"estimate": -3.2, "low": -4.1, "high": -2.3}
    kept = account.documents.read_bytes(f"runs/{RUN}/report.txt").decode()
    assert set(kept.splitlines()) < set(message["Message"].splitlines())
    assert "://" in message["Message"]
    assert "://" not in kept
    document = message["document"]
    assert (document["counts"]["recommended"], document["counts"]["refused"], document["not_looked_at"]) == (1, 1, 2)
    assert document["possible_usd_month"] == report["possible_usd_month"]
    run = account.store.run(RUN)
    assert (run["status"], run["message_id"]) == ("succeeded", answer["message_id"])


def test_the_outcome_of_a_change_is_published_once(account: Account) -> None:
    change = memory()
    account.store.record_change(change, Status.WATCHING, datetime.now(UTC))
    account.store.move(
        change.id, Status.REVERTED, datetime.now(UTC), from_any={Status.WATCHING}, message="Errors rose from 0 to 3 %."
    )
    payload = {"step": "change", "run_id": RUN, "change_id": change.id}
    first = account.call("publish_results", payload)
    assert account.call("publish_results", payload) == first
    (message,) = account.messages()
    assert message["Subject"] == "Optimizer: memory of orders rolled back"
    assert "Errors rose from 0 to 3 %." in message["Message"]
    assert message["MessageAttributes"]["severity"]["Value"] == "warning"


def test_a_message_without_a_record_of_its_sending_is_resent(account: Account) -> None:
    change = memory()
    account.store.record_change(change, Status.KEPT, datetime.now(UTC))
    account.store.start_publication(f"CHANGE#{change.id}", datetime.now(UTC))
    account.call("publish_results", {"step": "change", "run_id": RUN, "change_id": change.id})
    assert len(account.messages()) == 1


def test_a_review_reports_on_the_quarter_and_takes_no_lock(account: Account) -> None:
    now = datetime.now(UTC)
    for week in range(1, 9):
        name, at = f"week-{week}", now - timedelta(weeks=week)
        account.store.record_run(name, at, targets=2)
        account.store.finish_run(name, "succeeded", at)
        traffic = {"invocations_day": 1000.0 - 50 * week, "need": {"max": 4}, "days": 15, "function_arn": arn("f0")}
        account.documents.write(f"runs/{name}/traffic/0000.json", {"functions": {"f0": traffic}, "failed": {}})
    for number in range(12):
        change = memory(f"f{number}")
        account.store.record_change(change, Status.REFUSED, now, verdict="refused", rule="memory.step", message="No.")
    for number in range(12):
        # Recorded by an earlier version, whose daily run proposed sizes that it was not started for.
        stray = replace(memory(f"f{number}"), run_id="daily")
        account.store.record_change(stray, Status.REFUSED, now, verdict="refused", rule="run.request", message="No.")
    account.store.take_lock("another", now, timedelta(hours=1))
    started = account.call(
        "start_run", {**sample_event("start_run"), "request": {"review": True, "reason": "monthly review"}}
    )
    assert started["outcome"] == "review"
    payload = {"step": "review", "run_id": RUN}
    answer = account.call("publish_results", payload)
    assert account.call("publish_results", payload) == answer
    (message,) = account.messages()
    assert message["document"]["kind"] == "Review finished"
    review = account.documents.read(f"runs/{RUN}/report.json")
    assert [week["calls_day"] for week in review["weeks"]] == [600.0 + 50 * week for week in range(8)]
    # Fifty calls a day more each week, for another thirteen weeks.
    assert review["calls_day_ahead"] == {"estimate": 1600.0, "low": 1600.0, "high": 1600.0}
    assert review["environments_ahead"]["estimate"] == 4.0
    assert review["rules"] == [["memory.step", 12]]
    assert any("memory.step blocked 12 of 12 proposals" in line for line in review["advice"])
    page = account.documents.read_bytes(f"runs/{RUN}/report/index.html").decode()
    text = " ".join(message["Message"].split())
    for said in ("950", "1,600", "memory.step"):
        assert said in page
        assert said in text
    assert account.store.run(RUN)["status"] == "succeeded"
    assert account.store.lock_holder(now) == "another"


def publish_of(
    account: Account, run: str, at: datetime, functions: list[str], request: dict[str, Any], **found: Any
) -> str:
    """Report a run that saw the traffic of these functions; return the text for programs, of one line."""
    account.store.record_run(run, at, targets=len(functions), request=request)
    seen = {
        name: {"function_arn": arn(name), "invocations_day": 86_400.0, "need": {"max": 2}, "days": 15}
        for name in functions
    }
    account.documents.write(f"runs/{run}/traffic/0000.json", {"functions": seen, "failed": {}})
    empty: dict[str, Any] = {"changes": [], "no_changes": [], "failed": {}}
    account.documents.write(f"runs/{run}/proposals/capacity-0000.json", {**empty, **found})
    account.call("publish_results", {"step": "run", "run_id": run})
    (message,) = account.messages()
    return " ".join(message["Message"].split())


def review_of(account: Account, run: str) -> str:
    account.call("publish_results", {"step": "review", "run_id": run})
    (message,) = account.messages()
    return " ".join(message["Message"].split())


ALL = {"functions": None, "databases": None}


def test_review_counts_the_fleet_whatever_ran_last(account: Account) -> None:
    now = datetime.now(UTC)
    publish_of(account, "daily", now - timedelta(hours=2), ["a", "b", "c"], ALL)
    before = review_of(account, "review-1")
    publish_of(account, "by-hand", now - timedelta(hours=1), ["a"], {**ALL, "functions": ["a"]})
    after = review_of(account, "review-2")
    now_line = "Now: 3 functions, 259200 calls a day, 6 environments"
    assert now_line in before
    assert now_line in after


def test_verified_savings_are_one_number_all_day(account: Account) -> None:
    """A run of warm-ups looks at no memory sizes; what the last look saw stays known."""
    now = datetime.now(UTC)
    change = memory("a", after=512)
    account.store.record_change(change, Status.WATCHING, now - timedelta(days=2))
    account.store.move(change.id, Status.KEPT, now - timedelta(days=1), from_any={Status.WATCHING})
    sizes = {size: {"calls": 5000, "mean_ms": 100.0, "gb_s": 0.1} for size in ("1024", "512")}
    looked = {arn("a"): {"memory": {"sizes": sizes, "architecture": "arm64"}}}
    with_memory = publish_of(account, "daily", now, ["a"], ALL, evidence=looked)
    said = with_memory[with_memory.index("Verified savings of 1 change") :].split(" a month")[0]
    warmups = publish_of(account, "warmups", now, ["a"], {**ALL, "tuners": ["warmups"]})
    nothing = publish_of(account, "databases", now, [], {**ALL, "tuners": ["indexes"]})
    assert "$" in said
    for text in (warmups, nothing):
        assert said in text
    assert said.partition(": ")[2] in review_of(account, "review")


OWNED = {
    "owner.cloudformation": "Stack shop owns the memory size and would overwrite it; change MemorySize: 768 of Orders "
    "in its template.",
    "kind.image": "The function is a container image; change its MemorySize to 768 MB where the image is deployed.",
}


@pytest.mark.parametrize("mode", ["recommend", "approve", "auto"])
@pytest.mark.parametrize("rule", OWNED)
def test_owner_of_a_template_gets_the_line_to_change(account: Account, rule: str, mode: str) -> None:
    """The team that owns the template is told what to change, and what it saves, in every mode."""
    started(account, {"mode": mode}, functions=4)
    line = OWNED[rule]
    owned = memory("f0")
    owned = replace(owned, evidence={**owned.evidence, "owner": rule, "template_line": line})
    account.propose(owned)
    checked = account.call("check_guardrails")
    assert (checked["automatic"], checked["ask"], checked["recommended"]) == ([], [], 1)
    account.call("publish_results")
    (message,) = account.messages()
    assert line in " ".join(message["Message"].split())
    assert message["document"]["possible_usd_month"]["estimate"] == -3.2
    assert message["document"]["changes"][0]["owner_line"] == line
    page = account.documents.read_bytes(f"runs/{RUN}/report/index.html").decode()
    assert line in page
    assert account.documents.read(f"runs/{RUN}/report.json")["recommended"][0]["message"] == line


def next_run(account: Account, name: str, *changes: Change) -> dict[str, Any]:
    """Start another run, let it propose these changes, and return the answer of its guardrails."""
    account.call("start_run", {**sample_event("start_run"), "run_id": name})
    document = {"changes": [replace(change, run_id=name).to_document() for change in changes]}
    account.documents.write(f"runs/{name}/proposals/capacity-0000.json", {**document, "no_changes": [], "failed": {}})
    return account.call("check_guardrails", {"run_id": name})


def unlock(account: Account) -> None:
    account.store.seize_lock("nobody", datetime.now(UTC) - timedelta(days=1), timedelta())


def test_people_are_not_asked_twice_about_one_target(account: Account) -> None:
    """The request of an earlier run waits: the same target is reported as waiting, another one is asked about."""
    started(account, {"mode": "approve"})
    account.propose(memory("f0"))
    assert len(account.call("check_guardrails")["ask"]) == 1
    unlock(account)
    answer = next_run(account, "next", memory("f0", after=640), memory("f1"))
    assert [pair["change_id"] for pair in answer["ask"]] == [replace(memory("f1"), run_id="next").id]
    (waiting,) = account.documents.read("runs/next/plan.json")["postponed"]
    assert waiting["target"] == arn("f0")
    assert waiting["reason"].startswith("Waiting for approval since 20")
    assert f"(run {RUN})" in waiting["reason"]


@pytest.mark.parametrize("status", [Status.REJECTED, Status.KEPT])
def test_an_ended_request_is_followed_by_another_one(account: Account, status: Status) -> None:
    started(account, {"mode": "approve"})
    account.propose(memory("f0"))
    account.call("check_guardrails")
    account.store.move(memory("f0").id, status, datetime.now(UTC), from_any={Status.AWAITING_APPROVAL})
    unlock(account)
    assert len(next_run(account, "next", memory("f0", after=640))["ask"]) == 1


@pytest.mark.parametrize("tuner", [Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY])
def test_nothing_is_proposed_while_a_change_waits_for_its_window(account: Account, tuner: Tuner) -> None:
    """Neither of the same tuner, nor of one that would disturb its observation; the reason says when it opens."""
    started(account, {"mode": "auto", "run": {"max_changes_share": 1}}, functions=1)
    earlier, now = replace(memory("f0"), run_id="earlier", tuner=tuner), datetime.now(UTC)
    account.store.record_change(earlier, Status.APPROVED, now)
    opens = now + timedelta(hours=9)
    assert account.store.wait_until(earlier, opens, now, "Waits for its window.")
    assert account.store.change(earlier.id).waits_until == opens
    account.propose(memory("f0"))
    answer = account.call("check_guardrails")
    assert (answer["automatic"], answer["ask"], answer["refused"]) == ([], [], 0)
    (waits,) = account.documents.read(answer["plan_key"])["postponed"]
    assert waits["evidence"]["rule"] == "change.waits"
    assert f"waits to be applied until {opens:%Y-%m-%d %H:%M} UTC" in waits["reason"]


def test_only_an_approved_change_can_wait_for_a_window(account: Account) -> None:
    now = datetime.now(UTC)
    account.store.record_change(memory("f0"), Status.REVERTED, now)
    assert not account.store.wait_until(memory("f0"), now + timedelta(hours=9), now, "Waits.")
    assert account.store.change(memory("f0").id).waits_until is None


def test_the_end_of_an_approval_request_is_published_once(account: Account) -> None:
    started(account, {"mode": "approve"})
    account.propose(memory("f0"), memory("f1"))
    account.call("check_guardrails")
    asked = {memory(name).id: "memory" for name in ("f0", "f1")}
    now = datetime.now(UTC)
    digests = {stored.change.id: stored.change.digest for stored in account.store.changes(asked)}
    approval = Approval(RUN, "plan", "d" * 64, "token", asked, now, now + timedelta(hours=1), digests)
    account.store.put_approval(approval)
    event = {"step": "approval", "run_id": RUN}
    assert account.call("publish_results", event)["message_id"] == ""
    voted = approval.answer(Vote("anyone", "Anna", (memory("f0").id,), "not f1", now), approval.digest)
    account.store.replace_approval(approval, voted)
    account.store.move(memory("f0").id, Status.WATCHING, now, from_any={Status.AWAITING_APPROVAL})
    account.store.move(memory("f1").id, Status.REJECTED, now, from_any={Status.AWAITING_APPROVAL})
    assert account.call("publish_results", event) == account.call("publish_results", event)
    (message,) = account.messages()
    assert message["document"]["kind"] == "Approval finished"
    assert message["Subject"] == f"Optimizer: 1 applied, 1 rejected (approval request of run {RUN})"
    assert "Anna approved 1 of 2: not f1." in message["Message"]


@pytest.mark.parametrize("answered", [True, False])
def test_the_report_says_what_people_have_decided(account: Account, answered: bool) -> None:
    """It was written while the request was open; afterwards its pages are written again, also if nobody responded."""
    started(account, {"mode": "approve", "run": {"max_changes_share": 1.0}}, functions=2)
    account.propose(memory("f0"), memory("f1"), name="capacity-0000")
    account.call("check_guardrails")
    account.call("render_report", {"run_id": RUN, "part": "0000"})
    account.call("publish_results")
    before = account.documents.read(f"runs/{RUN}/report.json")
    assert len(before["waiting"]) == 2
    page = account.documents.read_bytes(f"runs/{RUN}/report/functions/f0.html").decode()
    assert "waiting for approval" in page
    asked, now = {memory(name).id: "memory" for name in ("f0", "f1")}, datetime.now(UTC)
    digests = {stored.change.id: stored.change.digest for stored in account.store.changes(asked)}
    approval = Approval(RUN, "plan", "d" * 64, "token", asked, now, now + timedelta(hours=1), digests)
    account.store.put_approval(approval)
    if answered:
        voted = approval.answer(Vote("anyone", "Anna", (memory("f0").id,), "not f1", now), approval.digest)
        account.store.replace_approval(approval, voted)
        account.store.move(memory("f0").id, Status.WATCHING, now, from_any={Status.AWAITING_APPROVAL})
        account.store.move(memory("f1").id, Status.REJECTED, now, from_any={Status.AWAITING_APPROVAL})
    else:
        account.call("request_approval", {"step": "expire", "run_id": RUN})
    account.call("publish_results", {"step": "approval", "run_id": RUN})
    after = account.documents.read(f"runs/{RUN}/report.json")
    assert (len(after["waiting"]), len(after["changed"]), len(after["rejected"])) == (
        (0, 1, 1) if answered else (0, 0, 2)
    )
    assert after["finished_at"] == before["finished_at"]
    assert after["left_alone"] == before["left_alone"]
    for file in ("report.txt", "report/functions/f0.html", "report/functions/f1.html"):
        said = account.documents.read_bytes(f"runs/{RUN}/{file}").decode()
        assert "waiting for approval" not in said.lower(), file
    page = account.documents.read_bytes(f"runs/{RUN}/report/index.html").decode()
    assert "<b>0</b>for you to decide" in page
    assert "rejected" in account.documents.read_bytes(f"runs/{RUN}/report/functions/f1.html").decode()


def test_the_first_run_in_an_empty_account_names_the_next_step(account: Account) -> None:
    assert account.call("start_run")["targets"] == 0
    account.call("check_guardrails")
    account.call("publish_results")
    (message,) = account.messages()
    told = " ".join(message["Message"].split())
    assert (
        "Next step: tag a function with `aws lambda tag-resource --resource FUNCTION_ARN --tags optimizer=on`" in told
    )
    assert "`optimizer policy put`" in told


@pytest.mark.parametrize(("functions", "listed"), [(3, 0), (51, 51)])
def test_functions_are_listed_in_bulk_for_more_than_one_batch(account: Account, functions: int, listed: int) -> None:
    """Fifty functions are read one by one within seconds; lists of the whole account would cost more."""
    for number in range(functions):
        account.function(f"f{number:02d}", optimizer="on")
    account.policy({"version": 1})
    assert account.call("start_run")["outcome"] == "started"
    batches = [account.documents.read(entry["key"]) for entry in account.documents.read(f"runs/{RUN}/manifest.json")]
    assert sum(len(batch["fingerprints"]) for batch in batches) == listed
