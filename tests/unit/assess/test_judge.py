"""A function is judged as if nothing stopped it, and what stops it stands beside the findings."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from optimizer.assess.facts import FunctionDetails, ListedFunction
from optimizer.assess.html import html_page
from optimizer.assess.judge import judge, policy_of
from optimizer.assess.model import Assessment, FunctionRow, Spent
from optimizer.assess.table import csv_text
from optimizer.assess.text import page
from optimizer.capacity import LATEST, LiveFunction, Placed, Version
from optimizer.core import minute_of, plain
from optimizer.function_logs import FunctionHistory, LoggedReport, ReportLine
from optimizer.policy import Memory, Mode, Policy
from optimizer.traffic import HOUR_METRICS, History, Series

from tests.helpers.rates import PRICES

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
MINUTES, HOURS = 14 * 1440, 14 * 24
# The function costs a dollar a month, so that any gain counts here.
POLICY = policy_of(Policy(mode=Mode.AUTO, memory=Memory(min_savings_usd_month=0.0)))
VERSION = Version(LATEST, 2048, "c", "c", "r", settled=True, failed=False, architecture="arm64")


def history(calls_a_minute: float = 4.0) -> History:
    end = minute_of(NOW)
    minutes = {
        "invocations": np.full(MINUTES, calls_a_minute),
        "duration_ms": np.full(MINUTES, 200.0),
        "concurrency": np.ones(MINUTES),
    }
    hours = {name: np.zeros(HOURS) for name in HOUR_METRICS}
    hours |= {"invocations": np.full(HOURS, 60 * calls_a_minute), "duration_ms": np.full(HOURS, 200.0)}
    return History(Series(end - MINUTES, minutes), Series(end // 60 - HOURS, hours))


def lines(memory_mb: int, calls: int = 2000, used_mb: int = 100, version: str = LATEST) -> FunctionHistory:
    found = [
        LoggedReport(
            NOW - timedelta(minutes=n), version, ReportLine(str(n), 200.0 + n % 7, 201.0, memory_mb, used_mb), "[1]"
        )
        for n in range(calls)
    ]
    return FunctionHistory().add(found, NOW)


def listed(tags: dict[str, str] | None = None, **version: object) -> ListedFunction:
    latest = replace(VERSION, **version)  # type: ignore[arg-type]
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:f"
    return ListedFunction("f", arn, latest, "python3.13", "/aws/lambda/f", tags or {}, 5760.0, 200.0)


def details(one: ListedFunction, alias: str = LATEST, **more: object) -> FunctionDetails:
    live = LiveFunction(
        "f", alias, LATEST if alias == LATEST else "1", "", {}, one.latest, one.latest,
        tags=one.tags, log_group="/aws/lambda/f", function_arn=one.arn, placed=Placed({}),
    )  # fmt: skip
    known = {"history": history(), "lines": lines(one.latest.memory_mb, version=live.alias_version), **more}
    return FunctionDetails(live, **known)  # type: ignore[arg-type]


def rules(one: ListedFunction, found: FunctionDetails) -> list[str]:
    return [hindrance.rule for hindrance in judge(one, found, POLICY, PRICES, NOW).hindrances]


def test_function_without_an_alias_is_judged_as_with_one() -> None:
    row = judge(listed(), details(listed()), POLICY, PRICES, NOW)
    without, behind = row, judge(listed(), details(listed(), "live"), POLICY, PRICES, NOW)
    assert [found.what for found in without.findings] == [found.what for found in behind.findings]
    assert without.saved_usd_month == behind.saved_usd_month
    assert without.saved_usd_month.estimate > 0
    assert [one.rule for one in without.hindrances] == ["alias.none"]
    assert behind.hindrances == ()


def test_owner_is_named_beside_the_missing_alias() -> None:
    one = listed({"aws:cloudformation:stack-name": "shop"})
    row = judge(one, details(one), POLICY, PRICES, NOW)
    assert {found.rule for found in row.hindrances} == {"owner.cloudformation", "alias.none"}
    (owner,) = (found for found in row.hindrances if found.rule == "owner.cloudformation")
    assert "MemorySize: 1536 of f in its template" in owner.message
    assert row.saved_usd_month.estimate > 0
    assert row.owner == "CloudFormation (stack shop)"


def test_container_image_is_judged_and_named() -> None:
    one = listed(package_type="Image")
    row = judge(one, details(one, "live"), POLICY, PRICES, NOW)
    assert [found.rule for found in row.hindrances] == ["kind.image"]
    assert row.saved_usd_month.estimate > 0


def test_function_on_managed_instances_is_not_judged() -> None:
    one = listed(managed_instances=True)
    row = judge(one, details(one, "live"), POLICY, PRICES, NOW)
    assert row.findings == ()
    assert "kind.managed_instances" in [found.rule for found in row.hindrances]


def test_alias_of_another_name_needs_a_tag() -> None:
    assert rules(listed(), details(listed(), "prod")) == ["alias.name"]
    tagged = listed({"optimizer:alias": "prod"})
    assert rules(tagged, details(tagged, "prod")) == []


@pytest.mark.parametrize("rule", ["data.no_log", "data.not_scanned", "data.small_bill", "data.shared_log"])
def test_reason_for_an_unread_log_is_the_only_one(rule: str) -> None:
    found = details(listed(), "live", lines=FunctionHistory(), problems={rule: "it was not read"})
    row = judge(listed(), found, POLICY, PRICES, NOW)
    assert [one.rule for one in row.hindrances] == [rule]
    assert row.hindrances[0].message == "It was not read."


def test_few_calls_are_too_little() -> None:
    assert rules(listed(), details(listed(), "live", lines=lines(2048, 30, version="1"))) == ["data.few_calls"]


def test_function_without_metrics_has_no_findings() -> None:
    found = details(listed(), "live", history=None, problems={"data.no_metrics": "CloudWatch refused"})
    row = judge(listed(), found, POLICY, PRICES, NOW)
    assert row.findings == ()
    assert row.is_assessed


def test_function_short_of_memory_is_at_risk_and_saves_nothing() -> None:
    one = listed(memory_mb=128)
    row = judge(one, details(one, "live", lines=lines(128, used_mb=120, version="1")), POLICY, PRICES, NOW)
    assert [found.safety for found in row.findings if found.tuner == "memory"] == [True]
    assert row.saved_usd_month.estimate == 0


def test_policy_of_an_assessment_only_recommends() -> None:
    given = Policy(mode=Mode.AUTO, memory=replace(Policy().memory, mode=Mode.AUTO, ceiling_mb=512))
    made = policy_of(given)
    assert made.mode_of("memory") is Mode.RECOMMEND
    assert made.memory.ceiling_mb == 512


def test_errors_are_advice_on_the_page_and_in_the_table() -> None:
    failing = history()
    failing.hours.values["errors"][-48:] = 24
    row = judge(listed(), details(listed(), history=failing), POLICY, PRICES, NOW)
    ((subject, words),) = row.advice
    assert subject == "errors"
    assert "rose from 0% to 10% on 28 Nov 2026 12:00 UTC" in words
    assert FunctionRow.from_document(plain(row)).advice == row.advice
    assessment = Assessment("1", "eu-west-1", NOW, NOW, (row,), (), (), Spent(), 14.0)
    assert "Advice: 1 function" in page(assessment)
    assert words[:60] in html_page(assessment)
    assert words in csv_text(assessment)
    assert judge(listed(), details(listed()), POLICY, PRICES, NOW).advice == ()


def test_row_of_an_earlier_release_has_no_advice() -> None:
    document = plain(judge(listed(), details(listed()), POLICY, PRICES, NOW))
    del document["advice"]
    assert FunctionRow.from_document(document).advice == ()
