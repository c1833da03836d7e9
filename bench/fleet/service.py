"""Serve as an AWS of one process for the function branch of a run: pages, limits, throttling, and 20 ms for each call.

bench/fleet starts it; it listens on 127.0.0.1 only.
"""

import json
import re
import struct
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import cbor2
import numpy as np
from habits import TAGS, Habits
from local_account.hourly_rows import answered, query_id

CALL_S = 0.02
# Lambda's quotas: all calls of the control plane share one, but GetFunction has its own and Invoke is none of it.
CONTROL_CALLS_S, GET_FUNCTION_CALLS_S = 15.0, 100.0
# CloudWatch's quotas: calls and points a second for times older than three hours.
DATA_CALLS_S, POINTS_S, STATISTICS_CALLS_S = 50.0, 396_000.0, 400.0
# The statistics of one metric that a call of GetMetricData may ask for at the price of one.
STATISTICS_A_METRIC = 5
FUNCTIONS_A_PAGE, MAPPINGS_A_PAGE = 50, 100
# One function of so many is called by a queue.
FUNCTIONS_A_CONSUMER = 10
POINTS_A_PAGE, QUERIES_A_CALL, RESOURCES_A_PAGE, KEYS_A_PAGE = 100_800, 500, 100, 1000
# Logs Insights' quota of simultaneous queries, and the duration of a query with few results.
QUERIES_AT_ONCE, QUERY_S = 30, 0.5
ROWS = 10_000
ACCOUNT, REGION = "123456789012", "eu-west-1"


class Refused(Exception):
    """An error response: HTTP status and code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class Bucket:
    """A token bucket: so many a second, and as many at once."""

    def __init__(self, a_second: float) -> None:
        self._rate, self._left, self._at, self._lock = a_second, a_second, time.monotonic(), threading.Lock()

    def take(self, wanted: float) -> bool:
        """Return whether tokens were left; one page above a second's worth is let through, as the service does."""
        with self._lock:
            now = time.monotonic()
            self._left = min(self._rate, self._left + (now - self._at) * self._rate)
            self._at = now
            if self._left <= 0:
                return False
            self._left -= wanted
            return True


class Account:
    """Everything that is stored and counted; `functions` is their number."""

    def __init__(self, functions: int, habits: Habits, *, quota: bool = True) -> None:
        self.names = [f"fleet-{number:05d}" for number in range(functions)]
        self.habits = habits
        self.objects: dict[str, bytes] = {}
        self.items: dict[str, dict[str, dict[str, Any]]] = defaultdict(dict)
        self.calls: Counter[str] = Counter()
        self.metrics_asked = 0
        self.points_asked = 0.0
        self.scanned_bytes = 0
        self.queries: dict[str, tuple[Mapping[str, Any], float]] = {}
        self.lock = threading.Lock()
        self.data_calls, self.points = Bucket(DATA_CALLS_S), Bucket(POINTS_S)
        self.statistics_calls = Bucket(STATISTICS_CALLS_S)
        limits = (CONTROL_CALLS_S, GET_FUNCTION_CALLS_S) if quota else (1e6, 1e6)
        self.control_calls, self.get_function_calls = map(Bucket, limits)

    def count(self, service: str, operation: str) -> None:
        """Count one more call."""
        with self.lock:
            self.calls[f"{service}.{operation}"] += 1

    # CloudWatch

    def get_metric_data(self, request: Mapping[str, Any]) -> Any:
        queries = request["MetricDataQueries"]
        if len(queries) > QUERIES_A_CALL:
            raise Refused(400, "ValidationError")
        start, end = _epoch(request["StartTime"]), _epoch(request["EndTime"])
        first, offset = (int(part) for part in request["NextToken"].split(":")) if "NextToken" in request else (0, 0)
        results, room = [], int(request.get("MaxDatapoints") or POINTS_A_PAGE)
        following = None
        if not self.data_calls.take(1):
            raise Refused(400, "Throttling")
        if first == 0 and offset == 0:
            with self.lock:
                self.metrics_asked += _billed(queries)
        asked = 0.0
        for number in range(first, len(queries)):
            stat = queries[number]["MetricStat"]
            times, values = self._points(stat, start, end)
            begin = offset if number == first else 0
            times, values = times[begin : begin + room], values[begin : begin + room]
            room -= len(times)
            asked += (end - start) / stat["Period"]
            results.append(
                {
                    "Id": queries[number]["Id"],
                    "Label": "x",
                    "Timestamps": Times(times),
                    "Values": Values(values),
                    "StatusCode": "Complete",
                }
            )
            if room <= 0:
                following = f"{number}:{begin + len(times)}"
                break
        if not self.points.take(asked):
            raise Refused(400, "Throttling")
        with self.lock:
            self.points_asked += asked
        return {"MetricDataResults": results, **({"NextToken": following} if following else {})}

    def _points(self, stat: Mapping[str, Any], start: int, end: int) -> Any:
        period_s = stat["Period"]
        if not stat["Metric"].get("Dimensions"):
            # That of all functions; in each period somebody calls, and nobody is throttled.
            times = np.arange(start, min(end, int(self.habits.now.timestamp())), period_s)
            return times, np.zeros(len(times))
        name = stat["Metric"]["Dimensions"][0]["Value"]
        return self.habits.points(name, stat["Metric"]["MetricName"], stat["Stat"], period_s, start, end)

    def list_metrics(self, _request: Mapping[str, Any]) -> Any:
        return {"Metrics": []}

    def get_metric_statistics(self, request: Mapping[str, Any]) -> Any:
        if not self.statistics_calls.take(1):
            raise Refused(400, "Throttling")
        with self.lock:
            self.metrics_asked += 1
        start, end = _epoch(request["StartTime"]), _epoch(request["EndTime"])
        name = request["Dimensions"][0]["Value"]
        if (end - start) / request["Period"] > 1440:
            raise Refused(400, "InvalidParameterCombination")
        stat = (request.get("Statistics") or request["ExtendedStatistics"])[0]
        times, values = self.habits.points(name, request["MetricName"], stat, request["Period"], start, end)
        datapoints = [
            {"Timestamp": datetime.fromtimestamp(at, UTC), stat: value, "Unit": "Count"}
            for at, value in zip(times.tolist(), values.tolist(), strict=True)
        ]
        return {"Label": request["MetricName"], "Datapoints": datapoints}

    # Resource groups tagging

    def get_resources(self, request: Mapping[str, Any]) -> Any:
        at = int(request.get("PaginationToken") or 0)
        page = self.names[at : at + RESOURCES_A_PAGE]
        more = str(at + RESOURCES_A_PAGE) if at + RESOURCES_A_PAGE < len(self.names) else ""
        tags = [{"Key": key, "Value": value} for key, value in TAGS.items()]
        return {
            "PaginationToken": more,
            "ResourceTagMappingList": [{"ResourceARN": arn(name), "Tags": tags} for name in page],
        }

    # Logs

    def describe_log_groups(self, request: Mapping[str, Any]) -> Any:
        name = request["logGroupNamePrefix"]
        day = 86_400_000
        created = int(time.time() * 1000) - 100 * day
        return {
            "logGroups": [
                {"logGroupName": name, "creationTime": created, "storedBytes": 500_000_000, "retentionInDays": 30}
            ]
        }

    def start_query(self, request: Mapping[str, Any]) -> Any:
        now = time.monotonic()
        with self.lock:
            if sum(now - begun < QUERY_S for _, begun in self.queries.values()) >= QUERIES_AT_ONCE:
                raise Refused(400, "LimitExceededException")
            query = f"q{len(self.queries)}"
            self.queries[query] = (request, now)
        return {"queryId": query}

    def get_query_results(self, request: Mapping[str, Any]) -> Any:
        asked, begun = self.queries[request["queryId"]]
        if time.monotonic() - begun < QUERY_S:
            return {"status": "Running", "results": [], "statistics": {"bytesScanned": 0}}
        name = asked["logGroupName"].rpartition("/")[2]
        rows, scanned = self.habits.report_rows(name, asked["startTime"], asked["endTime"], ROWS)
        rows = answered(query_id(asked), rows, name)
        with self.lock:
            self.scanned_bytes += scanned
        return {"status": "Complete", "results": rows, "statistics": {"bytesScanned": float(scanned)}}

    # DynamoDB: conditions hold, because each run here is the first one.

    def get_item(self, request: Mapping[str, Any]) -> Any:
        item = self.items[request["Key"]["pk"]["S"]].get(request["Key"]["sk"]["S"])
        return {"Item": item} if item else {}

    def batch_get_item(self, request: Mapping[str, Any]) -> Any:
        (name, asked), *_ = request["RequestItems"].items()
        found = [self.items[key["pk"]["S"]].get(key["sk"]["S"]) for key in asked["Keys"]]
        return {"Responses": {name: [item for item in found if item]}, "UnprocessedKeys": {}}

    def query(self, request: Mapping[str, Any]) -> Any:
        values = request["ExpressionAttributeValues"]
        if "IndexName" in request:
            return self._by_kind(values[":kind"]["S"])
        items = self.items.get(values[":pk"]["S"], {})
        found = [items[sk] for sk in sorted(items) if _is_wanted(sk, values)]
        start = request.get("ExclusiveStartKey", {}).get("n", {}).get("N")
        begin, size, end = int(start or 0), 0, int(start or 0)
        while end < len(found) and size < 1_000_000:
            size += len(json.dumps(found[end]))
            end += 1
        more = {"LastEvaluatedKey": {"n": {"N": str(end)}}} if end < len(found) else {}
        return {"Items": found[begin:end], "Count": end - begin, **more}

    def _by_kind(self, kind: str) -> Any:
        found = [item for items in list(self.items.values()) for item in list(items.values())]
        of_kind = [item for item in found if item.get("kind", {}).get("S") == kind]
        newest = sorted(of_kind, key=lambda item: item["at"]["S"], reverse=True)
        return {"Items": [{name: item[name] for name in ("pk", "sk", "kind", "at")} for item in newest]}

    def put_item(self, request: Mapping[str, Any]) -> Any:
        item = request["Item"]
        self.items[item["pk"]["S"]][item["sk"]["S"]] = item
        return {}

    def update_item(self, request: Mapping[str, Any]) -> Any:
        key = request["Key"]
        item = self.items[key["pk"]["S"]].setdefault(key["sk"]["S"], dict(key))
        names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
        for target, value in re.findall(r"(#\w+) = (?:if_not_exists\(#\w+, )?(:\w+)", request["UpdateExpression"]):
            item[names[target]] = values[value]
        return {}

    def transact_write_items(self, request: Mapping[str, Any]) -> Any:
        for operation in request["TransactItems"]:
            ((kind, body),) = operation.items()
            if kind == "Put":
                self.put_item(body)
            elif kind == "Update":
                self.update_item(body)
        return {}

    def delete_item(self, request: Mapping[str, Any]) -> Any:
        self.items[request["Key"]["pk"]["S"]].pop(request["Key"]["sk"]["S"], None)
        return {}

    # Application Auto Scaling, EventBridge

    def describe_scalable_targets(self, _request: Mapping[str, Any]) -> Any:
        return {"ScalableTargets": []}

    def put_events(self, request: Mapping[str, Any]) -> Any:
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in request["Entries"]]}

    # Lambda and Scheduler, by path

    def rest(self, path: str, query: Mapping[str, list[str]]) -> tuple[str, Any]:
        """Return the operation's name and its response."""
        if path.startswith("/schedules"):
            return "ListSchedules", {"Schedules": []}
        operation = _operation(path, query)
        if not (self.get_function_calls if operation == "GetFunction" else self.control_calls).take(1):
            raise Refused(429, "TooManyRequestsException")
        return operation, getattr(self, f"_{_snake(operation)}")(path.split("/functions/")[-1].split("/")[0], query)

    def _get_account_settings(self, _name: str, _query: Mapping[str, list[str]]) -> Any:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": 5000}, "AccountUsage": {}}

    def _list_provisioned_concurrency_configs(self, _name: str, _query: Mapping[str, list[str]]) -> Any:
        return {"ProvisionedConcurrencyConfigs": []}

    def _list_functions(self, _name: str, query: Mapping[str, list[str]]) -> Any:
        at = int(query.get("Marker", ["0"])[0])
        end = at + FUNCTIONS_A_PAGE
        more = {"NextMarker": str(end)} if end < len(self.names) else {}
        listed = [self._get_function(name, {})["Configuration"] for name in self.names[at:end]]
        left_out = ("State", "LastUpdateStatus")
        return {"Functions": [{k: v for k, v in one.items() if k not in left_out} for one in listed], **more}

    def _list_event_source_mappings(self, _path: str, query: Mapping[str, list[str]]) -> Any:
        consumers = self.names[::FUNCTIONS_A_CONSUMER]
        at = int(query.get("Marker", ["0"])[0])
        end = at + MAPPINGS_A_PAGE
        more = {"NextMarker": str(end)} if end < len(consumers) else {}
        mappings = [
            {
                "UUID": name,
                "FunctionArn": f"{arn(name)}:live",
                "EventSourceArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}",
                "State": "Enabled",
            }
            for name in consumers[at:end]
        ]
        return {"EventSourceMappings": mappings, **more}

    def _get_alias(self, name: str, _query: Mapping[str, list[str]]) -> Any:
        return {"AliasArn": f"{arn(name)}:live", "Name": "live", "FunctionVersion": "1", "RevisionId": "a"}

    def _get_function(self, name: str, query: Mapping[str, list[str]]) -> Any:
        qualifier = query.get("Qualifier", [""])[0]
        configuration = {
            "FunctionName": name,
            "FunctionArn": f"{arn(name)}:{qualifier}" if qualifier else arn(name),
            "Version": {"live": "1", "": "$LATEST"}.get(qualifier, qualifier),
            "MemorySize": self.habits.memory_mb(name),
            "CodeSha256": "c",
            "RevisionId": "r",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "PackageType": "Zip",
            "State": "Active",
            "LastUpdateStatus": "Successful",
            "Timeout": 30,
            "Handler": "app.handler",
            "Role": f"arn:aws:iam::{ACCOUNT}:role/r",
        }
        return {"Configuration": configuration, "Tags": TAGS}

    # S3

    def s3(self, method: str, path: str, query: Mapping[str, list[str]], body: bytes) -> bytes:
        key = unquote(path.lstrip("/").partition("/")[2])
        if method == "PUT":
            self.objects[key] = body
            return b""
        if "list-type" in query:
            return self._listed(query)
        try:
            return self.objects[key]
        except KeyError:
            raise Refused(404, "NoSuchKey") from None

    def _listed(self, query: Mapping[str, list[str]]) -> bytes:
        prefix, after = query.get("prefix", [""])[0], query.get("continuation-token", [""])[0]
        keys = sorted(key for key in list(self.objects) if key.startswith(prefix) and key > after)
        page, more = keys[:KEYS_A_PAGE], len(keys) > KEYS_A_PAGE
        contents = "".join(f"<Contents><Key>{escape(key)}</Key><Size>1</Size></Contents>" for key in page)
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        cut = str(more).lower()
        return f"<ListBucketResult><IsTruncated>{cut}</IsTruncated>{contents}{token}</ListBucketResult>".encode()


class Times(np.ndarray[Any, Any]):
    """Seconds since 1970, sent as CBOR timestamps."""

    def __new__(cls, values: Any) -> "Times":
        return np.asarray(values, np.int64).view(cls)


class Values(np.ndarray[Any, Any]):
    """Numbers, sent as CBOR floats."""

    def __new__(cls, values: Any) -> "Values":
        return np.asarray(values, np.float64).view(cls)


def arn(name: str) -> str:
    """Return the ARN of a function of the fleet."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def to_cbor(document: Any) -> bytes:
    """Encode like cbor2, but long series at once."""
    if isinstance(document, Times):
        packed = np.empty(len(document), dtype=[("tag", "u1", 2), ("at", ">u4")])
        packed["tag"] = (0xC1, 0x1A)
        packed["at"] = document
        return _array_head(len(document)) + packed.tobytes()
    if isinstance(document, Values):
        packed = np.empty(len(document), dtype=[("tag", "u1"), ("value", ">f8")])
        packed["tag"] = 0xFB
        packed["value"] = document
        return _array_head(len(document)) + packed.tobytes()
    if isinstance(document, dict):
        parts = (cbor2.dumps(key) + to_cbor(value) for key, value in document.items())
        return b"\xb9" + struct.pack(">H", len(document)) + b"".join(parts)
    if isinstance(document, list):
        return _array_head(len(document)) + b"".join(map(to_cbor, document))
    return cbor2.dumps(document)


def _array_head(length: int) -> bytes:
    return b"\x9a" + struct.pack(">I", length)


def _billed(queries: Sequence[Mapping[str, Any]]) -> int:
    """Return the metrics that a call is billed for."""
    asked: dict[str, set[str]] = defaultdict(set)
    for query in queries:
        asked[json.dumps(query["MetricStat"]["Metric"], sort_keys=True)].add(query["MetricStat"]["Stat"])
    return sum(-(-len(statistics) // STATISTICS_A_METRIC) for statistics in asked.values())


def _is_wanted(sk: str, values: Mapping[str, Mapping[str, str]]) -> bool:
    """Return if a sort key fits the condition of a query: a prefix, or between two keys."""
    if ":prefix" in values:
        return sk.startswith(values[":prefix"]["S"])
    return values[":first"]["S"] <= sk <= values[":last"]["S"]


def _operation(path: str, query: Mapping[str, list[str]]) -> str:
    if path.rstrip("/").endswith("/functions"):
        return "ListFunctions"
    if path.rstrip("/").endswith("/account-settings"):
        return "GetAccountSettings"
    if path.endswith("/provisioned-concurrency") and "List" in query:
        return "ListProvisionedConcurrencyConfigs"
    if path.rstrip("/").endswith("/event-source-mappings"):
        return "ListEventSourceMappings"
    if "/aliases/" in path:
        return "GetAlias"
    if path.count("/") == 3 and "/functions/" in path:
        return "GetFunction"
    raise ValueError(f"the stand-in does not know {path}")


def _epoch(moment: Any) -> int:
    return int(moment.timestamp()) if isinstance(moment, datetime) else int(moment)


def _plain(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value.tolist()


@cache
def _snake(operation: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in operation).lstrip("_")


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    account: Account
    # Small responses are sent at once.
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _answer(self) -> None:
        body = self._body()
        url = urlsplit(self.path)
        if url.path.startswith("/_fleet/"):
            self._send(200, self._own(url.path, body), "application/json")
            return
        time.sleep(CALL_S)
        try:
            self._send(200, *self._aws(url.path, parse_qs(url.query, keep_blank_values=True), body))
        except Refused as refused:
            self._refuse(refused)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer  # noqa: N815 - as http.server calls them

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") == "chunked" or "aws-chunked" in self.headers.get(
            "Content-Encoding", ""
        ):
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _aws(self, path: str, query: Mapping[str, list[str]], body: bytes) -> tuple[bytes, str]:
        account, target = self.account, self.headers.get("X-Amz-Target")
        if "/operation/" in path:
            service, operation = path.split("/service/")[1].split("/operation/")
            account.count(service, operation)
            return to_cbor(getattr(account, _snake(operation))(cbor2.loads(body))), "application/cbor"
        if target:
            service, operation = target.split(".")
            account.count(service.split("_")[0], operation)
            answer = getattr(account, _snake(operation))(json.loads(body))
            return json.dumps(answer, default=_plain).encode(), "application/x-amz-json-1.0"
        if re.match(r"/20\d\d-", path) or path.startswith("/schedules"):
            operation, answer = account.rest(unquote(path), query)
            account.count("Scheduler" if path.startswith("/schedules") else "Lambda", operation)
            return json.dumps(answer).encode(), "application/json"
        if body.startswith(b"Action=Publish"):
            account.count("SNS", "Publish")
            return (
                b"<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>",
                "text/xml",
            )
        account.count(
            "S3", {"PUT": "PutObject"}.get(self.command, "ListObjectsV2" if "list-type" in query else "GetObject")
        )
        return account.s3(self.command, path, query, body), "application/xml"

    def _own(self, path: str, body: bytes) -> bytes:
        account = self.account
        if path == "/_fleet/reset":
            account.calls.clear()
            account.metrics_asked = account.scanned_bytes = 0
            account.points_asked = 0.0
        if path == "/_fleet/object":
            key, _, content = body.partition(b"\n")
            account.objects[key.decode()] = content
        if path == "/_fleet/same":
            source, _, keys = body.decode().partition("\n")
            account.objects.update(dict.fromkeys(keys.split("\n"), account.objects[source]))
        if path == "/_fleet/document":
            return account.objects[body.decode()]
        return json.dumps(
            {
                "calls": account.calls,
                "metrics": account.metrics_asked,
                "points": account.points_asked,
                "scanned_bytes": account.scanned_bytes,
            }
        ).encode()

    def _send(self, status: int, body: bytes, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("smithy-protocol", "rpc-v2-cbor")
        self.send_header("Last-Modified", format_datetime(datetime.now(UTC), usegmt=True))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def _refuse(self, refused: Refused) -> None:
        code = refused.code
        self.account.count("refused", code)
        if "/operation/" in self.path:
            self._send(refused.status, cbor2.dumps({"__type": code, "message": code}), "application/cbor")
        elif refused.code == "NoSuchKey":
            self._send(refused.status, f"<Error><Code>{code}</Code></Error>".encode(), "application/xml")
        else:
            body = json.dumps({"__type": code, "message": code, "Type": "User"}).encode()
            self._send(refused.status, body, "application/json", x_amzn_errortype=code)


def main() -> None:
    """Listen on a free port, print it, answer until standard input ends."""
    functions = int(sys.argv[1])
    Handler.account = Account(functions, Habits(datetime.fromisoformat(sys.argv[2])), quota=len(sys.argv) < 4)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()
    server.shutdown()


if __name__ == "__main__":
    main()
