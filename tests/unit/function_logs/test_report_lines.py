"""Parsing REPORT lines in text and in JSON."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer.function_logs import parse as report_lines
from optimizer.function_logs.parse import LoggedReport, LogSource, MalformedReport, ReportLine

AT = datetime(2026, 11, 21, tzinfo=UTC)
OWN = LogSource("/aws/lambda/orders", "orders")
TEXT = (
    "REPORT RequestId: 3897a7c2\tDuration: 12.34 ms\tBilled Duration: 13 ms\t"
    "Memory Size: 128 MB\tMax Memory Used: 67 MB\t"
)


def platform_report(status: str = "success", **metrics: Any) -> str:
    base = {"durationMs": 12.34, "billedDurationMs": 13, "memorySizeMB": 128, "maxMemoryUsedMB": 67}
    record = {"requestId": "3897a7c2", "status": status, "metrics": base | metrics}
    return json.dumps({"time": "2026-11-21T00:00:00Z", "type": "platform.report", "record": record})


def report(**values: Any) -> ReportLine:
    return ReportLine(
        **{"request_id": "3897a7c2", "duration_ms": 12.34, "billed_ms": 13, "memory_mb": 128, "max_memory_used_mb": 67}
        | values
    )


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (TEXT, report()),
        (TEXT + "\n", report()),
        (TEXT + "Init Duration: 174.06 ms\t\n", report(init_ms=174.06)),
        (
            TEXT + "Restore Duration: 448.85 ms\tBilled Restore Duration: 103 ms\t\n",
            report(restore_ms=448.85, billed_restore_ms=103),
        ),
        (TEXT + "Status: timeout\n", report(status="timeout")),
        (TEXT + "Status: error\tError Type: Runtime.ExitError\n", report(status="error")),
        (TEXT + "\nXRAY TraceId: 1-5f\tSegmentId: 2e\tSampled: true\t", report()),
        (platform_report(), report()),
        (platform_report(initDurationMs=174.06), report(init_ms=174.06)),
        (
            platform_report(restoreDurationMs=448.85, billedRestoreDurationMs=103),
            report(restore_ms=448.85, billed_restore_ms=103),
        ),
        (platform_report(status="timeout"), report(status="timeout")),
    ],
)
def test_both_formats_are_read_with_init_restore_and_status(message: str, expected: ReportLine) -> None:
    assert report_lines.parse(message) == expected


@pytest.mark.parametrize(
    ("line", "cold"),
    [(report(), False), (report(init_ms=1.0), True), (report(restore_ms=0.0), True)],
)
def test_a_call_with_an_init_or_a_restore_is_cold(line: ReportLine, cold: bool) -> None:
    assert line.is_cold is cold


@pytest.mark.parametrize(
    "message",
    [
        "",
        "hello",
        "START RequestId: 1 Version: 5",
        '{"type": "platform.start"}',
        '{"message": "\\"platform.report\\""}',
    ],
)
def test_other_lines_are_no_report(message: str) -> None:
    assert report_lines.parse(message) is None


@pytest.mark.parametrize(
    "message",
    [
        "REPORT RequestId: 1",
        TEXT.replace("12.34 ms", "12.34 s"),
        TEXT.replace("12.34", "nan"),
        TEXT.replace("128 MB", "0 MB"),
        TEXT.replace("3897a7c2", ""),
        platform_report(durationMs="12"),
        platform_report(durationMs=True),
        platform_report(durationMs=-1),
        platform_report(memorySizeMB=128.5),
        platform_report(status=""),
        platform_report().replace("12.34", "NaN"),
        platform_report().replace("12.34", "1e999"),
        platform_report()[:-1],
        '{"type": "platform.report"}',
        '{"type": "platform.report", "record": []}',
        '{"type": "platform.report", "record": ' + "[" * 100_000,
    ],
)
def test_a_damaged_report_line_is_called_malformed(message: str) -> None:
    with pytest.raises(MalformedReport):
        report_lines.parse(message)


def test_one_group_may_hold_both_formats_and_damage_is_counted() -> None:
    rows = [
        (AT, "2026/11/21/[7]abc", TEXT),
        (AT, "2026/11/21/[$LATEST]abc", platform_report()),
        (AT, "custom", "REPORT RequestId: x"),
        (AT, "custom", "hello"),
    ]
    found = report_lines.parse_rows(rows, OWN)
    assert [line.version for line in found.lines] == ["7", "$LATEST"]
    assert (found.malformed, found.others) == (1, 1)


_NAMES = st.text("abcdefgh-_", min_size=1, max_size=12)


@given(_NAMES, st.lists(_NAMES, max_size=4), st.sampled_from(["7", "12", "$LATEST"]))
def test_lines_of_other_functions_in_a_shared_group_are_left_out(name: str, others: list[str], version: str) -> None:
    shared = LogSource("/shop/api", name)
    rows = [
        (AT, f"2026/11/21/{each}[{version}]0123abcd", TEXT) for each in [name, *others, f"{name}-old", f"old-{name}"]
    ]
    found = report_lines.parse_rows([*rows, (AT, f"2026/11/21/[{version}]0123abcd", TEXT)], shared)
    expected = 1 + others.count(name)
    assert found.lines == (LoggedReport(AT, version, report(), rows[0][1]),) * expected
    assert found.foreign == len(rows) + 1 - expected


def test_another_function_may_write_to_this_ones_group() -> None:
    rows = [(AT, "2026/11/21/[7]0123abcd", TEXT), (AT, "2026/11/21/reports[7]0123abcd", TEXT)]
    found = report_lines.parse_rows(rows, OWN)
    assert ([line.environment for line in found.lines], found.foreign) == (["2026/11/21/[7]0123abcd"], 1)


@pytest.mark.parametrize(
    ("memory_mb", "used_mb", "possible"),
    [(128, 129, True), (128, 141, False), (100, 90, False), (10_240, 10_240, True), (10_241, 90, False)],
)
def test_lines_that_lambda_cannot_have_written_are_left_out(memory_mb: int, used_mb: int, possible: bool) -> None:
    line = platform_report(memorySizeMB=memory_mb, maxMemoryUsedMB=used_mb)
    found = report_lines.parse_rows([(AT, "2026/11/21/[7]0123abcd", line)], OWN)
    assert (len(found.lines), found.impossible) == ((1, 0) if possible else (0, 1))


fragments = st.sampled_from(
    ["REPORT RequestId:", " x\t", "Duration: ", "1 ms", "\t", "\n", "Memory Size: 9 MB", "\x00"]
)


@given(st.one_of(st.text(), st.lists(st.one_of(fragments, st.text(max_size=5))).map("".join)))
def test_no_text_makes_the_parser_fail(text: str) -> None:
    found = report_lines.parse_rows([(AT, text, text), (AT, text, "REPORT RequestId:" + text)], OWN)
    assert len(found.lines) + found.malformed + found.others + found.foreign + found.impossible == 2


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values, json_values)
def test_no_json_makes_the_parser_fail(duration: object, metrics: object, record: object) -> None:
    for message in (
        {"type": "platform.report", "record": record},
        {"type": "platform.report", "record": {"requestId": "1", "metrics": metrics}},
    ):
        report_lines.parse_rows([(AT, "", json.dumps(message))], OWN)
    report_lines.parse_rows([(AT, "", platform_report(durationMs=duration))], OWN)
