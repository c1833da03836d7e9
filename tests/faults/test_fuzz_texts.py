"""Read damaged texts of other programs and people: the result is right, or one line names the error."""

import json
import math
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, strategies as st
from optimizer.caches.probe.result import ServerFacts
from optimizer.caches.probe.server_info import parse_info
from optimizer.caches.tuning.read_log import _parsed
from optimizer.core.change import Change
from optimizer.function_logs import parse as report_lines
from optimizer.function_logs.parse import LoggedReport, LogSource
from optimizer.policy import read_policy
from optimizer.policy.model import Policy
from optimizer.run import RunRequest

from tests.helpers.faults.fuzzing import EXAMPLES, failure_of, is_ours, json_values, mutated
from tests.helpers.faults.samples import INDEXES, LIVES

POLICY = {
    **INDEXES,
    "mode": "auto",
    "time_zone": "Europe/Berlin",
    "memory": {"floor_mb": 256, "watch_minutes": [15, 60]},
    "run": {
        "freezes": [{"first": "2026-12-20", "last": "2027-01-02"}],
        "windows": [{"start": "08:00", "until": "24:00"}],
    },
    "approvals": {"approvers": [{"name": "anna"}], "needed": 1},
    "cache_ttls": {
        "caches": [
            {
                "name": "shop",
                "memory_mb": 64,
                "log_groups": ["/aws/lambda/shop"],
                "parameter": "/shop/cache-ttls",
                "namespaces": [{"name": "price", "min_ttl_s": 5, "max_ttl_s": 300}],
            }
        ]
    },
}
TEXT_LINE = (
    "REPORT RequestId: 7\tDuration: 70.00 ms\tBilled Duration: 71 ms\tMemory Size: 512 MB\tMax Memory Used: 90 MB\t"
    "Init Duration: 210.5 ms\t"
)
METRICS = {"durationMs": 70.0, "billedDurationMs": 71, "memorySizeMB": 512, "maxMemoryUsedMB": 90}
JSON_LINE = {"type": "platform.report", "record": {"requestId": "7", "status": "success", "metrics": METRICS}}


def refused_in_one_line(failure: BaseException | None) -> bool:
    """Return whether the call failed; assert that a failure is one line of ours."""
    assert failure is None or is_ours(failure), f"{type(failure).__name__}: {failure}"
    return failure is not None


@EXAMPLES
@given(mutated(POLICY))
def test_a_policy(document: Any) -> None:
    failure, policy = failure_of(lambda: read_policy(json.dumps(document)))
    if not refused_in_one_line(failure):
        assert isinstance(policy, Policy)


@EXAMPLES
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_a_policy_that_is_no_json(text: Any) -> None:
    refused_in_one_line(failure_of(lambda: read_policy(text))[0])


@EXAMPLES
@given(mutated({"tuners": ["memory"], "functions": ["orders"], "databases": None, "reason": "x", "review": False}))
def test_the_input_of_an_execution(document: Any) -> None:
    refused_in_one_line(failure_of(lambda: RunRequest.read(document))[0])


@st.composite
def lines(draw: st.DrawFn) -> str:
    """Generate a line of either form, damaged somewhere."""
    if draw(st.booleans()):
        return json.dumps(draw(mutated(JSON_LINE)))
    at = draw(st.integers(0, len(TEXT_LINE)))
    return TEXT_LINE[:at] + draw(st.text(max_size=12)) + TEXT_LINE[at + draw(st.integers(0, 12)) :]


@EXAMPLES
@given(lines())
def test_a_report_line(line: str) -> None:
    failure, report = failure_of(lambda: report_lines.parse(line))
    if refused_in_one_line(failure):
        assert report_lines.parse_rows([(datetime.now(UTC), "", line)], LogSource("/aws/lambda/f", "f")).malformed == 1
    elif report is not None:
        assert report.memory_mb > 0
        assert math.isfinite(report.duration_ms)
        assert LoggedReport(datetime.now(UTC), "", report).report is report


INFO = {
    "redis_version": "7.2.4",
    "role": "master",
    "uptime_in_seconds": 5,
    "db0": {"keys": 7, "expires": 3, "avg_ttl": 1},
    "used_memory": 10**6,
    "maxmemory": 10**7,
    "maxmemory_policy": "allkeys-lru",
    "mem_fragmentation_ratio": 1.1,
    "keyspace_hits": 9,
    "keyspace_misses": 1,
    "maxclients": 10000,
    "master_repl_offset": 70,
    "slave0": {"ip": "10.0.0.1", "port": 6379, "state": "online", "offset": 60, "lag": 1},
    "used_cpu_user": 1.5,
    "used_cpu_sys": 0.5,
}


REPLICA = {**INFO, "role": "slave", "master_link_status": "up", "slave_read_repl_offset": 9, "slave_repl_offset": 8}


@EXAMPLES
@given((mutated(INFO) | mutated(REPLICA)).filter(lambda info: isinstance(info, dict)))
def test_the_info_of_a_cache(info: Any) -> None:
    failure, told = failure_of(lambda: parse_info(info))
    if not refused_in_one_line(failure):
        assert isinstance(told, ServerFacts)


@EXAMPLES
@given(st.text(max_size=40) | json_values.map(lambda value: f"OptimizerCache {json.dumps(value)}"))
def test_a_line_of_a_cache_client(line: str) -> None:
    assert isinstance(_parsed(line), dict)


@EXAMPLES
@given(mutated(LIVES["memory"]().change.to_document()))
def test_a_stored_change(document: Any) -> None:
    refused_in_one_line(failure_of(lambda: Change.from_document(document))[0])
