"""The pure parts of an assessment: what to read, what metrics tell, whose a resource is, and the sums."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from optimizer.assess import budget, text
from optimizer.assess.advice import cache_row, database_row
from optimizer.assess.model import Assessment, Finding, FunctionRow, Hindrance, Spent
from optimizer.assess.owners import owner_of
from optimizer.assess.reads import MissingRight
from optimizer.assess.state import OLDEST, AssessmentState, StateFile
from optimizer.assess.table import csv_text, document
from optimizer.assess.totals import totals_of
from optimizer.core import Interval

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def row(name: str, usd: float | None = None, *rules: str, bill: float = 10.0, **more: object) -> FunctionRow:
    found = Finding("memory", "memory 1024 -> 512 MB", "r", Interval(-usd, -usd * 2, -usd / 2)) if usd else None
    return FunctionRow(
        name=name,
        arn=f"arn:aws:lambda:eu-west-1:123456789012:function:{name}",
        memory_mb=1024,
        architecture="arm64",
        runtime="python3.13",
        calls_day=100.0,
        mean_ms=100.0,
        bill_usd_month=bill,
        is_assessed=True,
        findings=(found,) if found else (),
        hindrances=tuple(Hindrance(rule, f"{rule}.") for rule in rules),
        **more,  # type: ignore[arg-type]
    )


def assessment(*rows: FunctionRow, **more: object) -> Assessment:
    return Assessment(
        **{  # type: ignore[arg-type]
            "account": "123456789012",
            "region": "eu-west-1",
            "started_at": NOW,
            "ended_at": NOW,
            "functions": rows,
            "servers": (),
            "missing_rights": (),
            "spent": Spent(),
            "days": 14,
            **more,
        }
    )


def test_a_thousand_functions_cost_less_than_twenty_cents() -> None:
    made = budget.estimate(1000, 1000, budget.default_usd(1000))
    assert made.usd < 0.20
    assert made.metrics_usd == pytest.approx(0.10)
    assert made.log_bytes == pytest.approx(made.logs_usd / 0.005 * 1e9)


def test_logs_get_nothing_once_metrics_use_the_limit() -> None:
    assert budget.estimate(1000, 1000, 0.05).log_bytes == 0


def test_cost_limit_also_limits_the_functions_looked_at() -> None:
    assert budget.affordable(1000, budget.default_usd(1000)) >= 1000
    assert budget.affordable(1000, 0.10) == 1000
    assert budget.affordable(1000, 0.06) == 500
    assert budget.affordable(1000, 0.01) == 0


def test_logs_are_read_where_the_money_is() -> None:
    assert budget.worth_reading([90.0, 9.0, 0.5, 0.5]) == 2
    assert budget.worth_reading([1.0] * 10) == 10
    assert budget.worth_reading([0.01, 0.01]) == 0


def test_scans_together_never_exceed_what_is_left() -> None:
    left, total = 1e9, 1e9
    for waiting in range(30, 0, -1):
        left -= budget.scan_mb(left, waiting, 200) * 1e6
    assert 0 <= left < total


@pytest.mark.parametrize(
    ("tags", "owner"),
    [
        ({}, ""),
        ({"aws:cloudformation:stack-name": "shop"}, "CloudFormation (stack shop)"),
        ({"aws:cloudformation:stack-name": "shop", "lambda:createdBy": "SAM"}, "AWS SAM (stack shop)"),
        ({"Managed-By": "terraform", "Team": "pay"}, "terraform, team pay"),
        ({"pulumi:project": "web"}, "Pulumi"),
    ],
)
def test_owner_is_what_the_tags_tell(tags: dict[str, str], owner: str) -> None:
    assert owner_of(tags) == owner


def test_database_that_is_busy_is_advised_to_look_for_indexes() -> None:
    described = {"DBInstanceIdentifier": "shop", "Engine": "postgres", "DBInstanceClass": "db.r6g.large"}
    found = database_row(described, "", {"cpu_mean": 60.0, "cpu_most": 99.0})
    assert found.name == "shop"
    assert found.is_supported
    assert "missing indexes" in found.advice[0]
    assert any("secret" in need for need in found.needs)
    assert any("subnets" in need for need in found.needs)


def test_database_of_an_unknown_engine_gets_no_advice() -> None:
    found = database_row(
        {"DBInstanceIdentifier": "x", "Engine": "oracle-se2"}, "", {"cpu_mean": 99.0, "cpu_most": 99.0}
    )
    assert not found.is_supported
    assert (found.advice, found.needs) == ((), ())


def test_cluster_with_the_data_api_needs_no_network() -> None:
    described = {
        "DBClusterIdentifier": "orders",
        "DBClusterMembers": [{}, {}],
        "Engine": "aurora-postgresql",
        "DBSubnetGroup": "private",
        "HttpEndpointEnabled": True,
    }
    found = database_row(described, "", {})
    assert "no network: its Data API is on" in found.needs
    assert found.size == "2 instances"


def test_cache_without_evictions_has_room_for_longer_ttls() -> None:
    found = cache_row({"Engine": "valkey"}, "c", "", {"hits": 70.0, "misses": 30.0, "memory_percent": 20.0})
    assert found.advice[0] == "hit ratio 70.0%: longer TTLs may raise it"
    assert "room for longer TTLs" in found.advice[1]


def test_cache_that_evicts_is_not_told_to_keep_longer() -> None:
    facts = {"hits": 70.0, "misses": 30.0, "memory_percent": 99.0, "evictions_day": 500.0}
    found = cache_row({"Engine": "redis"}, "c", "", facts)
    assert not any("longer TTLs may" in line for line in found.advice)
    assert "500 evictions a day" in found.advice[1]


def test_savings_are_grouped_by_what_stops_them() -> None:
    totals = totals_of(assessment(row("a", 5.0, "alias.none", "kind.image"), row("b", 1.0, "alias.none"), row("c")))
    assert totals.saved == Interval(6.0, 3.0, 12.0)
    assert [(group.rule, len(group.functions), group.saved) for group in totals.groups] == [
        ("alias.none", 2, 6.0),
        ("kind.image", 1, 5.0),
    ]
    assert totals.saved_share == pytest.approx(0.2)


def test_change_for_safety_is_no_saving() -> None:
    unsafe = Finding("memory", "memory 128 -> 256 MB", "r", Interval(-1.0, -2.0, 0.0), safety=True)
    totals = totals_of(assessment(FunctionRow(**{**_fields(row("a")), "findings": (unsafe,)})))
    assert totals.saved.estimate == 0
    assert [found.name for found in totals.unsafe] == ["a"]


def _fields(found: FunctionRow) -> dict[str, object]:
    return {name: getattr(found, name) for name in FunctionRow.__dataclass_fields__}


def test_page_fits_into_80_columns_with_long_names() -> None:
    rows = [row(f"{'very-long-name' * 4}-{n}", n + 1.0, "alias.none", "some.new_rule") for n in range(20)]
    missing = (MissingRight("tag:GetResources", "owners are not known", "denied"),)
    shown = text.page(assessment(*rows, missing_rights=missing))
    assert [line for line in shown.splitlines() if len(line) > 80] == []
    assert "and 12 more" in shown
    assert "some: new rule" in shown
    assert "tag:GetResources" in shown


def test_page_of_an_empty_account_says_so() -> None:
    shown = text.page(assessment())
    assert "Functions           0" in shown
    assert "nothing was found" in shown


def test_csv_gives_a_spreadsheet_no_formula() -> None:
    assert "'=cmd()" in csv_text(assessment(row("a", owner="=cmd()")))


def test_documents_are_read_as_they_were_written() -> None:
    found = row("a", 2.0, "alias.none", notes={"warmups": "none"})
    assert FunctionRow.from_document(document(assessment(found))["functions"][0]) == found


def test_state_of_another_policy_or_an_old_one_is_not_gone_on_with(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state.jsonl")
    file.begin(AssessmentState("1", "eu-west-1", NOW, "digest"))
    assert file.read("1", "eu-west-1", "digest", NOW) is None, "nothing was listed yet"
    file.append("listed", functions=[], servers=[], scaled={"function:a:live": [1, 2]})
    read = file.read("1", "eu-west-1", "digest", NOW)
    assert read is not None
    assert read.scaled == {"function:a:live": (1, 2)}
    assert file.read("1", "eu-west-1", "other", NOW) is None
    assert file.read("2", "eu-west-1", "digest", NOW) is None
    assert file.read("1", "eu-west-1", "digest", NOW + OLDEST + timedelta(seconds=1)) is None
    assert file.path.stat().st_mode & 0o077 == 0
