"""The local account answers as AWS does."""

import io
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from local_account import account as account_module
from local_account.account import ROOT, EmulatorMissing, LocalAccount
from local_account.fleet import FleetSource, TargetFunction
from local_account.processes import PortInUse
from optimizer.function_logs.parse import parse

pytestmark = pytest.mark.starts_servers

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def account() -> Iterator[LocalAccount]:
    """Provide an account that nobody has used yet; the shared one has other tests' calls in its logs."""
    with LocalAccount(FleetSource(datetime.now(UTC))) as running:
        yield running


@pytest.fixture(scope="module")
def cloudwatch(account: LocalAccount) -> Any:
    return account.session.client("cloudwatch")


@pytest.fixture(scope="module")
def second() -> Iterator[LocalAccount]:
    """Provide another account, small, for tests that change something."""
    with LocalAccount(FleetSource(datetime.now(UTC), functions=3)) as running:
        yield running


def query(target: TargetFunction, metric: str, statistic: str, period_s: int, **more: str) -> dict[str, Any]:
    dimensions = [{"Name": name, "Value": value} for name, value in {"FunctionName": target.name, **more}.items()]
    stat = {
        "Metric": {"Namespace": "AWS/Lambda", "MetricName": metric, "Dimensions": dimensions},
        "Period": period_s,
        "Stat": statistic,
    }
    return {"Id": "q", "MetricStat": stat}


def values(
    cloudwatch: Any, asked: dict[str, Any], start: datetime, end: datetime, **more: Any
) -> dict[datetime, float]:
    pages = cloudwatch.get_paginator("get_metric_data").paginate(
        MetricDataQueries=[asked], StartTime=start, EndTime=end, **more
    )
    results = [result for page in pages for result in page["MetricDataResults"]]
    return {
        time: value for result in results for time, value in zip(result["Timestamps"], result["Values"], strict=True)
    }


def trace_sum(target: TargetFunction, start: datetime, end: datetime) -> int:
    traffic = target.traffic
    return int(traffic.invocations[traffic.index(start) : traffic.index(end)].sum())


def midnight(account: LocalAccount) -> datetime:
    return account.source.now.replace(hour=0, minute=0, second=0, microsecond=0)


def test_metrics_add_up_to_the_traces(account: LocalAccount, cloudwatch: Any) -> None:
    end = midnight(account)
    for target in account.fleet:
        for period_s, start in ((60, end - 2 * DAY), (300, end - 10 * DAY), (3600, end - 20 * DAY)):
            found = values(cloudwatch, query(target, "Invocations", "Sum", period_s), start, end)
            assert sum(found.values()) == trace_sum(target, start, end)


def test_a_minute_without_calls_has_no_point(account: LocalAccount, cloudwatch: Any) -> None:
    sparse = next(target for target in account.fleet if target.name == "webhook-relay")
    start, end = midnight(account) - DAY, midnight(account)
    found = values(cloudwatch, query(sparse, "Invocations", "Sum", 60), start, end)
    assert 0 < len(found) < 200
    assert min(found.values()) > 0


def test_get_metric_statistics_agrees_with_get_metric_data(account: LocalAccount, cloudwatch: Any) -> None:
    target, start, end = account.fleet[0], midnight(account) - DAY, midnight(account)
    dimensions = [{"Name": "FunctionName", "Value": target.name}]
    common = {"Namespace": "AWS/Lambda", "MetricName": "Duration", "Dimensions": dimensions, "Period": 3600}
    points = cloudwatch.get_metric_statistics(**common, StartTime=start, EndTime=end, Statistics=["Average", "Maximum"])
    for statistic in ("Average", "Maximum"):
        found = values(cloudwatch, query(target, "Duration", statistic, 3600), start, end)
        assert {point["Timestamp"]: point[statistic] for point in points["Datapoints"]} == pytest.approx(found)
    extended = cloudwatch.get_metric_statistics(**common, StartTime=start, EndTime=end, ExtendedStatistics=["p95"])
    found = values(cloudwatch, query(target, "Duration", "p95", 3600), start, end)
    given = {point["Timestamp"]: point["ExtendedStatistics"]["p95"] for point in extended["Datapoints"]}
    assert given == pytest.approx(found)


def test_pages_hold_every_point_once_in_either_order(account: LocalAccount, cloudwatch: Any) -> None:
    target, start, end = account.fleet[1], midnight(account) - DAY, midnight(account)
    asked = query(target, "Invocations", "Sum", 60)
    whole = values(cloudwatch, asked, start, end)
    for order in ("TimestampAscending", "TimestampDescending"):
        first = cloudwatch.get_metric_data(
            MetricDataQueries=[asked], StartTime=start, EndTime=end, MaxDatapoints=100, ScanBy=order
        )
        times = first["MetricDataResults"][0]["Timestamps"]
        assert len(times) == 100
        assert times == sorted(whole, reverse=order == "TimestampDescending")[:100]
        assert first["MetricDataResults"][0]["StatusCode"] == "PartialData"
        assert values(cloudwatch, asked, start, end, MaxDatapoints=100, ScanBy=order) == whole


def one_result(cloudwatch: Any, asked: dict[str, Any], start: datetime, end: datetime) -> Any:
    (found,) = cloudwatch.get_metric_data(MetricDataQueries=[asked], StartTime=start, EndTime=end)["MetricDataResults"]
    return found


def test_unreadable_metrics_have_a_status_and_no_points(account: LocalAccount, cloudwatch: Any) -> None:
    """CloudWatch API reference, MetricDataResult: the request succeeds; StatusCode tells what could not be read."""
    target, start, end = account.fleet[1], midnight(account) - DAY, midnight(account)
    asked, other = query(target, "Invocations", "Sum", 3600), query(target, "Duration", "Average", 3600)
    whole = one_result(cloudwatch, asked, start, end)
    for status in ("InternalError", "Forbidden"):
        with account.switched(unreadable_metrics={"Invocations": status}):
            found = one_result(cloudwatch, asked, start, end)
            assert (found["StatusCode"], found["Values"]) == (status, [])
            assert one_result(cloudwatch, other, start, end)["StatusCode"] == "Complete"
    with account.switched(unreadable_metrics={"Invocations": "PartialData"}):
        found = one_result(cloudwatch, asked, start, end)
        assert found["StatusCode"] == "PartialData"
        assert found["Values"] == whole["Values"][: len(whole["Values"]) // 2]


def test_late_metrics_have_no_points_yet(account: LocalAccount, cloudwatch: Any) -> None:
    """Points of a minute arrive some minutes later; a gap at the end of a window is not silence."""
    target, now = account.fleet[1], datetime.now(UTC)
    asked, start = query(target, "Invocations", "Sum", 60), now - 3 * timedelta(hours=1)
    newest = max(one_result(cloudwatch, asked, start, now)["Timestamps"])
    with account.switched(late_metrics_minutes=60):
        late = max(one_result(cloudwatch, asked, start, now)["Timestamps"])
    assert late < now - timedelta(hours=1) < newest


def test_requests_beyond_the_limits_of_cloudwatch_are_refused(account: LocalAccount, cloudwatch: Any) -> None:
    target, now = account.fleet[0], account.source.now
    asked = query(target, "Invocations", "Sum", 60)
    many = [{**asked, "Id": f"q{number}"} for number in range(501)]
    for wrong in (
        {"MetricDataQueries": many},
        {"MetricDataQueries": [asked], "MaxDatapoints": 100_801},
        {"MetricDataQueries": [query(target, "Invocations", "Sum", 90)]},
        {"MetricDataQueries": [query(target, "Invocations", "Middle", 60)]},
        {"MetricDataQueries": [asked], "EndTime": now - DAY},
    ):
        with pytest.raises(ClientError) as refused:
            cloudwatch.get_metric_data(**{"StartTime": now - DAY, "EndTime": now, **wrong})
        assert refused.value.response["Error"]["Code"] == "ValidationError"


def test_minutes_are_kept_for_15_days_and_hours_longer(account: LocalAccount, cloudwatch: Any) -> None:
    target, now = account.fleet[1], account.source.now
    oldest = {
        period_s: min(values(cloudwatch, query(target, "Invocations", "Sum", period_s), now - 40 * DAY, now))
        for period_s in (60, 300, 3600)
    }
    assert timedelta(days=14.9) < now - oldest[60] <= timedelta(days=15, minutes=1)
    assert now - oldest[300] > timedelta(days=27)
    assert now - oldest[3600] > timedelta(days=27)


def test_the_trace_goes_on_after_now(account: LocalAccount, cloudwatch: Any) -> None:
    target, now = account.fleet[1], account.source.now
    found = values(cloudwatch, query(target, "Invocations", "Sum", 3600), now + DAY, now + 2 * DAY)
    assert len(found) >= 24


def test_metrics_throttle_for_as_long_as_asked(account: LocalAccount) -> None:
    impatient = account.session.client("cloudwatch", config=Config(retries={"total_max_attempts": 1}))
    try:
        account.throttle_metrics(60)
        with pytest.raises(ClientError) as refused:
            impatient.list_metrics(Namespace="AWS/Lambda")
        assert refused.value.response["Error"]["Code"] == "Throttling"
    finally:
        account.throttle_metrics(0)
    assert impatient.list_metrics(Namespace="AWS/Lambda")["Metrics"]


def test_put_metrics_are_kept_beside_those_of_the_fleet(account: LocalAccount, cloudwatch: Any) -> None:
    now = account.source.now
    cloudwatch.put_metric_data(Namespace="Shop", MetricData=[{"MetricName": "Orders", "Value": 3.0, "Timestamp": now}])
    stat = {"Metric": {"Namespace": "Shop", "MetricName": "Orders"}, "Period": 60, "Stat": "Sum"}
    found = values(cloudwatch, {"Id": "q", "MetricStat": stat}, now - DAY, now + DAY)
    assert list(found.values()) == [3.0]


def test_report_lines_can_be_read_and_fit_the_metrics(account: LocalAccount, cloudwatch: Any) -> None:
    logs = account.session.client("logs")
    for target in account.fleet:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{target.name}")
        messages = [event["message"] for page in pages for event in page["events"]]
        reports = [report for message in messages if (report := parse(message)) is not None]
        assert len(reports) == len(messages) <= 1500
        if target.name == "legacy-export":
            continue
        assert reports
        assert {report.memory_mb for report in reports} == {target.memory_mb}
        assert max(report.max_memory_used_mb for report in reports) <= target.behaviour.used_memory_mb
        end = midnight(account)
        of_days = values(cloudwatch, query(target, "Duration", "Average", 86_400), end - 14 * DAY, end)
        mean_ms = sum(report.duration_ms for report in reports) / len(reports)
        assert mean_ms == pytest.approx(sum(of_days.values()) / len(of_days), rel=0.15)
    sparse = next(target for target in account.fleet if target.name == "webhook-relay")
    assert _cold_share(account, sparse) > 0.5
    busy = next(target for target in account.fleet if target.name == "search-api")
    assert _cold_share(account, busy) < 0.05


def _cold_share(account: LocalAccount, target: TargetFunction) -> float:
    pages = account.session.client("logs").get_paginator("filter_log_events")
    events = [e for page in pages.paginate(logGroupName=f"/aws/lambda/{target.name}") for e in page["events"]]
    reports = [report for event in events if (report := parse(event["message"])) is not None]
    return sum(report.is_cold for report in reports) / len(reports)


def test_targets_look_like_functions_of_a_team(account: LocalAccount) -> None:
    client, scaling = account.session.client("lambda"), account.session.client("application-autoscaling")
    functions = {item["FunctionName"]: item for item in client.list_functions()["Functions"]}
    assert len({functions[target.name]["MemorySize"] for target in account.fleet}) > 4
    tags = {
        target.name: client.list_tags(Resource=functions[target.name]["FunctionArn"])["Tags"]
        for target in account.fleet
    }
    assert [not tag for tag in tags.values()].count(True) == 1
    assert sum("optimizer:warmup" in tag for tag in tags.values()) >= 4
    without_alias = [
        target.name for target in account.fleet if not client.list_aliases(FunctionName=target.name)["Aliases"]
    ]
    assert len(without_alias) == 1
    scaled = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    assert [target["ResourceId"] for target in scaled] == [f"function:{account.fleet[2].name}:live"]


def test_a_target_answers_a_warm_up_and_says_whether_it_was_cold(account: LocalAccount) -> None:
    client = account.session.client("lambda")
    payload = json.dumps({"optimizer_warmup": {"hold_ms": 10}})
    answers = [
        json.load(client.invoke(FunctionName=account.fleet[0].name, Qualifier="live", Payload=payload)["Payload"])
        for _ in range(2)
    ]
    assert [answer["optimizer_warmup"]["cold"] for answer in answers] == [True, False]
    assert len({answer["optimizer_warmup"]["instance"] for answer in answers}) == 1


def test_versions_of_a_canary_have_their_own_metrics_and_logs(second: LocalAccount) -> None:
    target, client, now = second.fleet[1], second.session.client("lambda"), datetime.now(UTC)
    client.update_function_configuration(FunctionName=target.name, MemorySize=1024)
    client.get_waiter("function_updated_v2").wait(FunctionName=target.name)
    version = client.publish_version(FunctionName=target.name)["Version"]
    weights = {"AdditionalVersionWeights": {version: 0.1}}
    client.update_alias(FunctionName=target.name, Name="live", RoutingConfig=weights)
    time.sleep(1.5)
    cloudwatch, resource = second.session.client("cloudwatch"), f"{target.name}:live"
    start = now.replace(minute=0, second=0, microsecond=0) + DAY
    end = start + DAY
    calls = {
        name: sum(
            values(
                cloudwatch,
                query(target, "Invocations", "Sum", 3600, Resource=resource, ExecutedVersion=name),
                start,
                end,
            ).values()
        )
        for name in ("1", version)
    }
    total = trace_sum(target, start, end)
    assert sum(calls.values()) == total
    assert calls[version] / total == pytest.approx(0.1, abs=0.02)
    deadline = time.monotonic() + 20
    sizes: set[int] = set()
    while 1024 not in sizes and time.monotonic() < deadline:
        pages = second.session.client("logs").get_paginator("filter_log_events")
        events = [e for page in pages.paginate(logGroupName=f"/aws/lambda/{target.name}") for e in page["events"]]
        new = [event for event in events if f"[{version}]" in event["logStreamName"]]
        sizes = {report.memory_mb for event in new if (report := parse(event["message"])) is not None}
    assert sizes == {1024}


def test_two_accounts_at_once_have_nothing_in_common(account: LocalAccount, second: LocalAccount) -> None:
    second.session.client("sqs").create_queue(QueueName="only-in-the-second")
    assert not account.session.client("sqs").list_queues(QueueNamePrefix="only-in").get("QueueUrls")
    assert {account.port, account.stand_in_url}.isdisjoint({second.port, second.stand_in_url})


def test_iam_is_enforced_and_functions_run_as_their_own_role(account: LocalAccount) -> None:
    client, iam = account.session.client("lambda"), account.session.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = iam.create_role(
        RoleName="may-nothing", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    code = (
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    try:\n"
        "        boto3.client('sqs').list_queues()\n"
        "    except Exception as error:\n"
        "        return [str(error), os.environ['AWS_ENDPOINT_URL_CLOUDWATCH']]\n"
    )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", code)
    client.create_function(
        FunctionName="may-nothing",
        Runtime="python3.13",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Timeout=30,
        Code={"ZipFile": packed.getvalue()},
    )
    try:
        denied, endpoint = json.load(client.invoke(FunctionName="may-nothing")["Payload"])
    finally:
        client.delete_function(FunctionName="may-nothing")
    assert "AccessDenied" in denied
    assert endpoint == account.stand_in_url


def test_taken_port_and_missing_emulator_are_one_line_errors(
    account: LocalAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = FleetSource(datetime.now(UTC))
    with pytest.raises(PortInUse, match=f"port {account.port} of 127.0.0.1 is taken") as taken:
        LocalAccount(source, port=account.port).start()
    monkeypatch.setattr(account_module, "EMULATOR_PYTHON", ROOT / "nowhere" / "python")
    with pytest.raises(EmulatorMissing, match="run `make") as missing:
        LocalAccount(source).start()
    for error in (taken, missing):
        assert "\n" not in str(error.value)


def test_nothing_outlives_an_account_that_is_killed() -> None:
    code = (
        "import datetime, time\n"
        "from local_account.account import LocalAccount\n"
        "from local_account.fleet import FleetSource\n"
        "running = LocalAccount(FleetSource(datetime.datetime.now(datetime.UTC), functions=1)).start()\n"
        "print(running.url, running.stand_in_url, running.folder, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(  # noqa: S603  its own code
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        url, stand_in_url, folder = process.stdout.readline().split()
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (_answers(url) or _answers(stand_in_url) or os.path.exists(folder)):
        time.sleep(0.2)
    assert not _answers(url)
    assert not _answers(stand_in_url)
    assert not os.path.exists(folder)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=2).close()  # noqa: S310  ours
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True
