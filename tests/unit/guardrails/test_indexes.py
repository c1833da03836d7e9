"""What the policy refuses, asks and lets happen to indexes."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from optimizer import guardrails
from optimizer.core.change import Change, Risk, Tuner
from optimizer.guardrails import indexes as rules
from optimizer.guardrails.run import Account
from optimizer.policy.model import IndexActions, Indexes, Mode, Permission, Policy, RunLimits, RunWindow, Window

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)
MIB = 1 << 20
AUTO = Policy(mode=Mode.AUTO, run=RunLimits(max_changes=100))
EVIDENCE: dict[str, dict[str, Any]] = {
    "rebuild": {
        "finding": "bloated",
        "special": False,
        "saves_bytes": 600 * MIB,
        "bloat_share": 0.6,
        "runs_seen": 2,
    },
    "drop_index": {"finding": "unused", "observed_days": 40},
    "drop_leftover": {"finding": "build_leftover", "own": False},
    "create_index": {"finding": "foreign_key_without_index"},
}


def change(
    action: str, *, table: str = "orders", index: str = "i", before: dict[str, Any] | None = None, **evidence: Any
) -> Change:
    return Change(
        run_id="run-1",
        tuner=Tuner.INDEXES,
        action=action,
        target=f"shop/public.{table}.{index}",
        before={"database": "shop", "schema": "public", "table": table, "size_bytes": 1000 * MIB, **(before or {})},
        after={},
        reason="Better.",
        undo={"ddl": "CREATE INDEX"},
        risk=Risk.LOW,
        evidence={**EVIDENCE.get(action, {}), **evidence},
    )


def verdict_of(one: Change, policy: Policy = AUTO) -> tuple[str, str]:
    (verdict,) = guardrails.check([one], policy, Account(targets=0), NOW)
    return verdict.verdict.value, verdict.rule


@pytest.mark.parametrize(
    ("one", "decision"),
    [
        (change("analyze"), "automatic"),
        (change("vacuum"), "ask"),
        (change("rebuild"), "automatic"),
        (change("rebuild", special=True), "ask"),
        (change("rebuild", special=None), "ask"),
        (change("rebuild", before={"size_bytes": 21_000 * MIB}), "ask"),
        (change("drop_leftover"), "ask"),
        (change("drop_leftover", own=True), "automatic"),
        (change("drop_index"), "ask"),
        (change("drop_index", finding="duplicate"), "ask"),
        (change("create_index"), "ask"),
        (change("optimize_table"), "ask"),
    ],
)
def test_the_default_applies_only_harmless_index_actions(one: Change, decision: str) -> None:
    """Nobody can miss what the default applies automatically."""
    assert verdict_of(one) == (decision, "mode")
    assert verdict_of(one, replace(AUTO, mode=Mode.APPROVE)) == ("ask", "mode")
    assert verdict_of(one, replace(AUTO, mode=Mode.RECOMMEND)) == ("recommended", "mode")


def test_a_policy_may_tighten_or_relax_a_kind_of_action() -> None:
    actions = IndexActions(analyze=Permission.RECOMMEND, drop_unused=Permission.AUTOMATIC, create=Permission.NEVER)
    policy = replace(AUTO, indexes=Indexes(actions=actions))
    assert verdict_of(change("analyze"), policy) == ("recommended", "mode")
    assert verdict_of(change("drop_index"), policy) == ("automatic", "mode")
    assert verdict_of(change("create_index"), policy) == ("refused", "indexes.action")


@pytest.mark.parametrize(
    ("one", "limits", "rule"),
    [
        (change("drop_index", before={"protected": "it is a primary key"}), {}, "indexes.protected"),
        (change("rebuild", before={"size_bytes": 11 * MIB}), {"max_build_mb": 10}, "indexes.size"),
        (change("rebuild", bloat_share=0.49), {}, "indexes.bloat"),
        (change("rebuild", saves_bytes=99 * MIB), {}, "indexes.bloat"),
        (change("rebuild", saves_bytes=None), {}, "evidence"),
        (change("rebuild", runs_seen=1), {}, "indexes.seen_before"),
        (change("drop_index", observed_days=34.9), {}, "indexes.observation"),
        (change("drop_index", observed_days=None), {}, "evidence"),
        (change("drop_index", finding="ugly"), {}, "evidence"),
        (change("truncate"), {}, "evidence"),
        (change("analyze", before={"size_bytes": None}), {}, "evidence"),
        (change("drop_index"), {"max_drops": 0}, "indexes.max_drops"),
        (change("rebuild"), {"max_build_mb_run": 999}, "indexes.max_build_mb_run"),
    ],
)
def test_each_rule_refuses_what_it_is_for(one: Change, limits: dict[str, Any], rule: str) -> None:
    assert verdict_of(one, replace(AUTO, indexes=Indexes(**limits))) == ("refused", rule)


def test_a_change_of_indexes_waits_for_both_kinds_of_windows() -> None:
    """Those of indexes are in addition to those of the run."""
    indexes = Indexes(windows=(Window(start="13:00", until="14:00"),))
    policy = replace(AUTO, indexes=indexes)
    assert verdict_of(change("analyze"), policy) == ("automatic", "mode")
    refusal = guardrails.recheck(change("analyze"), rules.IndexState(1), policy, NOW)
    assert refusal is not None
    assert refusal.rule == "indexes.window"
    wait = guardrails.wait_for_window(policy, change("analyze"), NOW)
    assert wait is not None
    assert wait.until == NOW.replace(hour=13)
    both = replace(policy, run=replace(policy.run, windows=(RunWindow(days=("fri",), start="13:30", until="20:00"),)))
    later = guardrails.wait_for_window(both, change("analyze"), NOW)
    assert later is not None
    assert f"{later.until:%a %H:%M}" == "Fri 13:30"


def test_a_run_limits_changes_of_a_table_and_drops() -> None:
    """One index of a table changes in a run, and no more are dropped than allowed."""
    drops = [change("drop_index", table=f"t{n}") for n in range(4)]
    same = [change("rebuild", index="j"), change("rebuild", index="k"), change("analyze", index="")]
    verdicts = guardrails.check([*drops, *same], AUTO, Account(targets=0), NOW)
    assert sorted(verdict.rule for verdict in verdicts) == [
        "indexes.max_drops",
        "indexes.one_per_table",
        *["mode"] * 5,
    ]


def test_the_acting_lambda_applies_the_rules_to_what_it_reads() -> None:
    assert guardrails.recheck(change("rebuild"), rules.IndexState(500 * MIB), AUTO, NOW) is None
    refusal = guardrails.recheck(change("drop_index"), rules.IndexState(1, "it is a replica identity"), AUTO, NOW)
    assert refusal is not None
    assert refusal.rule == "indexes.protected"
