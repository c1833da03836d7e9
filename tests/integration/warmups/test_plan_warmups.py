"""Proposing warm-ups for a batch: each function ends as a change, as no change or as failed."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.exceptions import ClientError
from optimizer.core.change import Change
from optimizer.core.clock import minute_of, moment_of
from optimizer.core.ping import Warmed, Warmup
from optimizer.function_logs.history import FunctionHistory, SizeHistory, Sketch
from optimizer.function_logs.keep_alive import IdleTrials
from optimizer.store.documents import Documents
from optimizer.store.pings import PingLog
from optimizer.store.ready_versions import ReadyVersions, VersionReadiness
from optimizer.traffic.history import DAY_MINUTES, HOUR_METRICS, History, Series, empty_series
from optimizer.traffic.summary import summarise
from optimizer.warmups.event_sources import event_sources_of_run
from optimizer.warmups.schedules import schedule_name
from optimizer.warmups.sending.ping_rows import unpack

from tests.helpers.own_account import TABLE, create_target, load_handler, own_account, sample_event

NOW = datetime.now(UTC)
EVENT = sample_event("plan_warmups")


def busy_by_day(days: int = 14) -> History:
    """A function called in bursts of the same three hours every day, with calls of two seconds."""
    end = minute_of(datetime.now(UTC)) - 3
    minutes = end - days * DAY_MINUTES + np.arange(days * DAY_MINUTES)
    hour = minutes // 60 % 24
    rate = np.where(np.isin(hour, (7, 8, 15)) & (minutes % 15 < 3), 60.0, 0.0)
    calls = np.random.default_rng(1).poisson(rate).astype(float)
    values = {"invocations": calls, "duration_ms": np.where(calls > 0, 2000.0, np.nan), "concurrency": calls * np.nan}
    return History(Series(int(minutes[0]), values), empty_series(HOUR_METRICS))


class Account:
    """moto's S3, Lambda and Scheduler with a policy and a batch."""

    def __init__(self) -> None:
        self.s3: Any = boto3.client("s3")
        self.documents = Documents(self.s3, "optimizer")
        self.lambda_: Any = boto3.client("lambda")
        boto3.client("scheduler").create_schedule_group(Name="warmups")
        self.targets: list[dict[str, Any]] = []
        self.traffic: dict[str, Any] = {}
        self.policy: dict[str, Any] = {"version": 1}

    def function(self, name: str, history: History, *, ready: bool = True, alias: bool = True) -> None:
        arn = create_target(name, alias=alias)
        self.targets.append(
            {
                "function_name": name,
                "function_arn": arn,
                "alias": "live",
                "timezone": "UTC",
                "warmup_ready": ready,
                "tags": {},
            }
        )
        self.documents.write_bytes(f"history/{name}.npz", history.to_bytes(), "application/octet-stream")
        self.traffic[name] = asdict(
            summarise(
                history,
                function_name=name,
                function_arn=arn,
                alias="live",
                timezone="UTC",
                history_key=f"history/{name}.npz",
            )
        )

    def plan(self) -> tuple[dict[str, Any], dict[str, Any]]:
        run = f"runs/{EVENT['run_id']}"
        failed = {target["function_name"]: "throttled" for target in self.targets if target["function_name"] == "gone"}
        functions = {name: traffic for name, traffic in self.traffic.items() if name not in failed}
        self.documents.write(f"{run}/policy.json", self.policy)
        self.documents.write(f"{run}/batches/{EVENT['batch']}.json", {"functions": self.targets})
        self.documents.write(f"{run}/traffic/{EVENT['batch']}.json", {"functions": functions, "failed": failed})
        answer = load_handler("plan_warmups").handler(EVENT, None)
        return answer, self.documents.read(f"{run}/proposals/warmups-{EVENT['batch']}.json")


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("OPTIMIZER_SCHEDULE_GROUP", "warmups")
    with own_account(monkeypatch):
        yield Account()


def test_a_function_with_a_daily_burst_gets_pings_before_it(account: Account) -> None:
    account.function("orders", busy_by_day())
    answer, proposals = account.plan()
    assert answer == {"outcome": "planned", **EVENT, "changes": 1, "no_changes": 0, "failed": 0}
    change = Change.from_document(proposals["changes"][0])
    assert (change.action, change.target) == ("schedule_warmups", account.targets[0]["function_arn"])
    assert change.before == {"schedules": 0, "plans": []}
    pings = unpack(change.after["schedule"])
    assert change.after["pings"] == sum(count for _, count in pings)
    assert change.after["most_environments"] == max(count for _, count in pings)
    assert 0 < change.after["usd_day"] < 0.5
    assert change.evidence["cold_starts_avoided"] > 1
    assert change.effect.cold_starts_month is not None
    assert change.effect.cold_starts_month.estimate < -30
    first = minute_of(datetime.fromisoformat(change.after["from"]))
    hours = {(first + minute) // 60 % 24 for minute, _ in pings}
    assert hours & {6, 7}
    assert hours & {14, 15}
    assert not hours & {0, 1, 2, 3, 11, 12, 18, 19, 20, 21, 22}


@pytest.mark.parametrize("days", [0, 14])
def test_event_is_pinged_and_named_whatever_the_past_says(account: Account, days: int) -> None:
    """Also for a function that nobody called yet; another function gets nothing."""
    history = busy_by_day(days) if days else History.empty()
    account.function("shop-web", history)
    account.function("orders", History.empty())
    begin = NOW.replace(second=0, microsecond=0) + timedelta(hours=3)
    account.policy["warmups"] = {
        "max_environments_per_function": 50,
        "events": [
            {
                "name": "launch",
                "functions": ["shop-*"],
                "from": f"{begin:%Y-%m-%dT%H:%M}",
                "until": f"{begin + timedelta(hours=2):%Y-%m-%dT%H:%M}",
                "environments": 40,
            }
        ],
    }
    _, proposals = account.plan()
    (change,) = map(Change.from_document, proposals["changes"])
    assert change.target.endswith(":shop-web")
    assert change.after["most_environments"] == 40
    first = minute_of(datetime.fromisoformat(change.after["from"]))
    pings = [(first + minute, count) for minute, count in unpack(change.after["schedule"])]
    assert min(minute for minute, count in pings if count == 40) == minute_of(begin) - 5
    asked = f"{begin:%A}'s launch event asks for 40 environments from {begin - timedelta(minutes=5):%H:%M} to"
    assert asked in change.reason
    assert change.evidence["occasions"][0].startswith(asked)
    assert change.evidence["usd_day"] > 0
    assert (change.effect.cold_starts_month is None) == (days == 0)
    assert "no metrics" in proposals["no_changes"][0]["reason"]


def test_untagged_function_is_told_what_pings_would_avoid(account: Account) -> None:
    account.function("orders", busy_by_day(), ready=False)
    _, proposals = account.plan()
    assert proposals["changes"] == []
    assert "not tagged optimizer:warmup=ready" in proposals["no_changes"][0]["reason"]
    assert proposals["no_changes"][0]["evidence"]["cold_starts_avoided"] > 1


@pytest.mark.parametrize(
    ("variables", "advice"),
    [
        ({}, "add the layer optimizer-warmable or decorate its handler"),
        ({"AWS_LAMBDA_EXEC_WRAPPER": "/opt/otel-handler"}, "is taken by /opt/otel-handler)"),
    ],
)
def test_untagged_function_is_told_if_the_layer_can_answer(
    account: Account, variables: dict[str, str], advice: str
) -> None:
    account.function("orders", busy_by_day(), ready=False)
    own = account.targets[0]["function_name"]
    account.lambda_.update_function_configuration(FunctionName=own, Environment={"Variables": variables})
    released = account.lambda_.publish_version(FunctionName=own)["Version"]
    account.lambda_.update_alias(FunctionName=own, Name="live", FunctionVersion=released)
    _, proposals = account.plan()
    assert advice in proposals["no_changes"][0]["reason"]


def test_a_function_without_the_alias_fails_with_what_to_do(account: Account) -> None:
    account.function("orders", busy_by_day(), alias=False)
    answer, proposals = account.plan()
    assert answer["failed"] == 1
    assert "has no alias live" in proposals["failed"][account.targets[0]["function_arn"]]


def test_a_function_whose_metrics_failed_stays_failed(account: Account) -> None:
    account.function("gone", busy_by_day())
    account.function("orders", busy_by_day())
    answer, proposals = account.plan()
    assert (answer["changes"], answer["failed"]) == (1, 1)
    assert proposals["failed"] == {account.targets[0]["function_arn"]: "throttled"}


def test_no_metrics_means_no_change_and_says_so(account: Account) -> None:
    account.function("new", History.empty())
    _, proposals = account.plan()
    assert proposals["no_changes"][0]["reason"].startswith("no metrics")


def test_limit_of_zero_environments_proposes_none(account: Account) -> None:
    account.policy["warmups"] = {"max_environments_per_function": 0}
    account.function("orders", busy_by_day())
    _, proposals = account.plan()
    assert "max_environments_per_function is 0" in proposals["no_changes"][0]["reason"]


def test_planning_twice_proposes_the_same_change(account: Account) -> None:
    account.function("orders", busy_by_day())
    ids = [account.plan()[1]["changes"][0]["id"] for _ in range(2)]
    assert ids[0] == ids[1]


def test_pings_of_a_function_that_ended_are_removed(account: Account) -> None:
    history = busy_by_day()
    history.minutes.values["invocations"][:] = 0
    account.function("orders", history)
    _, proposals = account.plan()
    assert proposals["changes"] == []
    role = boto3.client("iam").get_role(RoleName="target")["Role"]["Arn"]
    boto3.client("scheduler").create_schedule(
        GroupName="warmups",
        Name=schedule_name(account.targets[0]["function_arn"], "warmups-0123456789abcdef", 40_000_000, 2),
        ScheduleExpression="at(2046-01-20T10:40:00)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": role, "RoleArn": role},
    )
    _, proposals = account.plan()
    change = Change.from_document(proposals["changes"][0])
    assert change.before == {"schedules": 1, "plans": ["0123456789abcdef"]}
    assert (change.after["pings"], change.after["schedule"]) == (0, [])


class Provisioned:
    """Lambda's client with provisioned concurrency, which moto does not have. `held`: None for none, or an error."""

    def __init__(self, held: int | str | None) -> None:
        self.held, self.asked = held, 0
        self.real: Any = boto3.client("lambda")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def get_provisioned_concurrency_config(self, **_named: Any) -> dict[str, Any]:
        self.asked += 1
        if isinstance(self.held, int):
            return {"RequestedProvisionedConcurrentExecutions": self.held, "Status": "READY"}
        code = self.held or "ProvisionedConcurrencyConfigNotFoundException"
        raise ClientError({"Error": {"Code": code, "Message": "No."}}, "GetProvisionedConcurrencyConfig")


@pytest.mark.parametrize(
    ("known", "held", "asked", "planned"),
    [
        (9, 9, 1, "9 provisioned environments serve all its calls"),
        (9, None, 1, "pings"),
        (9, "TooManyRequestsException", 1, "9 provisioned environments serve all its calls"),
        (0, None, 0, "pings"),
        (None, None, 0, "pings"),
    ],
)
def test_pings_are_planned_for_what_is_provisioned_now(
    account: Account,
    monkeypatch: pytest.MonkeyPatch,
    known: int | None,
    held: int | str | None,
    asked: int,
    planned: str,
) -> None:
    """The team, or a rollback, may give environments back after the day's look at them."""
    account.function("orders", busy_by_day())
    account.policy["warmups"] = {"max_environments_per_function": 9}
    if known is not None:
        hours = {"timezone": "UTC", "hours": [known] * 168}
        account.documents.write("history/capacity/orders.provisioned.json", hours)
    client = Provisioned(held)
    monkeypatch.setattr("optimizer.aws.paced_lambda", lambda _share: client)
    _, proposals = account.plan()
    reasons = [one["reason"] for one in proposals["no_changes"]]
    assert (client.asked, reasons or ["pings"]) == (asked, [planned])


def test_report_lines_replace_the_assumptions(account: Account) -> None:
    account.function("orders", busy_by_day())
    inits = Sketch().add([1500.0] * 20)
    size = SizeHistory(1024, NOW, NOW, inits=inits, calls=4000)
    idle = IdleTrials({5: 40}, {7: 40})
    account.documents.write("history/capacity/orders.json", FunctionHistory({1024: size}, NOW, idle))
    _, proposals = account.plan()
    evidence = proposals["changes"][0]["evidence"]
    assert (evidence["init_ms"], evidence["init_ms_assumed"]) == (1500.0, False)
    # Three times the half second that the policy's value stands for.
    assert evidence["usd_per_cold_start"] == pytest.approx(3 * 0.0003)
    assert (evidence["keep_alive_minutes"], evidence["keep_alive_from"]) == (6, "report_lines")
    assert evidence["cold_share_seen"] == 0.005


@pytest.mark.parametrize("kept", [None, {"sizes": 3}, []])
def test_evidence_names_the_policy_without_report_lines(account: Account, kept: Any) -> None:
    account.function("orders", busy_by_day())
    if kept is not None:
        account.documents.write("history/capacity/orders.json", kept)
    _, proposals = account.plan()
    evidence = proposals["changes"][0]["evidence"]
    assert (evidence["init_ms"], evidence["init_ms_assumed"], evidence["cold_share_seen"]) == (500.0, True, None)
    assert (evidence["keep_alive_minutes"], evidence["keep_alive_from"]) == (10, "policy")


@pytest.mark.parametrize(("limit", "limited"), [(3, True), (30, False)])
def test_reason_names_the_limit_that_makes_a_plan_smaller(account: Account, limit: int, limited: bool) -> None:
    account.policy = {"version": 1, "warmups": {"max_environments_per_function": limit}}
    account.function("orders", busy_by_day())
    _, proposals = account.plan()
    change = proposals["changes"][0]
    assert (change["after"]["most_environments"] == limit) is limited
    assert (f"warmups.max_environments_per_function allows {limit} to be kept warm" in change["reason"]) is limited


def pings_of_days(days: int, cold: int, every: int = 9) -> None:
    """Record a ping of one environment every few minutes of the last days."""
    log = PingLog(boto3.client("dynamodb"), TABLE)
    first = minute_of(NOW) - days * DAY_MINUTES
    for minute in range(first, minute_of(NOW), every):
        warmup = Warmup("orders", "live", 1, 200, "run", "warmups-0123456789abcdef", minute)
        met = Warmed(1, 1, cold, 1, 0, 0.0, 200.0, 1, 200.0, "")
        log.record(warmup, met, moment_of(minute))


def lines_of(history: History, cold_starts: int) -> FunctionHistory:
    """Return lines that show so many cold starts in each hour with calls."""
    minutes = history.minutes
    hours = np.unique((minutes.start + np.flatnonzero(minutes.values["invocations"])) // 60).tolist()
    inits = Sketch().add([500.0] * 20)
    return FunctionHistory(
        {1024: SizeHistory(1024, NOW, NOW, inits=inits, calls=4000)},
        moment_of(minutes.end),
        cold_hours=dict.fromkeys(hours, cold_starts),
        cold_since=-(-minutes.start // 60),
    )


def test_what_pings_avoided_is_in_the_reason_and_the_evidence(account: Account) -> None:
    history = busy_by_day()
    account.function("orders", history)
    account.documents.write("history/capacity/orders.json", lines_of(history, 8))
    pings_of_days(1, 0, every=60)
    _, proposals = account.plan()
    change = proposals["changes"][0]
    verified = change["evidence"]["verified"]
    assert verified["known"]
    assert verified["cold_starts_without_pings"] > 250
    assert verified["avoided_low"] <= verified["avoided"] <= verified["avoided_high"]
    assert f"callers met {verified['cold_starts_with_pings']:.0f} cold starts with pings" in change["reason"]
    assert " avoided (95 %: " in change["reason"]
    assert account.documents.read("history/warmups/orders.json")["before"]["seen"] > 250


def test_pings_that_avoid_less_than_they_cost_are_stopped(account: Account) -> None:
    """Callers meet more cold starts on the day with pings than they met without them."""
    history = busy_by_day()
    account.function("orders", history)
    lines = lines_of(history, 8)
    last_day = minute_of(NOW) // 60 - 24
    lines = replace(lines, cold_hours={at: 30 if at > last_day else 8 for at in lines.cold_hours})
    account.documents.write("history/capacity/orders.json", lines)
    pings_of_days(1, 0, every=5)
    _, proposals = account.plan()
    assert proposals["changes"] == []
    reason = proposals["no_changes"][0]["reason"]
    assert reason.startswith("its pings cost more than what they avoid is worth; verified")
    # The next run reads no pings again, because there are no further lines.
    for item in boto3.client("dynamodb").scan(TableName=TABLE)["Items"]:
        boto3.client("dynamodb").delete_item(TableName=TABLE, Key={"pk": item["pk"], "sk": item["sk"]})
    _, again = account.plan()
    assert again["no_changes"][0]["reason"] == reason


def test_verification_that_cannot_be_read_is_made_anew(account: Account) -> None:
    history = busy_by_day()
    account.function("orders", history)
    account.documents.write("history/capacity/orders.json", lines_of(history, 8))
    account.documents.write("history/warmups/orders.json", {"before": 3})
    account.plan()
    assert account.documents.read("history/warmups/orders.json")["before"]["seen"] > 250


@pytest.mark.parametrize(("reserved", "most"), [(0, 0), (1, 0), (3, 2), (50, None)])
def test_plans_stay_within_the_reserved_concurrency(account: Account, reserved: int, most: int | None) -> None:
    account.function("orders", busy_by_day())
    _, free = account.plan()
    account.lambda_.put_function_concurrency(FunctionName="orders", ReservedConcurrentExecutions=reserved)
    _, proposals = account.plan()
    if most == 0:
        assert proposals["changes"] == []
        assert f"its reserved concurrency is {reserved}" in proposals["no_changes"][0]["reason"]
        return
    before, after = free["changes"][0]["after"], proposals["changes"][0]["after"]
    assert before["most_environments"] > 2
    assert after["most_environments"] == most if most else before["most_environments"]
    assert proposals["changes"][0]["evidence"]["reserved_concurrency"] == reserved
    assert most is None or f"its reserved concurrency of {reserved} leaves {most}" in proposals["changes"][0]["reason"]


def test_a_version_whose_own_code_ran_is_left_alone(account: Account) -> None:
    account.function("orders", busy_by_day())
    known = ReadyVersions(boto3.client("dynamodb"), "optimizer")
    known.record("orders", VersionReadiness("1", is_ready=False, why="answered 'order placed'", at=NOW))
    _, proposals = account.plan()
    assert proposals["changes"] == []
    assert "version 1 does not answer pings" in proposals["no_changes"][0]["reason"]
    account.lambda_.update_function_code(FunctionName="orders", ZipFile=b"decorated", Publish=True)
    account.lambda_.update_alias(FunctionName="orders", Name="live", FunctionVersion="2")
    _, proposals = account.plan()
    assert len(proposals["changes"]) == 1


def test_consumers_of_queues_get_pings_by_policy_alone(account: Account) -> None:
    account.function("orders", busy_by_day())
    queue = boto3.client("sqs").create_queue(QueueName="incoming")["QueueUrl"]
    arn = boto3.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    alias = f"{account.targets[0]['function_arn']}:live"
    account.lambda_.create_event_source_mapping(FunctionName=alias, EventSourceArn=arn)
    _, proposals = account.plan()
    assert proposals["changes"] == []
    assert f"a queue or stream calls it ({arn})" in proposals["no_changes"][0]["reason"]
    account.policy["warmups"] = {"include_consumers": ["ord*"]}
    _, proposals = account.plan()
    assert len(proposals["changes"]) == 1
    account.policy["warmups"] = {"exclude": ["orders"]}
    _, proposals = account.plan()
    assert "warmups.exclude of the policy names orders" in proposals["no_changes"][0]["reason"]


def test_one_listing_of_event_sources_serves_all_batches_of_a_run(account: Account) -> None:
    """The listing is of the whole account: one for each batch would grow with the square of the fleet."""
    asked: list[str] = []
    account.lambda_.meta.events.register("before-call.lambda", lambda model, **_: asked.append(model.name))
    for run_id, listings in (("monday", 1), ("monday", 1), ("tuesday", 2)):
        event_sources_of_run(account.lambda_, account.documents, run_id)
        assert asked.count("ListEventSourceMappings") == listings
