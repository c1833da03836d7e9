"""Stand in for CloudWatch, Application Auto Scaling and the Price List API beside the emulator, on 127.0.0.1.

moto speaks the wire protocols and keeps scaling targets, alarms and metrics that are put; the namespace AWS/Lambda is
answered from the traffic of the targets. Switches (`local_account.switches`) make metrics late or unreadable.
`POST /_local/throttle?seconds=N` makes metric calls throttle; `POST /_local/callers` describes the calls of further
functions; `GET /_local/calls` returns the calls of the SDKs, as CloudTrail would.
"""

import argparse
import json
import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from flask import Flask
from moto.cloudwatch.exceptions import CloudWatchException, ValidationError
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.responses import ActionResult
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

from local_account.account import CHANGED
from local_account.callers import Callers, read_callers
from local_account.deployed import DeployedVersions
from local_account.fleet import FleetSource, TargetFunction, make_fleet
from local_account.lambda_metrics import (
    MOST_POINTS,
    MOST_QUERIES,
    NAMESPACE,
    InvalidRequest,
    LambdaMetrics,
    check_period,
    page,
    page_offset,
    page_token,
    read_dimensions,
)
from local_account.metrics import PERCENTILE, Points, UnknownStatistic, as_datetimes
from local_account.price_list import StandInPricing
from local_account.report_lines import lines_after_change, put_lines
from local_account.switches import Switches, SwitchFile
from local_account.timetables_ahead import TimetablesAhead
from local_account.workload import Routing

_LOOK_EVERY_S = 2.0
# Some changes are no requests: aliases that Lambda moves by itself, and calls that the emulator makes inside itself.
_LOOK_ANYWAY_EVERY = 5
_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/")
_GET_PRODUCTS = "AWSPriceListService.GetProducts"
_LISTED_AT_ONCE = 500
_EMULATOR_ENDS_WITHIN_S = 3.0


class Throttled(CloudWatchException):
    """The error with which CloudWatch throttles a caller."""

    code = "Throttling"
    message = "Rate exceeded"


class Throttle:
    """A switch that makes calls fail until a time."""

    def __init__(self) -> None:
        self._until = 0.0

    def set(self, seconds: float) -> None:
        """Throttle from now on, for so many seconds; 0 ends it."""
        self._until = time.monotonic() + seconds

    def check(self) -> None:
        """Raise Throttled while throttling lasts."""
        if time.monotonic() < self._until:
            raise Throttled


class Described:
    """The calls of further functions, as they were described last."""

    def __init__(self) -> None:
        self.callers: tuple[Callers, ...] = ()


def install(metrics: LambdaMetrics, throttle: Throttle, switches: Callable[[], Switches] = Switches) -> None:
    """Replace moto's metrics of AWS/Lambda by ours; other namespaces still come from moto's own store."""
    own_data, own_statistics = CloudWatchResponse.get_metric_data, CloudWatchResponse.get_metric_statistics
    own_list = CloudWatchResponse.list_metrics

    def get_metric_data(self: CloudWatchResponse) -> ActionResult:
        throttle.check()
        request = self._get_params()
        queries = request.get("MetricDataQueries", [])
        if any(query.get("MetricStat", {}).get("Metric", {}).get("Namespace") != NAMESPACE for query in queries):
            return own_data(self)
        return ActionResult(_refusing(lambda: metric_data(metrics, request, datetime.now(UTC), switches())))

    def get_metric_statistics(self: CloudWatchResponse) -> ActionResult:
        throttle.check()
        if self._get_param("Namespace") != NAMESPACE:
            return own_statistics(self)
        return ActionResult(_refusing(lambda: metric_statistics(metrics, self._get_params(), datetime.now(UTC))))

    def list_metrics(self: CloudWatchResponse) -> ActionResult:
        throttle.check()
        request = self._get_params()
        if request.get("Namespace") != NAMESPACE:
            return own_list(self)
        found = metrics.list(request.get("MetricName"), request.get("Dimensions", []))
        offset = page_offset(request.get("NextToken"))
        following = offset + _LISTED_AT_ONCE
        token = page_token(following) if following < len(found) else None
        return ActionResult({"Metrics": found[offset:following], "NextToken": token})

    CloudWatchResponse.get_metric_data = get_metric_data  # type: ignore[method-assign]
    CloudWatchResponse.get_metric_statistics = get_metric_statistics  # type: ignore[method-assign]
    CloudWatchResponse.list_metrics = list_metrics  # type: ignore[method-assign]


def metric_data(
    metrics: LambdaMetrics, request: dict[str, Any], now: datetime, switches: Switches | None = None
) -> dict[str, Any]:
    """Return the response to GetMetricData; raise InvalidRequest or UnknownStatistic where CloudWatch rejects it.

    The request succeeds even where a metric could not be read: only its StatusCode tells (CloudWatch API reference,
    MetricDataResult). Points arrive some minutes after their time.
    """
    switches = switches or Switches()
    queries, start, end = request.get("MetricDataQueries", []), _utc(request["StartTime"]), _utc(request["EndTime"])
    most = int(request.get("MaxDatapoints") or MOST_POINTS)
    if len(queries) > MOST_QUERIES:
        raise InvalidRequest(f"The collection MetricDataQueries must not have a size greater than {MOST_QUERIES}.")
    if not 0 < most <= MOST_POINTS:
        raise InvalidRequest(f"MaxDatapoints must be between 1 and {MOST_POINTS}.")
    if start >= end:
        raise InvalidRequest("The parameter EndTime must be greater than StartTime.")
    if switches.late_metrics_minutes:
        end = max(start, min(end, now - timedelta(minutes=switches.late_metrics_minutes)))
    series = [_query(metrics, query["MetricStat"], start, end, now) for query in queries]
    if request.get("ScanBy") != "TimestampAscending":
        series = [Points(points.times[::-1], points.values[::-1]) for points in series]
    found, following = page(series, page_offset(request.get("NextToken")), most)
    results = [
        {
            "Id": queries[number]["Id"],
            "Label": queries[number].get("Label") or queries[number]["MetricStat"]["Metric"]["MetricName"],
            "Timestamps": as_datetimes(points.times),
            "Values": points.values.tolist(),
            "StatusCode": "Complete" if complete else "PartialData",
            **_unreadable(switches, queries[number]["MetricStat"]["Metric"]["MetricName"], points),
        }
        for number, points, complete in found
        if queries[number].get("ReturnData") is not False
    ]
    return {"MetricDataResults": results, "NextToken": page_token(following) if following else None}


def _unreadable(switches: Switches, metric: str, points: Points) -> dict[str, Any]:
    """Return the fields of a metric that CloudWatch could not read, or none; of PartialData half of the points come."""
    status = switches.unreadable_metrics.get(metric)
    if status is None:
        return {}
    kept = len(points.times) // 2 if status == "PartialData" else 0
    times, values = as_datetimes(points.times[:kept]), points.values[:kept].tolist()
    return {"StatusCode": status, "Timestamps": times, "Values": values}


def _query(metrics: LambdaMetrics, stat: dict[str, Any], start: datetime, end: datetime, now: datetime) -> Points:
    metric, period_s = stat["Metric"], int(stat["Period"])
    check_period(period_s)
    dimensions = read_dimensions(metric.get("Dimensions", []))
    return metrics.points(metric["MetricName"], dimensions, start, end, period_s, stat["Stat"], now)


def metric_statistics(metrics: LambdaMetrics, request: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the response to GetMetricStatistics: at most 1,440 points, as CloudWatch gives."""
    plain, extended = request.get("Statistics", []), request.get("ExtendedStatistics", [])
    if not plain and not extended:
        raise InvalidRequest("Must specify either Statistics or ExtendedStatistics")
    if any(not PERCENTILE.match(statistic) for statistic in extended):
        raise InvalidRequest(f"The value {extended[0]} for parameter ExtendedStatistics is not supported.")
    period_s = int(request["Period"])
    check_period(period_s)
    dimensions, name = read_dimensions(request.get("Dimensions", [])), request["MetricName"]
    datapoints: dict[int, dict[str, Any]] = {}
    for statistic in [*plain, *extended]:
        start, end = _utc(request["StartTime"]), _utc(request["EndTime"])
        points = metrics.points(name, dimensions, start, end, period_s, statistic, now)
        for when, value in zip(points.times.tolist(), points.values.tolist(), strict=True):
            point = datapoints.setdefault(when, {"Timestamp": datetime.fromtimestamp(when, UTC), "Unit": _unit(name)})
            (point.setdefault("ExtendedStatistics", {}) if statistic in extended else point)[statistic] = value
    if len(datapoints) > 1440:
        raise InvalidRequest(f"You have requested up to {len(datapoints)} datapoints, which exceeds the limit of 1440.")
    return {"Label": name, "Datapoints": list(datapoints.values())}


def _utc(time: datetime) -> datetime:
    """Return the time in UTC, because moto reads times without their zone."""
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


def _unit(metric: str) -> str:
    return {"Duration": "Milliseconds", "ProvisionedConcurrencyUtilization": "None"}.get(metric, "Count")


def _refusing(answer: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return answer()
    except (InvalidRequest, UnknownStatistic) as error:
        raise ValidationError(str(error)) from error


class _Quiet(MotoRequestHandler):
    """A request handler that logs errors only."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing: every request of every Lambda would be too many lines."""


type _StartResponse = Callable[[str, list[tuple[str, str]]], object]


def application(
    throttle: Throttle, described: Described
) -> Callable[[dict[str, Any], _StartResponse], Iterable[bytes]]:
    """Return moto's server with the local controls in front of it."""

    def create(service: Any) -> Flask:
        app = create_backend_app(service)
        app.config["PROPAGATE_EXCEPTIONS"] = True
        return app

    moto, pricing = DomainDispatcherApplication(create), StandInPricing()
    calls: list[dict[str, str]] = []

    def serve(environ: dict[str, Any], start_response: _StartResponse) -> Iterable[bytes]:
        if not environ["PATH_INFO"].startswith("/_local/"):
            calls.append(_call(environ))
            if environ.get("HTTP_X_AMZ_TARGET") == _GET_PRODUCTS:
                start_response("200 OK", [("Content-Type", "application/x-amz-json-1.1")])
                return [json.dumps(pricing.get_products(**_body(environ))).encode()]
            return moto(environ, start_response)  # type: ignore[no-any-return]
        if environ["PATH_INFO"] == "/_local/throttle" and environ["REQUEST_METHOD"] == "POST":
            throttle.set(float(parse_qs(environ["QUERY_STRING"])["seconds"][0]))
        if environ["PATH_INFO"] == "/_local/callers" and environ["REQUEST_METHOD"] == "POST":
            described.callers = read_callers(_body(environ))
        start_response("200 OK", [("Content-Type", "application/json")])
        answer = calls if environ["PATH_INFO"] == "/_local/calls" else {"status": "ready"}
        return [json.dumps(answer).encode()]

    return serve


def _body(environ: dict[str, Any]) -> Any:
    return json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))


def _call(environ: dict[str, Any]) -> dict[str, str]:
    """Return caller, service and operation; `operation` is empty where only the body of the request names it."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    access_key, service = signed.groups() if signed else ("", "")
    operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2] or environ["PATH_INFO"].rpartition("/")[2]
    at = datetime.now(UTC).isoformat()
    return {"at": at, "access_key": access_key, "service": service, "operation": operation}


def watch(deployed: DeployedVersions, targets: Iterable[TargetFunction], folder: Path) -> None:
    """Read the deployed versions whenever they may have changed; end when the process that started this one is gone.

    Then nobody else can remove the account's data, so this process does.
    """
    parent, known = os.getppid(), -1
    for turn in count():
        if os.getppid() != parent:
            break
        seen = changed_ns(folder)
        for target in targets if seen != known or turn % _LOOK_ANYWAY_EVERY == 0 else ():
            try:
                deployed.look(target.name)
            except (BotoCoreError, ClientError) as error:
                # Without its parent the emulator ends as well.
                if os.getppid() != parent:
                    break
                print(f"the emulator did not say what is deployed as {target.name}: {error}", flush=True)
        known = seen
        time.sleep(_LOOK_EVERY_S)
    time.sleep(_EMULATOR_ENDS_WITHIN_S)
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def changed_ns(folder: Path) -> int:
    """Return when a function or a schedule of the account may have changed last; 0 if none has."""
    try:
        return (folder / CHANGED).stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def main() -> None:
    """Serve until a signal ends the process."""
    arguments = _arguments()
    source = FleetSource(
        arguments.now, arguments.traces, arguments.curves, arguments.functions, arguments.seed, arguments.busy
    )
    targets = make_fleet(source)
    logs = boto3.client("logs")

    def on_change(target: TargetFunction, routing: Routing) -> None:
        put_lines(logs, target, lines_after_change(target, routing))

    ahead = TimetablesAhead(boto3.client("scheduler"))
    deployed = DeployedVersions(boto3.client("lambda"), targets, on_change, ahead=ahead)
    throttle, described = Throttle(), Described()
    metrics = LambdaMetrics(targets, deployed.routings, lambda: described.callers)
    install(metrics, throttle, SwitchFile.of_environment().read)
    server = make_server("127.0.0.1", arguments.port, application(throttle, described), True, request_handler=_Quiet)
    threading.Thread(target=watch, args=(deployed, targets, arguments.folder), daemon=True).start()
    server.serve_forever()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--now", type=datetime.fromisoformat, required=True)
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--curves", type=Path)
    parser.add_argument("--functions", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--busy", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
