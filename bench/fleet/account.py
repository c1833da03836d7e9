"""Run the process of the stand-in, and put into its bucket what yesterday's run left there."""

import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
import numpy as np
from habits import TAGS, Habits
from optimizer.aws import SHARED_CALLS, pace
from optimizer.capacity import LambdaAccount, LiveFunction, Remembered
from optimizer.core import canonical_json
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LogSource, parse_rows
from optimizer.run import BATCH, glance_at
from optimizer.traffic.history import HOUR_METRICS, MINUTE_METRICS, History, Series
from shipped import default_of

_HERE = Path(__file__).parent
_MINUTES, _HOURS = 15 * 1440, 28 * 24
# The functions of a batch of fifty that a run reads again although nothing happened.
READ_A_DAY = 2
_METRICS = {
    "invocations": "Invocations",
    "duration_ms": "Duration",
    "p95_duration_ms": "Duration",
    "concurrency": "ConcurrentExecutions",
    "errors": "Errors",
    "throttles": "Throttles",
}


class Service:
    """The stand-in, while it runs."""

    def __init__(self, functions: int, *, paced: bool = True) -> None:
        self.paced = paced
        self.now = datetime.now(UTC).replace(second=0, microsecond=0)
        self.habits = Habits(self.now)
        self.names = [f"fleet-{number:05d}" for number in range(functions)]

    def __enter__(self) -> Self:
        command = [sys.executable, str(_HERE / "service.py"), str(len(self.names)), self.now.isoformat()]
        command += [] if self.paced else ["without quota"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self._process.stdout is None:
            raise RuntimeError("the stand-in has no standard output")
        self.url = f"http://127.0.0.1:{int(self._process.stdout.readline())}"
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of a Lambda."""
        return {
            **os.environ,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "POWERTOOLS_LOG_LEVEL": "CRITICAL",
            "OPTIMIZER_TABLE": "table",
            "OPTIMIZER_BUCKET": "bucket",
            "OPTIMIZER_TOPIC_ARN": "arn:aws:sns:eu-west-1:123456789012:topic",
            "OPTIMIZER_POLICY_KEY": "policy/policy.json",
            "OPTIMIZER_SCHEDULE_GROUP": "group",
            "OPTIMIZER_LAMBDA_CALLS_A_SECOND": str(default_of("LambdaCallsASecond") if self.paced else 10**6),
            "OPTIMIZER_BATCHES_AT_ONCE": str(default_of("BatchesAtOnce")),
        }

    def remember_yesterday(self) -> None:
        """Store the policy, and the history of each function up to a day ago."""
        self.put("policy/policy.json", canonical_json.dumps({"version": 1, "mode": "recommend"}).encode())
        until = self.habits.known_until()
        for habit in range(len(self.habits)):
            same = [name for name in self.names if self.habits.habit(name) == habit]
            if not same:
                continue
            self.put(f"template/{habit}.npz", self._history(same[0], until).to_bytes("live"))
            self.same(f"template/{habit}.npz", [f"history/{name}.npz" for name in same])
            lines = canonical_json.dumps(canonical_json.plain(self._lines(same[0], until))).encode()
            self.put(f"template/{habit}.json", lines)
            self.same(f"template/{habit}.json", [f"history/capacity/{name}.json" for name in same])
        self._remember_functions()
        hours = {"timezone": "UTC", "hours": [0] * 168}
        self.put("template/hours.json", canonical_json.dumps(hours).encode())
        self.same("template/hours.json", [f"history/capacity/{name}.provisioned.json" for name in self.names])

    def _remember_functions(self) -> None:
        """Store each function as the runs of the last days read it."""
        session = boto3.Session("test", "test", region_name="eu-west-1")
        functions, scaling, cloudwatch = (
            session.client(service, endpoint_url=self.url)
            for service in ("lambda", "application-autoscaling", "cloudwatch")
        )
        pace(functions, SHARED_CALLS)
        listed = glance_at(functions, cloudwatch, self.names)
        read = cache(lambda _memory_mb, name: LambdaAccount(functions, scaling).read(name, "live", routing=False))
        for number, start in enumerate(range(0, len(self.names), BATCH)):
            remembered = {
                name: Remembered(
                    # A few of each batch were read on each of the last days.
                    self.now - timedelta(days=1 + place // READ_A_DAY),
                    listed.fingerprints[name],
                    "live",
                    TAGS,
                    self._named(read(self.habits.memory_mb(name), self.names[self.habits.habit(name)]), name),
                )
                for place, name in enumerate(self.names[start : start + BATCH])
            }
            document = {"run_id": "yesterday", "functions": {}, "remembered": remembered}
            self.put(f"history/capacity/batch.{number:04d}.json", canonical_json.dumps(document).encode())

    def _named(self, live: LiveFunction, name: str) -> LiveFunction:
        arn = live.function_arn.rpartition(":")[0]
        return replace(live, function_name=name, function_arn=f"{arn}:{name}", log_group=f"/aws/lambda/{name}")

    def _history(self, name: str, until: datetime) -> History:
        end = int(until.timestamp())
        minutes = Series(
            end // 60 - _MINUTES, {metric: self._series(name, metric, 60, end, _MINUTES) for metric in MINUTE_METRICS}
        )
        hours = {metric: self._series(name, metric, 3600, end // 3600 * 3600, _HOURS) for metric in HOUR_METRICS}
        return History(minutes, Series(end // 3600 - _HOURS, hours))

    def _series(self, name: str, metric: str, period_s: int, end: int, length: int) -> Any:
        start = end - length * period_s
        times, values = self.habits.points(name, _METRICS[metric], "Sum", period_s, start, end)
        series = np.full(length, np.nan)
        series[(times - start) // period_s] = values
        return series

    def _lines(self, name: str, until: datetime) -> FunctionHistory:
        since = until - timedelta(days=14)
        rows, _ = self.habits.report_rows(name, since.timestamp(), until.timestamp(), 6000)
        fields = [{field["field"]: field["value"] for field in row} for row in rows]
        source = LogSource(f"/aws/lambda/{name}", name)
        lines = parse_rows(((until, row["@logStream"], row["@message"]) for row in fields), source).lines
        return FunctionHistory().add(lines, until, since)

    def put(self, key: str, content: bytes) -> None:
        """Store an object."""
        self._own("object", key.encode() + b"\n" + content)

    def same(self, source: str, keys: list[str]) -> None:
        """Store an object under further keys, too."""
        self._own("same", "\n".join([source, *keys]).encode())

    def document(self, key: str) -> Any:
        """Read a stored object."""
        return json.loads(self._own("document", key.encode()))

    def reset(self) -> None:
        """Start counting from zero."""
        self._own("reset", b"")

    def counted(self) -> dict[str, Any]:
        """Return calls by service and operation, metrics asked for, and bytes of logs scanned."""
        counted: dict[str, Any] = json.loads(self._own("counted", b""))
        return counted

    def _own(self, what: str, body: bytes) -> bytes:
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_fleet/{what}", body)) as answer:  # noqa: S310
            content: bytes = answer.read()
            return content
