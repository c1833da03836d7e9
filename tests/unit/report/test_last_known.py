"""What was last known of functions and changes does not depend on which run ended last."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
from optimizer.report.last_known import LastKnown, week_of

NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)
SIZES = {"sizes": {"512": {"calls": 900, "mean_ms": 100.0}}, "architecture": "arm64", "other": 1}


def traffic(*names: str, calls_day: float | None = 1000.0, most: int = 2) -> list[dict[str, Any]]:
    return [{"function_arn": name, "invocations_day": calls_day, "need": {"max": most}} for name in names]


def test_run_for_one_function_leaves_the_fleet_as_it_was() -> None:
    daily = LastKnown().with_traffic(traffic("a", "b", "c"), NOW, is_complete=True)
    by_hand = daily.with_traffic(traffic("a"), NOW + timedelta(minutes=20), is_complete=False)
    assert by_hand.weeks == daily.weeks
    assert by_hand.weeks[week_of(NOW)] == {"functions": 3, "calls_day": 3000.0, "environments": 6}


def test_run_that_reads_no_traffic_changes_nothing() -> None:
    daily = LastKnown().with_traffic(traffic("a"), NOW, is_complete=True)
    assert daily.with_traffic([], NOW + timedelta(hours=1), is_complete=True) == daily


def test_function_that_left_is_gone_after_a_complete_run() -> None:
    daily = LastKnown().with_traffic(traffic("a", "b"), NOW, is_complete=True)
    assert set(daily.with_traffic(traffic("a"), NOW, is_complete=True).functions) == {"a"}


def test_function_that_could_not_be_read_stays_for_a_week() -> None:
    daily = LastKnown().with_traffic(traffic("a", "b"), NOW, is_complete=True)
    for days, left in ((7, {"a", "b"}), (9, {"a"})):
        later = daily.with_traffic(traffic("a"), NOW + timedelta(days=days), is_complete=False)
        assert set(later.functions) == left


def test_evidence_of_another_tuner_s_run_stays() -> None:
    weekly = LastKnown().with_evidence({"a": {"memory": SIZES}}, {"a"}, NOW)
    warmups = weekly.with_evidence({"a": {"warmups": {"x": 1}, "memory": {}}}, {"a"}, NOW + timedelta(hours=6))
    assert warmups.facts() == weekly.facts()
    assert "other" not in weekly.evidence["a"]["memory"]


def test_evidence_is_kept_for_changes_that_ended_and_for_a_quarter() -> None:
    found = LastKnown().with_evidence({"a": {"memory": SIZES}, "b": {"memory": SIZES}}, {"a"}, NOW)
    assert set(found.evidence) == {"a"}
    assert set(found.with_evidence({}, (), NOW + timedelta(days=90)).evidence) == {"a"}
    assert found.with_evidence({}, (), NOW + timedelta(days=92)).evidence == {}


@given(st.lists(st.sets(st.sampled_from("abcd"), min_size=1), min_size=1, max_size=6))
def test_order_of_partial_runs_does_not_matter(runs: list[set[str]]) -> None:
    """Within minutes, partial runs see the same traffic."""
    first = LastKnown().with_traffic(traffic("a", "b", "c", "d"), NOW, is_complete=True)
    found = first
    for names in runs:
        found = found.with_traffic(traffic(*names), NOW, is_complete=False)
    assert found == first
    assert LastKnown.from_document(json.loads(json.dumps(found.document()))) == found
