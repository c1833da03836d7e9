"""The application's own bill, held by the template and the code that decides, and when a policy is not worth it."""

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from optimizer.assess import Worth, application_bill as bill, cost_table, document, own_bill, usual_use, worth_warnings
from optimizer.core import minute_of
from optimizer.policy import Policy
from optimizer.report.collect import _COUNTED
from optimizer.traffic import History, cloudwatch_history
from optimizer_cli.main import main

from tests.helpers.assessment_sample import NOW, sample

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "template.yaml").read_text()
MACHINE = json.loads((ROOT / "statemachine" / "optimize.asl.json").read_text())


def resources(kind: str) -> list[str]:
    return re.findall(rf"^    Type: {kind}$", TEXT, re.MULTILINE)


def test_keys_alarms_and_schedules_are_those_of_the_template() -> None:
    """Run `optimizer cost` again for docs/cost.md where this fails."""
    assert len(resources("AWS::KMS::Key")) == bill.KMS_KEYS
    assert len(resources("AWS::CloudWatch::Alarm")) == bill.ALARMS
    schedules = dict(
        re.findall(r"^  (\w*ScheduleExpression):\n    Type: String\n    Default: cron\((.+)\)$", TEXT, re.MULTILINE)
    )
    assert schedules["ScheduleExpression"] == "0 4 * * ? *"
    assert schedules["WeeklyScheduleExpression"].endswith("? * MON *")
    assert pytest.approx(3) == bill.WARMUP_RUNS / bill.DAILY_RUNS
    assert len(schedules["WarmupScheduleExpression"].split()[1].split(",")) == 3


def test_metrics_of_its_own_are_those_that_it_emits() -> None:
    texts = "".join(path.read_text() for path in (ROOT / "layer" / "optimizer" / "run").glob("health.py"))
    ages = set(re.findall(r'"(\w+Hours)"', texts))
    collected = (ROOT / "layer" / "optimizer" / "report" / "collect.py").read_text()
    counts = {*_COUNTED.values(), *re.findall(r'^ +"([A-Z][a-z]\w+)": [\w.(]+', collected, re.MULTILINE)}
    assert len(ages | counts) == bill.CUSTOM_METRICS, ages | counts


def test_metrics_of_a_run_are_those_that_it_reads() -> None:
    class Asked:
        """Counts metrics as they are billed: up to five statistics of one in a call at the price of one."""

        def __init__(self) -> None:
            self.billed = 0

        def get_paginator(self, _name: str) -> "Asked":
            return self

        def paginate(self, MetricDataQueries: list[Any], StartTime: datetime, **_: object) -> list[Any]:  # noqa: N803 - boto3's names
            statistics: dict[str, set[str]] = {}
            results = []
            for query in MetricDataQueries:
                metric = query["MetricStat"]["Metric"]
                # One metric of the account, which shows that nobody was throttled, does not count for each function.
                if metric["Dimensions"]:
                    statistics.setdefault(metric["MetricName"], set()).add(query["MetricStat"]["Stat"])
                points = {"Timestamps": [StartTime], "Values": [0.0]}
                results.append({"Id": query["Id"], **points})
            self.billed += sum(-(-len(asked) // 5) for asked in statistics.values())
            return [{"MetricDataResults": results}]

    first, later = Asked(), Asked()
    window = cloudwatch_history.missing_window(History.empty(), minute_of(NOW))
    list(cloudwatch_history.read_missing(first, {"a": window}))  # type: ignore[arg-type]
    # On later days nothing is older than the minutes, and functions with bursts need one more.
    assert first.billed == bill.METRICS_A_RUN
    end, hour = window.end_minute, window.end_hour
    again = cloudwatch_history.MetricWindow(end - 1620, end, hour - 27, hour - 27, hour)
    list(cloudwatch_history.read_missing(later, {"a": again}))  # type: ignore[arg-type]
    assert later.billed + 1 == bill.METRICS_A_RUN


def _states(machine: dict[str, Any]) -> int:
    return len(machine["States"])


def test_states_of_a_run_are_no_more_than_counted() -> None:
    batch = next(
        state["ItemProcessor"]
        for branch in next(s for s in MACHINE["States"].values() if s["Type"] == "Parallel")["Branches"]
        for state in branch["States"].values()
        if state["Type"] == "Map" and "ItemReader" in state
    )
    assert _states(batch) + 2 <= bill.TRANSITIONS_A_BATCH
    assert _states(MACHINE) + 5 <= bill.TRANSITIONS_A_RUN


def test_page_has_the_table_that_the_code_makes() -> None:
    page = (ROOT / "docs" / "cost.md").read_text()
    table = page.partition("<!-- optimizer cost -->\n")[2].partition("<!-- end -->")[0]
    assert table == cost_table()
    assert CliRunner().invoke(main, ["cost"]).stdout == cost_table()


def test_command_prints_one_fleet() -> None:
    found = json.loads(CliRunner().invoke(main, ["cost", "--functions", "250", "--json"]).stdout)
    assert found["together"] == pytest.approx(sum(own_bill(usual_use(250)).values()))
    assert "250 functions" in CliRunner().invoke(main, ["cost", "--functions", "250"]).stdout


def test_bill_grows_with_the_fleet_and_never_below_its_fixed_part() -> None:
    bills = [sum(own_bill(usual_use(size)).values()) for size in (0, 10, 100, 1000)]
    assert bills == sorted(bills)
    assert bills[0] > 3 * 1.0 + 7 * 0.1


def check(folder: Path, policy: dict[str, Any], *options: str) -> dict[str, Any]:
    file = folder / "policy.json"
    file.write_text(json.dumps({"version": 1, **policy}))
    done = CliRunner().invoke(main, ["policy", "check", str(file), "--json", *options])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_policy_that_may_apply_nothing_warns(tmp_path: Path) -> None:
    found = check(tmp_path, {"mode": "auto", "run": {"max_changes": 0}})
    assert "no change is ever applied" in found["warnings"][0]
    assert "warnings" not in check(tmp_path, {"mode": "auto"})
    assert "warnings" not in check(tmp_path, {})


def test_policy_that_reads_more_logs_than_it_saves_warns(tmp_path: Path) -> None:
    found = check(tmp_path, {"memory": {"max_log_scan_mb": 5000}})
    assert "memory.max_log_scan_mb is 5000" in found["warnings"][0]


def test_policy_that_could_cost_more_than_it_saves_warns(tmp_path: Path) -> None:
    assessment = tmp_path / "assessment.json"
    assessment.write_text(json.dumps(_document(saved=2.0)))
    found = check(tmp_path, {"mode": "auto"}, "--assessment", str(assessment))
    assert "found at most $2.00 to save" in found["warnings"][0]
    assessment.write_text(json.dumps(_document(saved=20.0)))
    found = check(tmp_path, {"mode": "auto"}, "--assessment", str(assessment))
    assert "Warm-ups may spend up to $20.00 a month (warmups.max_usd_month)" in found["warnings"][0]
    assessment.write_text(json.dumps(_document(saved=200.0)))
    assert "warnings" not in check(tmp_path, {"mode": "auto"}, "--assessment", str(assessment))
    recommends = check(tmp_path, {}, "--assessment", str(assessment))
    assert "only recommend" in recommends["warnings"][0]


def _document(saved: float) -> dict[str, Any]:
    totals = {"functions": 50, "idle": 10, "saved_usd_month": {"estimate": saved / 2, "low": 0.0, "high": saved}}
    return {"totals": totals, "servers": [{"kind": "cache", "is_supported": True}]}


def test_file_that_is_no_assessment_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"version": 1}')
    for content in ("{}", "[1]", "no JSON"):
        other = tmp_path / "other.json"
        other.write_text(content)
        done = CliRunner().invoke(main, ["policy", "check", str(file), "--assessment", str(other)])
        assert done.exit_code == 1
        assert "other.json" in done.stderr


def test_assessment_is_read_from_what_the_command_prints() -> None:
    assert Worth.from_document(document(sample())) == Worth(7, 1, 1, pytest.approx(146.38))
    assert worth_warnings(Policy()) == []
