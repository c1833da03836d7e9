"""Maintain a team's database through the deployed application: automatic changes are applied, others recommended."""

from collections.abc import Iterator
from typing import Any

import pytest
from local_account.databases import NAME, TeamDatabase

from tests.helpers.e2e.running import Running

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
RUN = "index-maintenance-run"


@pytest.fixture(scope="module")
def run(machines: Running) -> Iterator[dict[str, Any]]:
    """Run the tuner once, and follow its changes up to their ends."""
    machines.settle()
    with TeamDatabase(machines.account) as database:
        before = database.indexes()
        policy = {**database.policy(ask=False), "watch_minutes": [5, 10]}
        machines.store_policy({"version": 1, "mode": "auto", "indexes": policy})
        ended = machines.optimize(RUN, {"tuners": ["indexes"]})
        machines.settle()
        yield {
            "ended": ended,
            "plan": machines.document(f"runs/{RUN}/plan.json"),
            "before": before,
            "after": database.indexes(),
        }


def test_the_run_succeeds_without_looking_at_a_function(run: dict[str, Any]) -> None:
    assert (run["ended"].status, run["ended"].error) == ("SUCCEEDED", "")
    assert run["plan"]["failed"] == {}


def test_the_database_has_a_page(machines: Running, run: dict[str, Any]) -> None:
    assert run["ended"].status == "SUCCEEDED"
    assert machines.document(f"runs/{RUN}/report.json")["notes"] == []
    pages = [key for key in machines.keys(f"runs/{RUN}/report/") if f"/{NAME}." in key]
    assert len(pages) == 2


def test_automatic_index_changes_are_applied_and_kept(machines: Running, run: dict[str, Any]) -> None:
    automatic = [item for item in run["plan"]["proposals"] if item["verdict"] == "automatic"]
    assert {item["change"]["action"] for item in automatic} == {"rebuild", "drop_leftover", "analyze"}
    for item in automatic:
        key = {"pk": {"S": f"CHANGE#{item['change']['id']}"}, "sk": {"S": "CHANGE"}}
        record = machines.dynamodb.get_item(TableName=machines.application.table, Key=key)["Item"]
        assert record["status"]["S"] == "kept", record["message"]
        if item["change"]["action"] == "rebuild":
            assert record["message"]["S"].startswith("The index was rebuilt: 1.3 MiB before, ")
    assert run["after"]["event_at_idx"] < 0.3 * run["before"]["event_at_idx"]
    assert run["before"]["visit_page_idx_ccnew"] == -1
    assert "visit_page_idx_ccnew" not in run["after"]


def test_recommended_index_changes_are_not_applied(run: dict[str, Any]) -> None:
    offered = {item["change"]["target"] for item in run["plan"]["proposals"] if item["verdict"] == "recommended"}
    assert offered == {f"{NAME}/public.product.product_shelf_again_idx", f"{NAME}/public.orders.orders_customer_id_idx"}
    assert "product_shelf_again_idx" in run["after"]
    assert "orders_customer_id_idx" not in run["after"]


def test_unused_looking_index_that_stays_has_a_reason(run: dict[str, Any]) -> None:
    kept = {item["target"]: item["reason"] for item in run["plan"]["no_changes"]}
    assert "kept because" in kept[f"{NAME}/public.event.event_at_idx"]
