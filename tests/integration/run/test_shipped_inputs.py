"""The inputs of the schedules, as template.yaml has them, through planners, guardrails, report and review."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import numpy as np
import pytest
from optimizer.capacity.live_function import LiveFunction, Version
from optimizer.capacity.planner import CapacityPlanner
from optimizer.core.change import Change, Effect, Interval, Risk, Status, Tuner
from optimizer.core.clock import minute_of
from optimizer.function_logs import FunctionHistory, HourlyScan, LogSource, Scan, hour_of, hours_of
from optimizer.function_logs.parse import LoggedReport, ReportLine, Reports
from optimizer.policy.model import Policy
from optimizer.report.summary import SECTIONS
from optimizer.run.check import check_run
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore
from optimizer.traffic.history import DAY_MINUTES, HOUR_METRICS, History, Series, empty_series
from optimizer.traffic.summary import summarise
from shipped_template import RESOURCES

from tests.helpers.own_account import TABLE, create_inbox, create_target, load_handler, own_account
from tests.helpers.rates import PRICES

INPUTS = {
    name: json.loads(event["Properties"]["Input"])
    for name, event in RESOURCES["Optimize"]["Properties"]["Events"].items()
    if "Input" in event["Properties"]
}
OF_FUNCTIONS = {Tuner.WARMUPS, Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY}
EXECUTION = "arn:aws:states:us-east-1:123456789012:execution:optimize:"
GENEROUS = {"max_usd_day": 1000, "max_usd_month": 1000}
# Every pair of modes of two tuners is in one of these.
MODES = [
    ("recommend", "recommend", "recommend"),
    ("recommend", "approve", "approve"),
    ("recommend", "auto", "auto"),
    ("approve", "recommend", "approve"),
    ("approve", "approve", "auto"),
    ("approve", "auto", "recommend"),
    ("auto", "recommend", "auto"),
    ("auto", "approve", "recommend"),
    ("auto", "auto", "approve"),
]


@dataclass(frozen=True, slots=True)
class OneFunction:
    """A function behind an alias that is always busy, and its log: what the capacity planner reads."""

    now: datetime

    def read(self, name: str, alias: str, **_parts: bool) -> LiveFunction:
        versions = [Version(n, 1024, "code", "content", "r", settled=True, failed=False) for n in ("$LATEST", "1")]
        return LiveFunction(name, alias, "1", "a", {}, *versions, function_arn=name)

    def with_routing(self, live: LiveFunction) -> LiveFunction:
        return live

    def scan(self, _group: str, now: datetime, **_limits: Any) -> Scan:
        report = [ReportLine("1", 2000.0 + n % 3, 2003.0, 1024, 90) for n in range(1000)]
        lines = [LoggedReport(now - timedelta(minutes=n), "1", one) for n, one in enumerate(report)]
        return Scan(Reports(tuple(lines)), now - timedelta(days=14), now, 1e6)

    def scan_hours(self, _source: LogSource, now: datetime, _history: FunctionHistory, **_limits: Any) -> HourlyScan:
        lines, end = self.scan("", now).reports.lines, hour_of(now)
        return HourlyScan([(end - 14 * 24, end, hours_of(lines))], 1e6, 1e3)


class Application:
    """An account in which runs are started as the schedules start them, without its state machine."""

    def __init__(self, modes: tuple[str, str, str]) -> None:
        memory, provisioned, warmups = modes
        self.modes = {
            Tuner.MEMORY: memory,
            Tuner.PROVISIONED_CONCURRENCY: provisioned,
            Tuner.WARMUPS: warmups,
        }
        self.policy = {
            "version": 1,
            "memory": {"mode": memory, "max_slowdown": 3.0},
            "provisioned_concurrency": {"mode": provisioned, **GENEROUS},
            "warmups": {"mode": warmups, "idle_minutes_per_cold_start": 60},
            "run": {"max_changes_share": 1.0},
        }
        self.documents = Documents(boto3.client("s3"), "optimizer")
        self.documents.write("policy/policy.json", self.policy)
        self.store = RunStore(boto3.client("dynamodb"), TABLE)
        self.arn = create_target("orders", **{"optimizer:warmup": "ready"})
        boto3.client("scheduler").create_schedule_group(Name="warmups")
        self.now = datetime.now(UTC)
        end = minute_of(self.now) - 3
        count = 14 * DAY_MINUTES
        calls = np.full(count, 54.0)
        values = {"invocations": calls, "duration_ms": np.full(count, 2000.0), "concurrency": np.full(count, 3.0)}
        self.history = History(Series(end - count, values), empty_series(HOUR_METRICS))
        self.documents.write_bytes("history/orders.npz", self.history.to_bytes(), "application/octet-stream")

    def keep_a_size(self) -> None:
        """Record that the size of now is one that an earlier run found."""
        kept = Change(
            run_id="earlier",
            tuner=Tuner.MEMORY,
            action="set_memory",
            target=self.arn,
            before={"memory_mb": 1024},
            after={"memory_mb": 1024},
            reason="It is cheaper.",
            undo={"memory_mb": 1024},
            risk=Risk.LOW,
            effect=Effect(usd_month=Interval(-3.0, -4.0, -2.0)),
        )
        self.store.record_change(kept, Status.WATCHING, self.now)
        self.store.move(kept.id, Status.KEPT, self.now, from_any={Status.WATCHING})

    def run(self, run_id: str, request: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the report of a run; None if it did not start."""
        event = {"run_id": run_id, "execution_arn": EXECUTION + run_id, "request": request}
        started = load_handler("start_run").handler(event, None)
        if started["outcome"] != "started":
            assert started["outcome"] == "skipped"
            return None
        for item in self.documents.read(started["manifest_key"]):
            self._plan(run_id, item["batch"])
        check_run(self.store, self.documents, run_id, lambda: 900, self.now)
        for part in started["report_parts"]:
            load_handler("render_report").handler({"run_id": run_id, "part": part}, None)
        load_handler("publish_results").handler({"step": "run", "run_id": run_id, "failed_batches": []}, None)
        key = {"pk": {"S": "LOCK"}, "sk": {"S": "RUN"}}
        boto3.client("dynamodb").delete_item(TableName=TABLE, Key=key)
        report: dict[str, Any] = self.documents.read(f"runs/{run_id}/report.json")
        return report

    def _plan(self, run_id: str, batch: str) -> None:
        target = {"function_name": "orders", "function_arn": self.arn, "alias": "live", "timezone": "UTC"}
        traffic = asdict(summarise(self.history, **target, history_key="history/orders.npz"))
        found = {"functions": {"orders": traffic}, "failed": {}}
        self.documents.write(f"runs/{run_id}/traffic/{batch}.json", found)
        function: Any = OneFunction(self.now)
        policy = Policy.from_document(self.documents.read(f"runs/{run_id}/policy.json"))
        planner = CapacityPlanner(self.documents, function, function, policy, run_id, self.now, PRICES)
        planner.plan(batch).write(self.documents, run_id, f"capacity-{batch}")
        load_handler("plan_warmups").handler({"run_id": run_id, "batch": batch}, None)


@pytest.fixture(params=MODES, ids="-".join)
def application(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Application]:
    monkeypatch.setenv("OPTIMIZER_SCHEDULE_GROUP", "warmups")
    with own_account(monkeypatch):
        kms: Any = boto3.client("kms")
        key = kms.create_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
        monkeypatch.setenv("OPTIMIZER_PROGRAMS_TOPIC_ARN", create_inbox()[0])
        monkeypatch.setenv("OPTIMIZER_TOPIC_ARN", boto3.client("sns").create_topic(Name="people")["TopicArn"])
        monkeypatch.setenv("OPTIMIZER_REPORT_KEY", key)
        monkeypatch.setenv("OPTIMIZER_REPORT_URL", "https://reports.example/")
        monkeypatch.setenv("OPTIMIZER_REPORT_DAYS", "7")
        yield Application(request.param)


def test_each_schedule_speaks_for_its_own_tuners(application: Application) -> None:
    """Nothing is blocked, nothing asked for is left out, and what was saved is measured whichever schedule ran."""
    application.keep_a_size()
    measured = set()
    for name in ("Daily", "Weekly", "Warmups"):
        report = application.run(name.lower(), INPUTS[name])
        asked = {Tuner(tuner) for tuner in INPUTS[name]["tuners"]} & OF_FUNCTIONS
        if INPUTS[name].get("only_automatic"):
            assert (report is None) is (application.modes[Tuner.WARMUPS] != "auto")
        if report is None:
            continue
        told = [one["tuner"] for part in SECTIONS for one in report[part]]
        told += [one["tuner"] for one in report["left_alone"]]
        assert sorted(told) == sorted(asked)
        assert report["refused"] == report["failed"] == []
        assert report["not_looked_at"] == {}
        planned = application.documents.read(f"runs/{name.lower()}/plan.json")
        verdicts = {one["change"]["tuner"]: one["verdict"] for one in planned["proposals"]}
        decision = {"recommend": "recommended", "approve": "ask", "auto": "automatic"}
        for tuner in asked - {Tuner.WARMUPS}:
            assert verdicts[tuner] == decision[application.modes[tuner]]
        if not INPUTS[name].get("only_automatic"):
            measured.add((report["proved"]["measured"], report["proved"]["measured_usd_month"]))
    assert measured == {(1, 0.0)}
    review = application.documents
    assert load_handler("start_run").handler(
        {"run_id": "review", "execution_arn": EXECUTION + "review", "request": INPUTS["Monthly"]}, None
    ) == {"outcome": "review", "run_id": "review"}
    load_handler("publish_results").handler({"step": "review", "run_id": "review"}, None)
    told = review.read("runs/review/report.json")
    assert told["rules"] == []
    assert not [line for line in told["advice"] if "blocked" in line or "applied" in line]


def test_a_run_for_everything_makes_one_change_of_a_function(application: Application) -> None:
    """Of memory and provisioned concurrency, both of which pay, one waits only where both would be applied."""
    report = application.run("everything", {})
    assert report is not None
    assert report["refused"] == report["failed"] == []
    planned = application.documents.read("runs/everything/plan.json")
    acting = [one for one in planned["proposals"] if one["verdict"] in ("automatic", "ask")]
    configured = [one["change"]["tuner"] for one in acting if one["change"]["tuner"] != Tuner.WARMUPS]
    modes = {tuner: application.modes[tuner] for tuner in (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)}
    assert len(configured) == min(1, sum(mode != "recommend" for mode in modes.values()))
    if "auto" in modes.values():
        assert modes[Tuner(configured[0])] == "auto"
    recommended = {one["change"]["tuner"] for one in planned["proposals"] if one["verdict"] == "recommended"}
    assert {tuner for tuner, mode in modes.items() if mode == "recommend"} <= recommended
