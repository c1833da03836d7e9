"""The lists at the start of a run, by which functions are known to be as before."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from optimizer.run.unchanged import Glance, glance_at

from tests.helpers.own_account import create_target, own_account


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_account(monkeypatch):
        yield


def look(*names: str) -> Glance:
    return glance_at(boto3.client("lambda"), boto3.client("cloudwatch"), names)


def test_fingerprint_stays_until_the_function_is_updated() -> None:
    create_target("orders")
    create_target("invoices")
    before = look("orders", "invoices")
    assert before == look("orders", "invoices")
    boto3.client("lambda").update_function_configuration(FunctionName="orders", Timeout=30)
    after = look("orders", "invoices")
    assert after.fingerprints["orders"] != before.fingerprints["orders"]
    assert after.fingerprints["invoices"] == before.fingerprints["invoices"]


def test_functions_that_are_no_targets_are_left_out() -> None:
    create_target("orders")
    create_target("other")
    assert set(look("orders").fingerprints) == {"orders"}


def test_calls_that_met_provisioned_concurrency_are_told() -> None:
    create_target("orders")
    dimensions = [{"Name": "FunctionName", "Value": "orders"}, {"Name": "Resource", "Value": "orders:live"}]
    boto3.client("cloudwatch").put_metric_data(
        Namespace="AWS/Lambda",
        MetricData=[{"MetricName": "ProvisionedConcurrencyInvocations", "Dimensions": dimensions, "Value": 1.0}],
    )
    assert look("orders", "invoices").provisioned == ["orders"]


class Pages:
    """A list of many pages with one function each, and the number of pages that were asked for."""

    def __init__(self, *, refused: bool = False) -> None:
        self.asked, self.refused = 0, refused

    def get_paginator(self, operation: str) -> "Pages":
        if self.refused and operation == "list_functions":
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "ListFunctions")
        return self

    def paginate(self, **_: str) -> Iterator[dict[str, Any]]:
        for number in range(100):
            self.asked += 1
            yield {"Functions": [{"FunctionName": f"other-{number}"}], "Metrics": []}


def test_list_ends_where_it_would_take_more_calls_than_it_spares() -> None:
    pages: Any = Pages()
    assert glance_at(pages, Pages(), [f"f{number}" for number in range(12)]).fingerprints == {}  # type: ignore[arg-type]
    assert pages.asked == 3


def test_functions_are_read_one_by_one_where_the_list_is_refused() -> None:
    pages: Any = Pages(refused=True)
    glance = glance_at(pages, pages, ["orders"])
    assert glance == Glance(problem=glance.problem)
    assert glance.problem.endswith("because ListFunctions failed: AccessDeniedException")
