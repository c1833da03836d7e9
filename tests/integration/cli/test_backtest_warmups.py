"""`optimizer backtest warmups` on trace files and on an account."""

import csv
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result
from moto import mock_aws
from optimizer.core.clock import minute_of, moment_of
from optimizer.function_logs import ReportLog, Scan
from optimizer.function_logs.parse import LoggedReport, ReportLine, Reports
from optimizer_cli.main import main

DAY = 1440
START = 29_000_160


def backtest(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["backtest", "warmups", *arguments])


def write(folder: Path, name: str, calls: list[str], **facts: Any) -> None:
    file = folder / "series.json"
    series = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps({**series, name: {"period_s": 60, "timezone": "UTC", "duration_ms": 100.0, **facts}}))
    with gzip.open(folder / f"{name}.csv.gz", "wt", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["timestamp", "invocations"])
        for minute, count in enumerate(calls):
            rows.writerow([moment_of(START + minute).isoformat(), count])


def every(minutes: int, days: int) -> list[str]:
    return ["1" if minute % minutes == 0 else "0" for minute in range(days * DAY)]


def test_traces_are_played_one_by_one_and_in_total(tmp_path: Path) -> None:
    write(tmp_path, "rare", every(60, 4))
    write(tmp_path, "steady", every(30, 4))
    write(tmp_path, "by_the_hour", ["1"] * 24, period_s=3600)
    result = backtest("--traces", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert set(document["functions"]) == {"rare", "steady"}
    assert document["functions"]["steady"]["days"] == 2.0
    assert document["functions"]["steady"]["outcomes"]["nothing"]["cold_starts"] == 96
    assert document["total"]["nothing"] == {
        "cold_starts": 144,
        "idle_minutes": 0,
        "pings": 0,
        "usd": 0,
        "net_usd": 0,
        "saved_usd": 0,
        "weekday_cold_starts": [0, 0, 0, 0, 0, 72, 72],
        "weekday_usd": [0] * 7,
        "cold_left": 1.0,
    }
    # The first pings come too late for the first calls, and one call comes while a ping holds both environments.
    assert document["total"]["flat"]["cold_left"] == round(3 / 144, 4)
    assert document["failed"] == {"by_the_hour": "its period_s is 3600; only 60 can be played"}


def test_series_of_another_period_alone_is_named(tmp_path: Path) -> None:
    """CloudWatch's own export has five minutes."""
    write(tmp_path, "by_five_minutes", ["1"] * 288, period_s=300)
    result = backtest("--traces", str(tmp_path), "--only", "by_five_minutes")
    assert result.exit_code == 1
    assert "by_five_minutes: its period_s is 300; only 60 can be played" in result.output


def test_table_names_functions_with_too_little_history(tmp_path: Path) -> None:
    write(tmp_path, "steady", every(30, 4))
    write(tmp_path, "young", every(30, 1))
    result = backtest("--traces", str(tmp_path), "--usd-per-cold-start", "0.006", "--hours-between-plans", "24")
    assert result.exit_code == 0, result.output
    assert "steady" in result.stdout
    assert "target tracking" in result.stdout
    weekdays = [line.split() for line in result.stdout.splitlines() if "day " in line]
    assert ["Saturday", "48"] in [[line[1], line[3]] for line in weekdays]
    assert "worth $0.006 for half a second of INIT" in " ".join(result.stdout.split())
    assert "young: less than two days are known" in result.stdout


def test_a_limit_that_leaves_cold_starts_is_named(tmp_path: Path) -> None:
    write(tmp_path, "busy", ["40" if minute % 60 == 0 else "0" for minute in range(4 * DAY)], duration_ms=3000)
    result = backtest("--traces", str(tmp_path))
    assert "up to 5 environments were needed; the policy lets 4" not in " ".join(result.stdout.split())
    file = tmp_path / "policy.json"
    file.write_text('{"version": 1, "warmups": {"max_environments_per_function": 4}}')
    result = backtest("--traces", str(tmp_path), "--policy", str(file))
    assert "busy: up to 9 environments were needed; the policy lets 4" in " ".join(result.stdout.split())


def test_minutes_without_a_count_are_not_known(tmp_path: Path) -> None:
    write(tmp_path, "steady", every(30, 3) + [""] * (DAY - 1) + ["0"])
    document = json.loads(backtest("--traces", str(tmp_path), "--json").stdout)
    assert document["functions"]["steady"]["outcomes"]["nothing"]["cold_starts"] == 48


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "series.json").unlink(), "has no series.json"),
        (lambda folder: (folder / "series.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "steady.csv.gz").unlink(), "cannot be read"),
        (lambda folder: (folder / "steady.csv.gz").write_bytes(gzip.compress(b"a,b\n1,2\n")), "not a series"),
    ],
)
def test_unreadable_traces_are_named(tmp_path: Path, damage: Any, message: str) -> None:
    write(tmp_path, "steady", every(30, 4))
    damage(tmp_path)
    result = backtest("--traces", str(tmp_path))
    assert result.exit_code == 1
    assert message in result.stderr


class CloudWatch:
    """get_metric_data of a function that is called once every half hour; nothing is known of others."""

    def get_paginator(self, _name: str) -> "CloudWatch":
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        first, end = (minute_of(request[name]) for name in ("StartTime", "EndTime"))
        results = []
        for query in request["MetricDataQueries"]:
            stat = query["MetricStat"]
            # A metric without dimensions is that of the account; it tells of its one function.
            name = next((one["Value"] for one in stat["Metric"]["Dimensions"]), "orders")
            period = stat["Period"] // 60
            at = [minute for minute in range(first, end) if name == "orders" and minute % max(30, period) == 0]
            value = {"Invocations": max(1, period // 30), "Duration": 100.0, "ConcurrentExecutions": 1.0}
            values = [float(value.get(stat["Metric"]["MetricName"], 0))] * len(at)
            results.append({"Id": query["Id"], "Timestamps": [moment_of(m) for m in at], "Values": values})
        yield {"MetricDataResults": results}


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        real = boto3.client
        monkeypatch.setattr(
            boto3,
            "client",
            lambda name, *rest, **more: CloudWatch() if name == "cloudwatch" else real(name, *rest, **more),
        )
        yield real


def function(client: Any, name: str, **tags: str) -> None:
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("app.py", "def handler(event, context): return None")
    role = client("iam").create_role(RoleName=name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client("lambda").create_function(
        FunctionName=name,
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": code.getvalue()},
        MemorySize=512,
        Architectures=["arm64"],
        Tags=tags,
    )


def test_own_functions_are_found_by_tag_and_played(account: Any) -> None:
    """Functions of the account are found by tag and played from their CloudWatch metrics."""
    function(account, "orders", optimizer="on")
    function(account, "never-called", optimizer="on")
    function(account, "not-ours")
    result = backtest("--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert set(document["functions"]) == {"orders", "never-called"}
    orders = document["functions"]["orders"]
    assert 7.5 < orders["days"] < 8.1
    assert orders["outcomes"]["nothing"]["cold_starts"] == pytest.approx(48 * orders["days"], abs=1)
    assert document["functions"]["never-called"]["days"] == 0
    # Nobody has seen its INIT, because it has no log group.
    assert (orders["init_ms"], orders["init_ms_assumed"]) == (500.0, True)


def test_init_and_keep_alive_are_those_of_its_own_lines(account: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that answered warm after twenty minutes, again and again, lives for twenty; INIT took 800 ms."""
    function(account, "orders", optimizer="on")
    now = datetime.now(UTC)
    lines = [
        LoggedReport(
            now - timedelta(minutes=20 * age),
            "1",
            ReportLine(f"call-{age}", 100.0, 100, 512, 90, init_ms=800.0 if age == 14 else None),
            "stream",
        )
        for age in range(14, 0, -1)
    ]
    reports = Scan(Reports(tuple(lines)), now - timedelta(days=1), now, 1000.0)
    monkeypatch.setattr(ReportLog, "scan", lambda *_, **__: reports)
    document = json.loads(backtest("--json").stdout)
    found = document["functions"]["orders"]
    assert (found["init_ms"], found["init_ms_assumed"]) == (800.0, False)
    assert found["keep_alive_minutes"] == 19
    assert document["functions"]["orders"]["outcomes"]["planned"]["usd"] >= 0


def test_account_without_a_tagged_function_is_an_error(account: Any) -> None:
    function(account, "not-ours")
    result = backtest()
    assert result.exit_code == 1
    assert "no function is tagged optimizer=on" in result.stderr
