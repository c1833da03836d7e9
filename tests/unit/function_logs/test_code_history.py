"""What a function's code did is told apart from what older code did."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st
from optimizer.core import canonical_json
from optimizer.function_logs.code_history import history_of_code
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def lines(version: str, days_ago: float, calls: int, used_mb: int, memory_mb: int = 1024) -> list[LoggedReport]:
    """Return calls that end `days_ago`, one a minute."""
    end = NOW - timedelta(days=days_ago)
    return [
        LoggedReport(end - timedelta(minutes=n), version, ReportLine("1", 50.0 + n % 5, 56, memory_mb, used_mb))
        for n in range(calls)
    ]


def met(*versions: tuple[str, str], of: list[LoggedReport]) -> FunctionHistory:
    history = FunctionHistory().add(of, NOW)
    for version, content in versions:
        history = history.meet(version, content)
    return history


@pytest.mark.parametrize(
    ("calls", "used_mb"),
    [(1500, 110), (1200, 950), (900, 950)],
    ids=["a day and a thousand calls", "not a day", "neither"],
)
def test_mended_leak_is_forgotten_once_the_deploy_is_proven(calls: int, used_mb: int) -> None:
    of = [*lines("3", 60, 500, 950), *lines("7", 0, calls, 110)]
    history = history_of_code(met(("3", "old"), ("7", "new"), of=of), "7")
    assert history.max_memory_used_mb == used_mb
    assert history.versions == ("7",)


def test_versions_with_the_same_content_are_one_code() -> None:
    of = [*lines("3", 1, 500, 950), *lines("7", 0, 5000, 110, memory_mb=512)]
    history = history_of_code(met(("3", "same"), ("7", "same"), of=of), "7")
    assert history.max_memory_used_mb == 950
    assert (set(history.sizes), history.earlier) == ({1024, 512}, ())


def test_calls_by_hand_count_for_a_function_without_alias_alone() -> None:
    of = [*lines("$LATEST", 0, 50, 900), *lines("7", 0, 50, 110)]
    history = met(("7", "code"), of=of)
    assert history_of_code(history, "7").max_memory_used_mb == 110
    assert history_of_code(history, "$LATEST").sizes[1024].max_memory_used_mb == 900


def test_latest_with_a_new_content_is_new_code() -> None:
    history = met(("$LATEST", "old"), ("$LATEST", "new"), of=lines("$LATEST", 1, 50, 900))
    history = history.add(lines("$LATEST", -1, 5, 110), NOW + timedelta(days=1))
    code = history_of_code(history, "$LATEST")
    assert (code.sizes[1024].max_memory_used_mb, code.max_memory_used_mb) == (110, 900)


@given(st.lists(st.tuples(st.sampled_from("12345"), st.sampled_from([512, 1024]), st.integers(1, 40)), max_size=12))
def test_codes_of_a_history_add_up_to_all_its_calls(parts: list[tuple[str, int, int]]) -> None:
    of = [line for at, (version, mb, calls) in enumerate(parts) for line in lines(version, at, calls, 90, mb)]
    history = met(("1", "a"), ("2", "a"), ("3", "b"), of=of)
    code = history_of_code(history, "1")
    calls = sum(size.calls for sizes in (code.sizes, *code.earlier) for size in sizes.values())
    assert calls == len(of) == sum(size.calls for size in history.sizes.values())
    stored = FunctionHistory.from_document(json.loads(canonical_json.dumps(history)))
    assert history_of_code(stored, "1") == code


def test_only_the_versions_called_last_are_kept_apart() -> None:
    of = [line for n in range(30) for line in lines(str(n), 30 - n, 2, 90)]
    history = FunctionHistory().add(of, NOW)
    assert list(history.by_version) == [str(n) for n in range(18, 30)]
    assert sum(size.calls for size in history.sizes.values()) == 60


def test_older_document_tells_the_only_version_of_a_size() -> None:
    of = [*lines("3", 2, 10, 950), *lines("7", 1, 10, 110), *lines("7", 0, 10, 100, memory_mb=512)]
    document = json.loads(canonical_json.dumps(FunctionHistory().add(of, NOW)))
    del document["by_version"], document["contents"]
    history = history_of_code(FunctionHistory.from_document(document), "7")
    assert {mb: size.max_memory_used_mb for mb, size in history.sizes.items()} == {512: 100}
    assert history.max_memory_used_mb == 950
