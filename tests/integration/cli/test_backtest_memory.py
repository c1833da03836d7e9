"""`optimizer backtest memory` on trace files and on an account."""

import csv
import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from click.testing import CliRunner, Result
from hypothesis import given, strategies as st
from moto import mock_aws
from optimizer.capacity.backtest import month_of_days, together
from optimizer.core.change import Interval
from optimizer_cli.main import main

START = datetime(2026, 10, 1, tzinfo=UTC)


def backtest(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["backtest", "memory", *arguments])


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    series = {name: {"period_s": 60, "timezone": "UTC", "duration_ms": 100.0} for name in ("busy", "idle")}
    (tmp_path / "series.json").write_text(json.dumps(series))
    for name, calls in (("busy", 30), ("idle", 0)):
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt", newline="") as text:
            rows = csv.writer(text)
            rows.writerow(["timestamp", "invocations"])
            rows.writerows([(START + timedelta(minutes=m)).isoformat(), calls] for m in range(15 * 1440))
    return tmp_path


@pytest.fixture
def curves(tmp_path: Path) -> Path:
    folder = tmp_path / "curves"
    folder.mkdir()
    waits = "".join(f"set,waits,x86_64,{mb},100.0,100\n" for mb in (128, 256, 512, 1024, 2048, 3008))
    (folder / "curves.csv").write_text("dataset,function,arch,memory_mb,duration_ms,n_invocations\n" + waits)
    return folder


def test_waiting_function_gets_smaller_and_saves(traces: Path, curves: Path) -> None:
    policy = traces / "policy.json"
    policy.write_text('{"version": 1, "run": {"max_changes_share": 1.0}}')
    result = backtest(
        *("--traces", str(traces), "--curves", str(curves), "--policy", str(policy), "--days", "2", "--json")
    )
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    busy, idle = said["functions"]["busy"], said["functions"]["idle"]
    assert [attempt["outcome"] for attempt in busy["tries"]] == ["kept"]
    assert busy["after_mb"] == busy["tries"][0]["memory_mb"] < busy["before_mb"]
    assert 0 < busy["saving"]["low"] <= busy["saving"]["estimate"] <= busy["saving"]["high"]
    assert idle["tries"] == []
    assert idle["note"]
    assert said["total"]["saving_usd_month"]["estimate"] == pytest.approx(busy["saving"]["estimate"])


def test_table_shows_the_total(traces: Path) -> None:
    result = backtest("--traces", str(traces), "--days", "1")
    assert result.exit_code == 0, result.output
    assert "all together" in result.stdout
    assert "busy" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--only", "nobody"], "has no series nobody"),
        (["--policy", "{bad}"], "max_slowdown"),
    ],
)
def test_unplayable_input_is_named(traces: Path, tmp_path: Path, arguments: list[str], words: str) -> None:
    bad = tmp_path / "bad.json"
    bad.write_text('{"version": 1, "memory": {"max_slowdown": "no"}}')
    result = backtest("--traces", str(traces), *(argument.format(bad=bad) for argument in arguments))
    assert result.exit_code == 1
    assert words in result.output


def test_curves_without_traces_are_rejected(curves: Path) -> None:
    assert backtest("--curves", str(curves)).exit_code == 2


def test_account_without_tagged_functions_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        assert boto3.client("lambda").list_functions()["Functions"] == []
        result = backtest()
    assert result.exit_code == 1
    assert "no function is tagged optimizer=on" in result.output


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_month_is_a_multiple_of_the_mean_day(days: list[float]) -> None:
    """Its interval holds the estimate."""
    month = month_of_days(days)
    assert month.estimate == pytest.approx(sum(days) / len(days) * 365 / 12, abs=1e-6)
    assert month.low <= month.estimate <= month.high


def test_independent_savings_add_up_with_less_doubt() -> None:
    total = together([Interval(10, 7, 13), Interval(20, 16, 24)])
    assert (total.estimate, total.low, total.high) == pytest.approx((30, 25, 35))
