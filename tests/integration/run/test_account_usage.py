"""The account's own usage decides the tier of its prices: one metric for most accounts, one a function for others."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from local_account.simulated_services import MemoryDocuments
from optimizer.aws.cloudwatch import MetricsUnreadable
from optimizer.policy import Policy
from optimizer.prices import AccountUsage, MalformedUsage
from optimizer.run import read_usage
from optimizer.store import USAGE_KEY, prices_of_account

from tests.helpers.examples import examples

NOW = datetime(2026, 12, 6, 0, 7, tzinfo=UTC)


class LargeAccount:
    """Lambda and CloudWatch of an account: functions with architecture, MB, and seconds of duration in 30 days."""

    def __init__(self, *functions: tuple[str, int, float], status: str = "Complete") -> None:
        self.functions, self.status = functions, status
        self.listings = self.metrics = 0

    def get_paginator(self, operation: str) -> "LargeAccount":
        assert operation in ("list_functions", "get_metric_data")
        return self

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        if "MetricDataQueries" not in request:
            self.listings += 1
            yield from self._pages()
            return
        assert len(request["MetricDataQueries"]) <= 500
        self.metrics += len(request["MetricDataQueries"])
        results = [self._result(query) for query in request["MetricDataQueries"]]
        yield {"MetricDataResults": results}

    def _pages(self) -> Iterator[dict[str, Any]]:
        listed = [
            {"FunctionName": f"f{number}", "MemorySize": mb, "Architectures": [architecture]}
            for number, (architecture, mb, _) in enumerate(self.functions)
        ]
        for begin in range(0, len(listed), 50):
            yield {"Functions": listed[begin : begin + 50]}

    def _result(self, query: dict[str, Any]) -> dict[str, Any]:
        named = [one["Value"] for one in query["MetricStat"]["Metric"]["Dimensions"]]
        chosen = [self.functions[int(named[0][1:])]] if named else self.functions
        days = [NOW - timedelta(days=day) for day in (3, 2, 1)]
        values = [sum(seconds for *_, seconds in chosen) * 1000 / 3] * 3
        return {"Id": query["Id"], "Timestamps": days, "Values": values, "StatusCode": self.status}


def usage(account: LargeAccount) -> AccountUsage:
    return read_usage(account, account, NOW)


def tier(account: LargeAccount, architecture: str = "x86_64", now: datetime = NOW) -> int:
    documents = MemoryDocuments()
    documents.write(USAGE_KEY, usage(account).document())
    rates = prices_of_account(Policy(), documents, now).rates("us-east-1", architecture)
    assert rates is not None
    return rates.tier


def test_small_account_needs_one_metric_and_no_list() -> None:
    account = LargeAccount(("x86_64", 512, 1e6), ("arm64", 1024, 2e6))
    assert tier(account) == 1
    assert (account.listings, account.metrics) == (0, 1)


def test_larger_account_is_added_up_by_function() -> None:
    """7 billion GB-seconds on x86_64 are in its second tier, and 8 billion on arm64 in that of arm64."""
    functions = (("x86_64", 2048, 3e9), ("x86_64", 1024, 1e9), ("arm64", 4096, 2e9))
    account = LargeAccount(*functions)
    assert usage(account).gb_s_month == {"x86_64": Decimal(7_000_000_000), "arm64": Decimal(8_000_000_000)}
    assert (tier(account), tier(account, "arm64")) == (2, 2)
    assert tier(LargeAccount(("x86_64", 1024, 5e9))) == 1
    assert tier(LargeAccount(("x86_64", 10_240, 1.6e9))) == 3


@given(
    st.lists(st.tuples(st.sampled_from(["x86_64", "arm64"]), st.integers(128, 10_240), st.floats(0, 1e8)), max_size=700)
)
@settings(deadline=None, max_examples=examples(20))
def test_tier_is_that_of_the_sum(functions: list[tuple[str, int, float]]) -> None:
    """Whichever way the usage is read, in pages of 50 functions and 500 metrics."""
    account = LargeAccount(*functions)
    for architecture, ends in (("x86_64", (6e9, 15e9)), ("arm64", (7.5e9, 18.75e9))):
        used = sum(mb / 1024 * seconds for each, mb, seconds in functions if each == architecture)
        if all(abs(used - end) > 1 for end in ends):
            assert tier(account, architecture) == 1 + sum(used >= end for end in ends)


def test_metric_that_cannot_be_read_is_no_usage_of_zero() -> None:
    with pytest.raises(MetricsUnreadable):
        read_usage(*[LargeAccount(("x86_64", 512, 1e6), status="Forbidden")] * 2, NOW)


@pytest.mark.parametrize(
    "damaged",
    [None, [], {"version": 2}, {"gb_s_month": {"x86_64": "-1"}}, {"gb_s_month": {"x86_64": "NaN"}}, {"read_at": "x"}],
)
def test_damaged_usage_is_not_taken_and_said(damaged: Any) -> None:
    document = usage(LargeAccount(("x86_64", 10_240, 1e9))).document()
    damaged = {**document, **damaged} if damaged else damaged
    with pytest.raises(MalformedUsage):
        AccountUsage.from_document(damaged)
    documents = MemoryDocuments()
    documents.write(USAGE_KEY, damaged)
    rates = prices_of_account(Policy(), documents, NOW).rates("us-east-1", "x86_64")
    assert rates is not None
    assert rates.tier == 1
    assert rates.words.endswith("the stored usage of the account is damaged, so the first tier counts)")


def test_usage_of_long_ago_is_not_taken_and_said() -> None:
    documents = MemoryDocuments()
    documents.write(USAGE_KEY, usage(LargeAccount(("x86_64", 10_240, 1e9))).document())
    rates = prices_of_account(Policy(), documents, NOW + timedelta(days=36)).rates("us-east-1", "x86_64")
    assert rates is not None
    assert rates.tier == 1
    assert "the account's usage was last read on 2026-12-06" in rates.words
