"""What the policy refuses, rule by rule, and that nothing gets past all of them together."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from optimizer import guardrails
from optimizer.core import CONFIGURATION, Change, Effect, Interval, Rejection, Risk, Status, StoredChange, Tuner
from optimizer.guardrails import (
    calendar,
    memory as memory_rules,
    provisioned_concurrency as pc_rules,
    warmups as warmup_rules,
)
from optimizer.guardrails.run import Account, best_first, functions_allowed, is_new_plan
from optimizer.guardrails.totals import Held
from optimizer.guardrails.verdict import Decision, Refusal
from optimizer.policy.model import Freeze, Memory, Mode, Policy, ProvisionedConcurrency, RunLimits, RunWindow, Warmups

from tests.helpers.examples import examples
from tests.helpers.rates import PRICED

NOW = datetime(2026, 11, 4, 12, 0, tzinfo=UTC)  # a Wednesday
AUTO = Policy(mode=Mode.AUTO, run=RunLimits(max_changes=100, max_changes_share=1.0))
ACCOUNT = Account(targets=100, unreserved_concurrency=1000)


def arn(name: str) -> str:
    return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"


def usd(estimate: float) -> Effect:
    return Effect(usd_month=Interval(estimate, estimate - 1, estimate + 1))


def memory(name: str = "orders", *, before: int = 1024, after: int = 768, **evidence: Any) -> Change:
    known = {"max_memory_used_mb": 300, "samples": 5000, "price_ratio": 0.8, "duration_ratio": 1.02, **evidence}
    return Change(
        run_id="run-1",
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=arn(name),
        before={"memory_mb": before},
        after={"memory_mb": after},
        reason="Cheaper.",
        undo={"memory_mb": before},
        risk=Risk.MEDIUM,
        evidence={key: value for key, value in known.items() if value is not ...},
        effect=usd(-3),
    )


def pc(name: str = "orders", *, before: int = 0, after: int = 2, **evidence: Any) -> Change:
    known = {"usd_month": 8.0 * after, "usd_month_before": 8.0 * before, "utilisation": 0.8, **PRICED, **evidence}
    return Change(
        run_id="run-1",
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        target=arn(name),
        before={"environments": before},
        after={"environments": after},
        reason="Fewer cold starts.",
        undo={"environments": before},
        risk=Risk.LOW,
        evidence={key: value for key, value in known.items() if value is not ...},
        effect=usd(8.0 * (after - before)),
    )


def warmups(name: str = "orders", *, pings: int = 40, most: int = 2, usd_day: float = 0.01) -> Change:
    return Change(
        run_id="run-1",
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        target=arn(name),
        before={"schedules": 0},
        after={"pings": pings, "most_environments": most, "usd_day": usd_day},
        reason="Fewer cold starts.",
        undo={"schedules": 0},
        risk=Risk.LOW,
        effect=Effect(cold_starts_month=Interval(-100, -200, -50)),
    )


def verdict_of(change: Change, policy: Policy = AUTO, account: Account = ACCOUNT) -> tuple[str, str]:
    (verdict,) = guardrails.check([change], policy, account, NOW)
    return verdict.verdict.value, verdict.rule


@pytest.mark.parametrize("change", [memory(), pc(), warmups()], ids=lambda change: change.tuner.value)
@pytest.mark.parametrize(
    ("mode", "decision"), [(Mode.AUTO, "automatic"), (Mode.APPROVE, "ask"), (Mode.RECOMMEND, "recommended")]
)
def test_a_change_that_passes_is_decided_by_the_mode(change: Change, mode: Mode, decision: str) -> None:
    assert verdict_of(change, replace(AUTO, mode=mode)) == (decision, "mode")


@pytest.mark.parametrize(
    ("mode", "latest_mode", "decision"),
    [
        (Mode.AUTO, Mode.APPROVE, "ask"),
        (Mode.AUTO, Mode.AUTO, "automatic"),
        (Mode.RECOMMEND, Mode.AUTO, "recommended"),
        (Mode.APPROVE, Mode.RECOMMEND, "recommended"),
    ],
)
def test_a_memory_size_without_a_canary_has_the_stricter_mode(mode: Mode, latest_mode: Mode, decision: str) -> None:
    policy = replace(AUTO, mode=mode, memory=replace(AUTO.memory, latest_mode=latest_mode))
    assert verdict_of(memory(alias="$LATEST"), policy)[0] == decision


def test_a_tuner_may_have_a_mode_of_its_own() -> None:
    policy = replace(AUTO, memory=Memory(mode=Mode.APPROVE))
    assert verdict_of(memory(), policy) == ("ask", "mode")
    assert verdict_of(warmups(), policy) == ("automatic", "mode")


@pytest.mark.parametrize(
    ("change", "limits", "rule"),
    [
        (memory(after=512), {"floor_mb": 513}, "memory.floor"),
        (memory(after=2048), {"ceiling_mb": 2047}, "memory.ceiling"),
        (memory(before=1024, after=511), {"headroom": 1.0}, "memory.step"),
        (memory(before=1024, after=2049), {}, "memory.step"),
        (memory(samples=199), {}, "memory.samples"),
        (memory(max_memory_used_mb=600), {}, "memory.headroom"),
        (memory(max_memory_used_mb=0), {}, "memory.headroom"),
        (memory(price_ratio=0.96), {}, "memory.gain"),
        (memory(price_ratio=0.9, duration_ratio=1.09), {"goal": "balanced"}, "memory.gain"),
        (memory(duration_ratio=1.11), {}, "memory.slowdown"),
        (memory(p95_ratio=1.2), {}, "memory.slowdown"),
        (memory(p95_ms=301.0), {"max_p95_ms": 300}, "memory.p95"),
        (memory(), {"max_p95_ms": 300}, "evidence"),
        (memory(samples=...), {}, "evidence"),
        (memory(price_ratio=math.nan), {}, "evidence"),
        (memory(price_ratio="0.8"), {}, "evidence"),
        (memory(max_memory_used_mb=None), {}, "evidence"),
    ],
)
def test_each_memory_rule_refuses_what_it_is_for(change: Change, limits: dict[str, Any], rule: str) -> None:
    assert verdict_of(change, replace(AUTO, memory=Memory(**limits))) == ("refused", rule)


def test_a_function_short_of_memory_may_get_more_at_a_price() -> None:
    assert verdict_of(memory(before=512, after=768, max_memory_used_mb=500, price_ratio=1.3)) == ("automatic", "mode")


@pytest.mark.parametrize(
    ("change", "limits", "rule"),
    [
        (pc(after=6), {}, "provisioned_concurrency.per_function"),
        (pc(usd_month=120.0), {}, "provisioned_concurrency.usd_month"),
        (pc(usd_month=90.0), {"max_usd_day": 2.9}, "provisioned_concurrency.usd_day"),
        (pc(utilisation=0.59), {}, "provisioned_concurrency.utilisation"),
        (pc(), {"account_concurrency_free": 999}, "provisioned_concurrency.account"),
        (pc(reserved_concurrency=1), {}, "provisioned_concurrency.reserved"),
        (pc(usd_month=...), {}, "evidence"),
        (pc(before=1, usd_month_before=...), {}, "evidence"),
        (replace(pc(), after={"environments": 2, "min": 1, "max": 9}), {}, "provisioned_concurrency.per_function"),
    ],
)
def test_each_provisioned_concurrency_rule_blocks_its_case(change: Change, limits: dict[str, Any], rule: str) -> None:
    policy = replace(AUTO, provisioned_concurrency=ProvisionedConcurrency(**limits))
    assert verdict_of(change, policy) == ("refused", rule)


def test_provisioned_concurrency_needs_a_readable_account() -> None:
    assert verdict_of(pc(), account=Account(targets=100)) == ("refused", "provisioned_concurrency.account")


def test_reducing_provisioned_concurrency_is_always_allowed() -> None:
    none = ProvisionedConcurrency(max_per_function=0, max_total=0, max_usd_day=0, max_usd_month=0)
    assert verdict_of(pc(before=4, after=1, utilisation=0.1), replace(AUTO, provisioned_concurrency=none)) == (
        "automatic",
        "mode",
    )


@pytest.mark.parametrize(
    ("change", "limits", "rule"),
    [
        (warmups(most=11), {}, "warmups.per_function"),
        (warmups(usd_day=1.01), {}, "warmups.usd_day"),
        (warmups(usd_day=0.9), {}, "warmups.usd_month"),
        (replace(warmups(), after={"pings": 4, "most_environments": 1}), {}, "evidence"),
    ],
)
def test_each_warm_up_rule_refuses_what_it_is_for(change: Change, limits: dict[str, Any], rule: str) -> None:
    assert verdict_of(change, replace(AUTO, warmups=Warmups(**limits))) == ("refused", rule)


def test_taking_warm_ups_away_is_always_allowed() -> None:
    none = Warmups(max_environments_per_function=0, max_environments_total=0, max_usd_day=0, max_usd_month=0)
    change = warmups(pings=0, most=0, usd_day=0)
    assert verdict_of(change, replace(AUTO, warmups=none)) == ("automatic", "mode")


def test_a_target_is_not_changed_before_its_cool_down_ends() -> None:
    change = memory()
    until = {(change.target, Tuner.MEMORY): NOW + timedelta(seconds=1)}
    assert verdict_of(change, account=replace(ACCOUNT, cool_downs=until)) == ("postponed", "memory.cool_down")
    over = {(change.target, Tuner.MEMORY): NOW, (change.target, Tuner.WARMUPS): NOW + timedelta(days=1)}
    assert verdict_of(change, account=replace(ACCOUNT, cool_downs=over)) == ("automatic", "mode")


@pytest.mark.parametrize(
    ("provisioned", "mode", "pings", "verdict"),
    [
        (pc(), Mode.AUTO, warmups(), "postponed"),
        (pc(before=4, after=1), Mode.AUTO, warmups(), "automatic"),
        (pc(), Mode.APPROVE, warmups(), "automatic"),
        (pc(), Mode.RECOMMEND, warmups(), "automatic"),
        (pc(utilisation=0.1), Mode.AUTO, warmups(), "automatic"),
        (pc(), Mode.AUTO, warmups(pings=0, most=0, usd_day=0), "automatic"),
        (pc("items"), Mode.AUTO, warmups(), "automatic"),
    ],
)
def test_pings_are_planned_after_provisioned_concurrency(
    provisioned: Change, mode: Mode, pings: Change, verdict: str
) -> None:
    """Nobody pays for both in the same hours, and pings wait for nothing that asks people or does not come."""
    policy = replace(AUTO, provisioned_concurrency=ProvisionedConcurrency(mode=mode))
    for plan in ([provisioned, pings], [pings, provisioned]):
        verdicts = {v.change_id: v for v in guardrails.check(plan, policy, ACCOUNT, NOW)}
        assert verdicts[pings.id].verdict.value == verdict


def cold(usd_month: float, avoided: float) -> Effect:
    """Return an effect on the bill and on the cold starts of a month."""
    return Effect(
        usd_month=Interval(usd_month, usd_month, usd_month), cold_starts_month=Interval(-avoided, -avoided, -avoided)
    )


@pytest.mark.parametrize(
    ("usd_provisioned", "avoided", "modes", "verdicts"),
    [
        # 1,000 cold starts are worth 0.30 USD; pings avoid them for 0.05.
        (8.0, 1000, (Mode.AUTO, Mode.AUTO), ("postponed", "automatic")),
        (8.0, 90_000, (Mode.AUTO, Mode.AUTO), ("automatic", "postponed")),
        # Environments that are busy enough are worth their price beside pings.
        (-0.1, 0, (Mode.AUTO, Mode.AUTO), ("automatic", "postponed")),
        # Nothing that is automatic waits for people, who are asked about one of two at a time.
        (8.0, 1000, (Mode.APPROVE, Mode.AUTO), ("postponed", "automatic")),
        (8.0, 90_000, (Mode.APPROVE, Mode.AUTO), ("ask", "automatic")),
        (8.0, 1000, (Mode.AUTO, Mode.APPROVE), ("automatic", "postponed")),
        (8.0, 1000, (Mode.APPROVE, Mode.APPROVE), ("postponed", "ask")),
        (8.0, 90_000, (Mode.APPROVE, Mode.APPROVE), ("ask", "postponed")),
    ],
)
def test_the_way_that_gains_most_comes_first(
    usd_provisioned: float, avoided: float, modes: tuple[Mode, Mode], verdicts: tuple[str, str]
) -> None:
    policy = replace(
        AUTO, provisioned_concurrency=ProvisionedConcurrency(mode=modes[0]), warmups=Warmups(mode=modes[1])
    )
    provisioned = replace(pc(), effect=cold(usd_provisioned, avoided))
    pings = replace(warmups(), effect=cold(0.05, 1000))
    for plan in ([provisioned, pings], [pings, provisioned]):
        found = {v.change_id: v.verdict.value for v in guardrails.check(plan, policy, ACCOUNT, NOW)}
        assert (found[provisioned.id], found[pings.id]) == verdicts


OFFICE_HOURS = replace(pc(), after={"environments": 2, "timetable": {"entries": [{"at": "08:00"}]}})


def rejected(change: Change) -> Rejection:
    earlier = replace(change, run_id="run-0")
    return Rejection(earlier, NOW - timedelta(days=2), NOW + timedelta(days=88), "Rejected by on-call: not now.")


@pytest.mark.parametrize(
    ("earlier", "change", "covers"),
    [
        (memory(), memory(), True),
        (memory(after=640), memory(), False),
        (memory(), replace(memory(), effect=usd(-4.4)), True),
        (memory(), replace(memory(), effect=usd(-4.6)), False),
        (memory(), replace(memory(), effect=Effect()), True),
        (pc(), pc(), True),
        (pc(after=3), pc(), False),
        (pc(), OFFICE_HOURS, False),
        (
            replace(OFFICE_HOURS, after={"environments": 2, "timetable": {"entries": [{"at": "07:00"}]}}),
            OFFICE_HOURS,
            True,
        ),
        (warmups(), warmups(pings=12, most=1), True),
        (warmups(), replace(warmups(), effect=Effect(cold_starts_month=Interval(-200, -300, -100))), False),
    ],
)
def test_a_rejection_covers_the_same_proposal(earlier: Change, change: Change, covers: bool) -> None:
    assert rejected(earlier).covers(change) is covers


@pytest.mark.parametrize(
    ("mode", "verdict"),
    [(Mode.APPROVE, "postponed"), (Mode.AUTO, "automatic"), (Mode.RECOMMEND, "recommended")],
)
def test_a_rejected_change_is_not_asked_for_again(mode: Mode, verdict: str) -> None:
    change = memory()
    account = replace(ACCOUNT, rejections={change.id: rejected(change)})
    (found,) = guardrails.check([change], replace(AUTO, mode=mode), account, NOW)
    assert found.verdict.value == verdict
    if mode is Mode.APPROVE:
        assert (found.rule, found.message) == (
            "approvals.rejected",
            "On 2026-11-02: Rejected by on-call: not now. People are asked again after 2027-01-31, or when other "
            "values or a much larger effect are proposed.",
        )


def test_nothing_waits_for_a_change_that_was_rejected() -> None:
    """Both need approval, and the better one was rejected: the other one is asked for."""
    both = [replace(memory(), effect=usd(-90)), replace(pc(), effect=usd(-9))]
    asked = replace(AUTO, mode=Mode.APPROVE)
    assert [v.verdict.value for v in guardrails.check(both, asked, ACCOUNT, NOW)] == ["ask", "postponed"]
    account = replace(ACCOUNT, rejections={both[0].id: rejected(both[0])})
    assert [v.verdict.value for v in guardrails.check(both, asked, account, NOW)] == ["postponed", "ask"]


@pytest.mark.parametrize("watched", [Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY])
def test_a_function_under_observation_is_not_changed(watched: Tuner) -> None:
    """Another run came while the effect of a change is still measured; warm-ups do not disturb it."""
    earlier = replace(memory() if watched is Tuner.MEMORY else pc(before=5), run_id="run-0")
    stored = StoredChange(earlier, Status.WATCHING, {}, "", "", "", {"applying": NOW - timedelta(hours=2)})
    account = replace(ACCOUNT, observed={(earlier.target, watched): stored})
    verdicts = guardrails.check([memory(), pc(), warmups(), memory("items")], AUTO, account, NOW)
    assert [verdict.verdict.value for verdict in verdicts] == ["postponed", "postponed", "automatic", "automatic"]
    values = "memory 1024 to 768 MB" if watched is Tuner.MEMORY else "provisioned concurrency 5 to 2 environments"
    for verdict in verdicts[:2]:
        assert verdict.rule == f"{watched.value}.observation"
        assert verdict.message == (
            f"A change is under observation since 2026-11-04 10:00 UTC: {values} ({earlier.id}). "
            "This is decided again afterwards."
        )


@pytest.mark.parametrize(
    ("zone", "now", "windows", "open_"),
    [
        ("UTC", "2026-11-04T12:00+00:00", [], True),
        ("UTC", "2026-11-04T12:00+00:00", [RunWindow(start="12:00", until="13:00")], True),
        ("UTC", "2026-11-04T13:00+00:00", [RunWindow(start="12:00", until="13:00")], False),
        ("UTC", "2026-11-04T23:59+00:00", [RunWindow()], True),
        ("UTC", "2026-11-04T12:00+00:00", [RunWindow(days=("mon", "tue"))], False),
        # Past midnight: the window belongs to the day on which it starts.
        ("UTC", "2026-11-05T01:00+00:00", [RunWindow(days=("wed",), start="22:00", until="02:00")], True),
        ("UTC", "2026-11-04T01:00+00:00", [RunWindow(days=("wed",), start="22:00", until="02:00")], False),
        ("UTC", "2026-11-05T02:00+00:00", [RunWindow(days=("wed",), start="22:00", until="02:00")], False),
        # In Berlin it is an hour later in winter and two in summer; the window keeps its local hours.
        ("Europe/Berlin", "2026-11-04T21:30+00:00", [RunWindow(start="22:00", until="23:00")], True),
        ("Europe/Berlin", "2026-07-01T20:30+00:00", [RunWindow(start="22:00", until="23:00")], True),
        ("Europe/Berlin", "2026-07-01T21:30+00:00", [RunWindow(start="22:00", until="23:00")], False),
        # The night the clock goes back shows 02:30 twice: the window is open both times.
        ("Europe/Berlin", "2026-10-25T00:30+00:00", [RunWindow(start="02:00", until="03:00")], True),
        ("Europe/Berlin", "2026-10-25T01:30+00:00", [RunWindow(start="02:00", until="03:00")], True),
        ("Europe/Berlin", "2026-10-25T02:30+00:00", [RunWindow(start="02:00", until="03:00")], False),
        # The night it goes forward has no 02:30: that window does not open.
        ("Europe/Berlin", "2026-03-29T01:00+00:00", [RunWindow(start="02:00", until="03:00")], False),
    ],
)
def test_changes_start_in_windows_only(zone: str, now: str, windows: list[RunWindow], open_: bool) -> None:
    policy = replace(AUTO, time_zone=zone, run=replace(AUTO.run, windows=tuple(windows)))
    refusal = guardrails.recheck(memory(), memory_rules.MemoryState(1024), policy, datetime.fromisoformat(now))
    assert (refusal is None) is open_
    assert refusal is None or refusal.rule == "run.window"
    # Outside a window a change is not refused: it waits.
    (verdict,) = guardrails.check([memory()], policy, ACCOUNT, datetime.fromisoformat(now))
    assert (verdict.verdict, verdict.rule) == (Decision.AUTOMATIC, "mode")
    assert ("Its window opens at" in verdict.message) is not open_
    wait = guardrails.wait_for_window(policy, memory(), datetime.fromisoformat(now))
    assert (wait is None) is open_


@pytest.mark.parametrize(
    ("zone", "now", "windows", "opens"),
    [
        ("UTC", "2026-11-04T13:00Z", [RunWindow(start="12:00", until="13:00")], "2026-11-05T12:00Z"),
        ("UTC", "2026-11-04T12:00Z", [RunWindow(days=("mon", "tue"))], "2026-11-09T00:00Z"),
        ("UTC", "2026-11-05T02:00Z", [RunWindow(("wed",), "22:00", "02:00")], "2026-11-11T22:00Z"),
        ("Europe/Berlin", "2026-07-01T21:30Z", [RunWindow(start="22:00", until="23:00")], "2026-07-02T20:00Z"),
        # The clock goes back on 25 October: the same local hour is an hour later.
        ("Europe/Berlin", "2026-10-24T21:30Z", [RunWindow(start="22:00", until="23:00")], "2026-10-25T21:00Z"),
        # The night it goes forward has no 02:30, so the window opens in the next one.
        ("Europe/Berlin", "2026-03-29T00:30Z", [RunWindow(start="02:00", until="03:00")], "2026-03-30T00:00Z"),
        ("UTC", "2026-11-04T12:00Z", [RunWindow(until="04:00"), RunWindow(start="20:00")], "2026-11-04T20:00Z"),
    ],
)  # fmt: skip
def test_a_change_waits_until_the_next_window_opens(zone: str, now: str, windows: list[RunWindow], opens: str) -> None:
    policy = replace(AUTO, time_zone=zone, run=replace(AUTO.run, windows=tuple(windows)))
    wait = guardrails.wait_for_window(policy, memory(), datetime.fromisoformat(now))
    assert wait is not None
    assert wait.until == datetime.fromisoformat(opens)
    assert guardrails.recheck(memory(), memory_rules.MemoryState(1024), policy, wait.until) is None


WINDOWS = st.builds(
    RunWindow,
    days=st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), min_size=1).map(sorted).map(tuple),
    start=st.integers(0, 23).map(lambda hour: f"{hour:02d}:00"),
    until=st.integers(1, 24).map(lambda hour: f"{hour:02d}:00"),
)


@settings(max_examples=examples(150), deadline=None)
@given(
    st.lists(WINDOWS, min_size=1, max_size=3),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]),
    st.integers(0, 366 * 24),
)
def test_a_window_opens_at_the_first_open_moment(windows: list[RunWindow], zone: str, hour: int) -> None:
    """Every quarter of an hour before it is closed."""
    policy = replace(AUTO, time_zone=zone, run=replace(AUTO.run, windows=tuple(windows)))
    now = NOW + timedelta(hours=hour)
    opens = calendar.opens_at(policy, now, Tuner.MEMORY)
    assert opens is not None
    assert calendar.closed(policy, opens, Tuner.MEMORY) is None
    quarters = round((opens - now) / timedelta(minutes=15))
    assert all(
        calendar.closed(policy, now + timedelta(minutes=15) * number, Tuner.MEMORY) for number in range(quarters)
    )


def test_windows_within_a_freeze_do_not_count() -> None:
    windows = (RunWindow(start="20:00", until="22:00"),)
    frozen = replace(AUTO, run=replace(AUTO.run, windows=windows, freezes=(Freeze(NOW.date(), NOW.date()),)))
    assert guardrails.wait_for_window(frozen, memory(), NOW) is None
    (verdict,) = guardrails.check([memory()], frozen, ACCOUNT, NOW)
    assert (verdict.verdict, verdict.rule) == (Decision.POSTPONED, "run.freeze")
    tomorrow = replace(frozen, run=replace(frozen.run, freezes=(Freeze(date(2026, 11, 5), date(2026, 11, 6)),)))
    wait = guardrails.wait_for_window(tomorrow, memory(), NOW + timedelta(hours=11))
    assert wait is not None
    assert wait.until == datetime(2026, 11, 7, 20, tzinfo=UTC)


@pytest.mark.parametrize(("last", "waits"), [("2026-11-04T13:00:00+00:00", False), ("2026-11-04T21:00:00+00:00", True)])
def test_a_plan_of_pings_does_not_wait_beyond_its_last_ping(last: str, waits: bool) -> None:
    """Whatever waits holds up the next plan, which comes a few hours later."""
    policy = replace(
        AUTO, run=replace(AUTO.run, windows=(RunWindow(start="20:00", until="22:00", tuners=("warmups",)),))
    )
    plan = replace(warmups(), after={**warmups().after, "until": last})
    (verdict,) = guardrails.check([plan], policy, ACCOUNT, NOW)
    assert verdict.verdict is (Decision.AUTOMATIC if waits else Decision.POSTPONED)
    assert verdict.rule == ("mode" if waits else "run.window")


@pytest.mark.parametrize("mode", [Mode.AUTO, Mode.APPROVE])
def test_a_proposal_that_waits_takes_no_place_of_a_run(mode: Mode) -> None:
    """Otherwise requests that nobody responds to would keep a run from everything else."""
    policy = replace(AUTO, mode=mode, run=replace(AUTO.run, max_changes=1))
    better, other = replace(memory("better"), effect=usd(-9)), replace(memory("other"), effect=usd(-1))
    waits = {better.id: Refusal("approval.open", "Waiting for approval since yesterday.")}
    account = replace(ACCOUNT, asked=waits) if mode is Mode.APPROVE else replace(ACCOUNT, waiting=waits)
    verdicts = {v.change_id: v for v in guardrails.check([better, other], policy, account, NOW)}
    assert (verdicts[better.id].verdict, verdicts[better.id].rule) == (Decision.POSTPONED, "approval.open")
    assert verdicts[other.id].verdict is (Decision.ASK if mode is Mode.APPROVE else Decision.AUTOMATIC)


def test_a_proposal_that_waits_keeps_its_part_of_the_totals() -> None:
    """It may still be applied."""
    policy = replace(AUTO, provisioned_concurrency=ProvisionedConcurrency(max_total=3))
    account = replace(ACCOUNT, waiting={pc("a").id: Refusal("run.window", "waits")})
    verdicts = {v.change_id: v for v in guardrails.check([pc("a"), pc("b")], policy, account, NOW)}
    assert verdicts[pc("a").id].verdict is Decision.POSTPONED
    assert verdicts[pc("b").id].rule == "provisioned_concurrency.total"


def test_what_is_automatic_does_not_wait_for_people() -> None:
    account = replace(ACCOUNT, asked={memory().id: Refusal("approval.open", "Waiting for approval since yesterday.")})
    assert verdict_of(memory(), AUTO, account) == ("automatic", "mode")


@pytest.mark.parametrize(
    ("now", "frozen"),
    [
        ("2026-12-19T22:59+00:00", False),
        ("2026-12-19T23:00+00:00", True),
        ("2027-01-02T22:59+00:00", True),
        ("2027-01-02T23:00+00:00", False),
    ],
)
def test_a_freeze_covers_its_first_and_last_local_day(now: str, frozen: bool) -> None:
    freeze = Freeze(date(2026, 12, 20), date(2027, 1, 2), "year end")
    policy = replace(AUTO, time_zone="Europe/Berlin", run=replace(AUTO.run, freezes=(freeze,)))
    (verdict,) = guardrails.check([memory()], policy, ACCOUNT, datetime.fromisoformat(now))
    assert (verdict.rule == "run.freeze") is frozen


@pytest.mark.parametrize(
    ("tuners", "stopped"),
    [
        # The busiest days of a shop are frozen, and must not run cold.
        ((), {Tuner.MEMORY}),
        (("memory",), {Tuner.MEMORY}),
        (("warmups",), {Tuner.WARMUPS}),
        (("memory", "warmups"), {Tuner.MEMORY, Tuner.WARMUPS}),
        (("indexes",), set()),
    ],
)
@pytest.mark.parametrize("kind", ["freezes", "windows"])
def test_freezes_and_windows_hold_for_the_tuners_they_name(
    kind: str, tuners: tuple[str, ...], stopped: set[Tuner]
) -> None:
    closed: Any = (
        Freeze(NOW.date(), NOW.date(), tuners=tuners)
        if kind == "freezes"
        else RunWindow(start="13:00", until="14:00", tuners=tuners)
    )
    policy = replace(AUTO, run=replace(AUTO.run, **{kind: (closed,)}))
    live = {Tuner.MEMORY: memory_rules.MemoryState(1024), Tuner.WARMUPS: warmup_rules.WarmupState(0)}
    changes = [memory("a"), warmups("b")]
    verdicts = guardrails.check(changes, policy, ACCOUNT, NOW)
    held = {
        change.tuner
        for change, one in zip(changes, verdicts, strict=True)
        if one.rule == "run.freeze" or "Its window opens at Wed 2026-11-04 13:00" in one.message
    }
    assert held == stopped
    assert {one.tuner for one in changes if guardrails.recheck(one, live[one.tuner], policy, NOW)} == stopped


def test_a_window_of_another_tuner_leaves_every_hour_open() -> None:
    policy = replace(
        AUTO, run=replace(AUTO.run, windows=(RunWindow(start="13:00", until="14:00", tuners=("indexes",)),))
    )
    assert verdict_of(memory(), policy) == ("automatic", "mode")


def test_a_recommendation_ignores_freezes_and_uses_no_budget() -> None:
    run = RunLimits(max_changes=1, max_changes_share=1, freezes=(Freeze(NOW.date(), NOW.date()),))
    policy = Policy(run=run)
    verdicts = guardrails.check([memory("a"), memory("b")], policy, ACCOUNT, NOW)
    assert [verdict.verdict for verdict in verdicts] == [Decision.RECOMMENDED] * 2


def test_the_best_changes_come_first_if_the_number_is_limited() -> None:
    saves_little = replace(memory("little"), effect=usd(-1))
    saves_much = replace(memory("much"), effect=usd(-9))
    policy = replace(AUTO, run=replace(AUTO.run, max_changes=1))
    verdicts = {v.change_id: v for v in guardrails.check([saves_little, saves_much], policy, ACCOUNT, NOW)}
    assert verdicts[saves_much.id].verdict is Decision.AUTOMATIC
    assert verdicts[saves_little.id].rule == "run.max_changes"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            memory(before=1024, after=512, max_memory_used_mb=480),
            "512 MB is below the required 624 MB (1.3 x the peak usage of 480 MB).",
        ),
        (memory(after=64, before=128), "64 MB is below memory.floor_mb (128 MB)."),
        (
            memory(before=128, after=512),
            "128 to 512 MB is more than the factor of 2 that memory.max_step_ratio allows.",
        ),
        (memory(price_ratio=0.98), "It would save 2.0% of the price; memory.min_gain requires 5.0%."),
        (memory(duration_ratio=1.25), "Calls would take 25.0% longer; memory.max_slowdown allows 10.0%."),
        (pc(after=8), "It would have 8 environments; provisioned_concurrency.max_per_function allows 5."),
        (
            warmups(usd_day=1.2),
            "Warm-ups would cost 1.2000 USD a day; warmups.max_usd_day allows 1.0000 USD.",
        ),
        (
            memory(samples=...),
            "The proposal cannot be checked: the guardrails need the number samples; the proposal has None.",
        ),
    ],
)
def test_a_message_gives_the_fact_and_the_limit(change: Change, message: str) -> None:
    (verdict,) = guardrails.check([change], AUTO, ACCOUNT, NOW)
    assert verdict.message == message


def test_a_change_beyond_the_limit_is_told_what_comes_first() -> None:
    policy = replace(AUTO, run=replace(AUTO.run, max_changes=2))
    proposals = [replace(memory(f"f{n}"), effect=usd(n - 9)) for n in range(3)]
    assert [verdict.message for verdict in guardrails.check(proposals, policy, ACCOUNT, NOW)] == [
        "All guardrails pass; the policy applies it automatically.",
        "All guardrails pass; the policy applies it automatically.",
        "Blocked: run.max_changes allows 2 changes; 2 with a higher benefit come first.",
    ]


@pytest.mark.parametrize(("targets", "allowed"), [(1, 1), (3, 1), (4, 1), (7, 1), (8, 2), (0, 0)])
def test_a_run_changes_at_most_its_share_of_functions(targets: int, allowed: int) -> None:
    policy = replace(AUTO, run=replace(AUTO.run, max_changes_share=0.25))
    proposals = [memory(f"f{n}") for n in range(5)]
    verdicts = guardrails.check(proposals, policy, replace(ACCOUNT, targets=targets), NOW)
    assert sum(verdict.verdict is Decision.AUTOMATIC for verdict in verdicts) == allowed
    none = replace(AUTO, run=replace(AUTO.run, max_changes_share=0.0))
    assert not acting(proposals, none, replace(ACCOUNT, targets=targets))


def test_a_share_of_functions_counts_functions() -> None:
    """Two changes of one function are one function."""
    account = replace(ACCOUNT, targets=1)
    assert len(acting([memory(), warmups()], AUTO, account)) == 2
    half = replace(AUTO, run=replace(AUTO.run, max_changes_share=0.5))
    plan = [memory("a"), replace(warmups("a"), effect=usd(-9)), memory("b")]
    assert {change.target for change in acting(plan, half, account)} == {arn("a")}


def test_tuners_take_turns_for_the_places_of_a_run() -> None:
    """Changes without a price in dollars would never get a place beside those that have one."""
    policy = replace(AUTO, run=replace(AUTO.run, max_changes=5))
    plan = [*(replace(memory(f"m{n}"), effect=usd(n - 9)) for n in range(6)), warmups("w0"), warmups("w1")]
    made = acting(plan, policy, ACCOUNT)
    assert [change.target for change in made] == [arn(name) for name in ("m0", "m1", "m2", "w0", "w1")]
    (last,) = (v.message for v in guardrails.check(plan, policy, ACCOUNT, NOW) if v.change_id == plan[5].id)
    assert last == "Blocked: run.max_changes allows 5 changes; 5 of all tuners in turn come first."


def pings_of(name: str, cold_starts: float, usd_month: float, *, schedules: int = 0) -> Change:
    effect = Effect(
        cold_starts_month=Interval(-cold_starts, -cold_starts, -cold_starts),
        usd_month=Interval(usd_month, usd_month, usd_month),
    )
    return replace(warmups(name), before={"schedules": schedules}, effect=effect)


def admitted(changes: list[Change], policy: Policy, account: Account = ACCOUNT) -> list[str]:
    verdicts = guardrails.check(changes, policy, account, NOW)
    acting = [c for c, one in zip(changes, verdicts, strict=True) if one.verdict is Decision.AUTOMATIC]
    return [change.target.rpartition(":")[2] for change in acting]


def test_pings_that_avoid_most_for_a_dollar_get_the_places() -> None:
    """The cheapest plan is seldom the best."""
    plans = [pings_of("cheap", 30, 0.1), pings_of("best", 2000, 1.0), pings_of("dear", 2500, 10.0)]
    policy = replace(AUTO, run=RunLimits(max_changes=1, max_changes_share=1.0))
    assert admitted(plans, policy) == ["best"]
    assert admitted(plans, replace(policy, run=replace(policy.run, max_changes=2))) == ["cheap", "best"]


def test_renewed_pings_take_no_place_of_a_run() -> None:
    """So a fleet that is larger than the places of a run is served after some runs."""
    renewed = [pings_of(f"old{n}", 900, 0.5, schedules=40) for n in range(6)]
    fresh = [pings_of(f"new{n}", 100 + n, 0.5) for n in range(4)]
    policy = replace(AUTO, run=RunLimits(max_changes=2, max_changes_share=0.2))
    account = replace(ACCOUNT, targets=10)
    assert admitted([*renewed, *fresh], policy, account) == [*(f"old{n}" for n in range(6)), "new2", "new3"]
    assert admitted([*renewed, memory("m")], policy, account) == [*(f"old{n}" for n in range(6)), "m"]
    assert admitted(renewed, replace(policy, run=RunLimits(max_changes=0, max_changes_share=1.0)), account) == []


def test_functions_without_pings_take_turns() -> None:
    """One that had a place lately and still has no pings waits for those that had none."""
    plans = [pings_of("a", 900, 0.5), pings_of("b", 500, 0.5), pings_of("c", 100, 0.5)]
    policy = replace(AUTO, run=RunLimits(max_changes=1, max_changes_share=1.0))
    turns: dict[str, datetime] = {}
    order = []
    for number in range(6):
        (name,) = admitted(plans, policy, replace(ACCOUNT, turns=turns))
        turns[arn(name)] = NOW + timedelta(hours=6 * number)
        order.append(name)
    assert order == ["a", "b", "c", "a", "b", "c"]


@pytest.mark.parametrize(
    ("unreserved", "reserved", "wanted"),
    [
        (105, None, ["a", "b"]),
        (103, None, ["a"]),
        (10, None, []),
        (10, 50, ["a", "b"]),
        (None, None, []),
        (None, 50, ["a", "b"]),
    ],
)
def test_pings_leave_the_account_its_free_concurrency(
    unreserved: int | None, reserved: int | None, wanted: list[str]
) -> None:
    """All pings may come in one minute. A function with a reservation takes its own."""
    evidence = {} if reserved is None else {"reserved_concurrency": reserved}
    plans = [replace(pings_of(name, worth, 0.1), evidence=evidence) for name, worth in (("a", 200), ("b", 100))]
    account = replace(ACCOUNT, unreserved_concurrency=unreserved)
    verdicts = guardrails.check(plans, AUTO, account, NOW)
    assert [n for n, v in zip(("a", "b"), verdicts, strict=True) if v.verdict is Decision.AUTOMATIC] == wanted
    assert {v.rule for v in verdicts if v.verdict is Decision.REFUSED} <= {"warmups.account"}


def test_an_index_that_frees_more_comes_first() -> None:
    """Changes of indexes have no effect in dollars."""
    freed = {"t1": {"saves_bytes": 2 << 30}, "t2": {"saves_bytes": 6 << 30}, "t3": {}}
    changes = [
        replace(
            memory(), tuner=Tuner.INDEXES, action="rebuild", target=f"shop/public.{name}.i", effect=Effect(), evidence=e
        )
        for name, e in freed.items()
    ]
    assert [change.target for change in best_first(changes)] == [f"shop/public.{name}.i" for name in ("t2", "t1", "t3")]


def test_a_function_gets_one_configuration_change_in_a_run() -> None:
    """Warm-ups may change beside it."""
    verdicts = guardrails.check([memory(), pc(), warmups()], AUTO, ACCOUNT, NOW)
    assert [verdict.rule for verdict in verdicts] == ["mode", "run.one_configuration_change", "mode"]
    assert verdicts[1].verdict is Decision.POSTPONED
    assert "its memory first" in verdicts[1].message


def test_totals_count_what_other_functions_hold() -> None:
    policy = replace(AUTO, provisioned_concurrency=ProvisionedConcurrency(max_total=5))
    account = replace(ACCOUNT, held={arn("other"): Held(environments=4, usd_month=1)})
    assert verdict_of(pc(), policy, account) == ("refused", "provisioned_concurrency.total")


def test_nothing_is_added_to_an_unknown_total() -> None:
    unknown = pc("other", before=4, after=1, usd_month_before=...)
    verdicts = guardrails.check([pc(), unknown], AUTO, ACCOUNT, NOW)
    assert [verdict.rule for verdict in verdicts] == ["evidence", "evidence"]
    account = replace(ACCOUNT, held={arn("other"): Held(environments=4, usd_month=None)})
    assert verdict_of(pc(), AUTO, account) == ("refused", "evidence")


def test_a_reduction_is_not_spent_again_in_the_same_run() -> None:
    policy = replace(AUTO, provisioned_concurrency=ProvisionedConcurrency(max_total=4))
    verdicts = guardrails.check([pc("a", before=4, after=1), pc("b", after=2)], policy, ACCOUNT, NOW)
    assert [verdict.rule for verdict in verdicts] == ["mode", "provisioned_concurrency.total"]


def test_all_changes_together_leave_the_free_concurrency() -> None:
    account = replace(ACCOUNT, unreserved_concurrency=105)
    verdicts = guardrails.check([pc("a", after=3), pc("b", after=3)], AUTO, account, NOW)
    assert sorted(verdict.rule for verdict in verdicts) == ["mode", "provisioned_concurrency.account"]


def test_the_acting_lambda_applies_the_rules_to_the_live_state() -> None:
    change = memory(before=1024, after=768)
    assert guardrails.recheck(change, memory_rules.MemoryState(1024), AUTO, NOW) is None
    refusal = guardrails.recheck(change, memory_rules.MemoryState(3008), AUTO, NOW)
    assert refusal is not None
    assert refusal.rule == "memory.step"
    live = pc_rules.ProvisionedState(environments=0, account_unreserved=150, allocated_elsewhere=49)
    assert getattr(guardrails.recheck(pc(), live, AUTO, NOW), "rule", "") == "provisioned_concurrency.account"
    assert guardrails.recheck(warmups(), warmup_rules.WarmupState(0), AUTO, NOW) is None


def test_an_approved_change_does_not_start_in_a_freeze() -> None:
    policy = replace(AUTO, run=replace(AUTO.run, freezes=(Freeze(NOW.date(), NOW.date()),)))
    refusal = guardrails.recheck(memory(), memory_rules.MemoryState(1024), policy, NOW)
    assert refusal is not None
    assert refusal.rule == "run.freeze"


AMOUNT = st.floats(0, 60) | st.sampled_from([0.0, 1.0])
COUNT = st.integers(0, 12)
RATIO = st.floats(0, 2)
SIZE = st.sampled_from([128, 256, 512, 768, 1024, 2048])
NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy(
        mode=draw(st.sampled_from(list(Mode))),
        memory=Memory(
            floor_mb=draw(SIZE),
            ceiling_mb=draw(SIZE | st.just(0)),
            max_step_ratio=draw(st.floats(0, 4)),
            headroom=draw(st.floats(1, 3)),
            min_gain=draw(st.floats(0, 0.5)),
            max_slowdown=draw(RATIO),
            min_invocations=draw(st.integers(0, 1000)),
            max_p95_ms=draw(st.none() | st.floats(0, 100)),
            goal=draw(st.sampled_from(["cost", "cost_guarded", "balanced"])),
        ),
        provisioned_concurrency=ProvisionedConcurrency(
            max_per_function=draw(COUNT),
            max_total=draw(COUNT),
            max_usd_day=draw(AMOUNT),
            max_usd_month=draw(AMOUNT),
            account_concurrency_free=draw(st.integers(0, 120)),
            min_utilisation=draw(st.floats(0, 1)),
        ),
        warmups=Warmups(
            max_environments_per_function=draw(COUNT),
            max_environments_total=draw(COUNT),
            max_usd_day=draw(AMOUNT),
            max_usd_month=draw(AMOUNT),
        ),
        run=RunLimits(max_changes=draw(st.integers(0, 5)), max_changes_share=draw(st.floats(0, 1))),
    )


@st.composite
def proposals(draw: st.DrawFn) -> Change:
    name, effect = draw(NAMES), usd(draw(st.floats(-20, 20)))
    kind = draw(st.sampled_from(["memory", "pc", "warmups"]))
    if kind == "memory":
        change = memory(
            name,
            before=draw(SIZE),
            after=draw(SIZE),
            max_memory_used_mb=draw(st.integers(0, 2048)),
            samples=draw(st.integers(0, 2000)),
            price_ratio=draw(RATIO),
            duration_ratio=draw(RATIO),
            p95_ms=draw(st.floats(0, 150)),
        )
    elif kind == "pc":
        change = pc(name, before=draw(COUNT), after=draw(COUNT), utilisation=draw(st.floats(0, 1)))
    else:
        change = warmups(name, pings=draw(COUNT), most=draw(COUNT), usd_day=draw(AMOUNT))
    return replace(change, effect=effect)


PLANS = st.lists(proposals(), max_size=10, unique_by=lambda change: change.id)
RESTING = st.sets(st.tuples(NAMES, st.sampled_from([Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY, Tuner.WARMUPS])))


@settings(max_examples=examples(400), deadline=None)
@given(PLANS, policies(), st.tuples(*(st.sampled_from(list(Mode)) for _ in range(3))), RESTING)
def test_no_change_waits_for_one_that_does_not_come(
    plan: list[Change], policy: Policy, modes: tuple[Mode, ...], resting: set[tuple[str, Tuner]]
) -> None:
    """A change is postponed while its target rests, or behind another one of its function that this run applies; what
    is automatic never behind what asks people. Waiting is never told as a guardrail that was hit."""
    memory_mode, provisioned_mode, warmup_mode = modes
    policy = replace(
        policy,
        memory=replace(policy.memory, mode=memory_mode),
        provisioned_concurrency=replace(policy.provisioned_concurrency, mode=provisioned_mode),
        warmups=replace(policy.warmups, mode=warmup_mode),
    )
    cool_downs = {(arn(name), tuner): NOW + timedelta(days=2) for name, tuner in resting}
    account = Account(targets=6, unreserved_concurrency=200, cool_downs=cool_downs)
    verdicts = {verdict.change_id: verdict for verdict in guardrails.check(plan, policy, account, NOW)}
    found = {(change.target, change.tuner): verdicts[change.id].verdict for change in plan}
    for change in plan:
        verdict = verdicts[change.id]
        rests = (change.target, change.tuner) in cool_downs
        assert (verdict.rule == f"{change.tuner.value}.cool_down") is rests
        if verdict.verdict is not Decision.POSTPONED:
            assert verdict.rule != "run.one_configuration_change"
            assert not rests
        elif verdict.rule == "run.one_configuration_change":
            (other,) = CONFIGURATION - {change.tuner}
            first = found[change.target, other]
            assert first is Decision.AUTOMATIC or (
                first is Decision.ASK and policy.mode_of(change.tuner) is Mode.APPROVE
            )
        elif not rests:
            rule = "warmups.provisioned" if change.tuner is Tuner.WARMUPS else "provisioned_concurrency.warmups"
            assert verdict.rule == rule
            (other,) = {Tuner.WARMUPS, Tuner.PROVISIONED_CONCURRENCY} - {change.tuner}
            first = found[change.target, other]
            assert first is Decision.AUTOMATIC or (
                first is Decision.ASK and policy.mode_of(change.tuner) is Mode.APPROVE
            )


def acting(plan: list[Change], policy: Policy, account: Account) -> list[Change]:
    verdicts = guardrails.check(plan, policy, account, NOW)
    assert [verdict.change_id for verdict in verdicts] == [change.id for change in plan]
    by_id = {verdict.change_id: verdict.verdict for verdict in verdicts}
    return [change for change in plan if by_id[change.id] in (Decision.AUTOMATIC, Decision.ASK)]


@settings(max_examples=examples(200), deadline=None)
@given(
    st.tuples(st.floats(-20, 20), st.integers(0, 100_000), st.booleans()),
    st.tuples(st.floats(0, 20), st.integers(0, 100_000), st.booleans()),
    st.lists(st.sampled_from(list(Mode)), min_size=2, max_size=2),
    st.booleans(),
)
def test_an_alias_gets_pings_or_provisioned_in_one_run(
    provisioned: tuple[float, int, bool], pings: tuple[float, int, bool], modes: list[Mode], swapped: bool
) -> None:
    """Of two that would be done alike, the run does one; people are asked beside automatic pings only about more."""
    policy = replace(
        AUTO, provisioned_concurrency=ProvisionedConcurrency(mode=modes[0]), warmups=Warmups(mode=modes[1])
    )
    held = replace(pc(), effect=cold(*provisioned[:2]) if provisioned[2] else Effect())
    pinged = replace(warmups(), effect=cold(*pings[:2]) if pings[2] else Effect())
    plan = [pinged, held] if swapped else [held, pinged]
    found = {v.change_id: v.verdict for v in guardrails.check(plan, policy, ACCOUNT, NOW)}
    both = {found[held.id], found[pinged.id]}
    assert both != {Decision.AUTOMATIC}
    assert both != {Decision.ASK}
    if found[held.id] is Decision.ASK and found[pinged.id] is Decision.AUTOMATIC and provisioned[2] and pings[2]:
        gain, gain_of_pings = (3e-4 * avoided - usd for usd, avoided, _ in (provisioned, pings))
        assert provisioned[0] <= 0 or gain_of_pings <= 0 or gain >= gain_of_pings
    # One of the two comes where any may.
    if Mode.RECOMMEND not in modes:
        assert both & {Decision.AUTOMATIC, Decision.ASK}


@settings(max_examples=examples(400), deadline=None)
@given(PLANS, policies(), st.integers(0, 12), st.integers(0, 200))
def test_what_acts_never_passes_a_guardrail(plan: list[Change], policy: Policy, targets: int, unreserved: int) -> None:
    made = acting(plan, policy, Account(targets=targets, unreserved_concurrency=unreserved))
    # Renewed and removed pings change nothing of a function, and take no place.
    placed = [change for change in made if change.tuner is not Tuner.WARMUPS or is_new_plan(change)]
    assert len(placed) <= policy.run.max_changes
    assert not made or policy.run.max_changes > 0
    functions = {change.target for change in placed}
    assert len(functions) <= functions_allowed(policy.run.max_changes_share, targets) <= targets
    assert not made or policy.run.max_changes_share > 0
    configured = [change.target for change in made if change.tuner is not Tuner.WARMUPS]
    assert len(configured) == len(set(configured))
    for change in made:
        if change.tuner is Tuner.MEMORY:
            size, before = change.after["memory_mb"], change.before["memory_mb"]
            assert policy.memory.floor_mb <= size <= policy.memory.ceiling_mb
            assert size >= change.evidence["max_memory_used_mb"] * policy.memory.headroom
            assert max(size / before, before / size) <= policy.memory.max_step_ratio
            assert change.evidence["duration_ratio"] <= policy.memory.max_slowdown
            assert change.evidence["samples"] >= policy.memory.min_invocations
            if policy.memory.max_p95_ms is not None:
                assert change.evidence["p95_ms"] <= policy.memory.max_p95_ms
            short = before < change.evidence["max_memory_used_mb"] * policy.memory.headroom
            price, slower = change.evidence["price_ratio"], change.evidence["duration_ratio"]
            gain = 1 - price * (slower if policy.memory.goal == "balanced" else 1)
            assert gain >= policy.memory.min_gain or (short and size > before)
    limits = policy.provisioned_concurrency
    changed = {change.id for change in made}
    grown = [
        c
        for c in made
        if c.tuner is Tuner.PROVISIONED_CONCURRENCY and c.after["environments"] > c.before["environments"]
    ]
    if grown:
        # The worst that can come: every growth is made, every other change is not.
        known = [change for change in plan if change.tuner is Tuner.PROVISIONED_CONCURRENCY]
        most = sum(max(c.before["environments"], c.after["environments"] if c.id in changed else 0) for c in known)
        cost = sum(
            max(c.evidence["usd_month_before"], c.evidence["usd_month"] if c.id in changed else 0) for c in known
        )
        assert all(change.after["environments"] <= limits.max_per_function for change in grown)
        assert all(change.evidence["utilisation"] >= limits.min_utilisation for change in grown)
        assert most <= limits.max_total
        assert cost <= limits.max_usd_month + 1e-9
        assert cost * 12 / 365 <= limits.max_usd_day + 1e-9
        assert unreserved - most >= limits.account_concurrency_free
    pinged = [c for c in made if c.tuner is Tuner.WARMUPS and c.after["pings"] > 0]
    if pinged:
        per_day = sum(change.after["usd_day"] for change in pinged)
        assert all(c.after["most_environments"] <= policy.warmups.max_environments_per_function for c in pinged)
        assert sum(c.after["most_environments"] for c in pinged) <= policy.warmups.max_environments_total
        assert per_day <= policy.warmups.max_usd_day + 1e-9
        assert per_day * 365 / 12 <= policy.warmups.max_usd_month + 1e-9


@settings(max_examples=examples(200), deadline=None)
@given(PLANS, policies(), st.lists(st.integers(-3, 3), min_size=10, max_size=10), st.booleans(), st.booleans())
def test_nothing_acts_in_a_cool_down_a_freeze_or_closed_hours(
    plan: list[Change], policy: Policy, days: list[int], frozen: bool, shut: bool
) -> None:
    until = {(c.target, c.tuner): NOW + timedelta(days=d) for c, d in zip(plan, days, strict=False)}
    run = replace(
        policy.run,
        freezes=(Freeze(NOW.date(), NOW.date()),) if frozen else (),
        windows=(RunWindow(start="13:00", until="14:00"),) if shut else (),
    )
    account = Account(targets=12, unreserved_concurrency=200, cool_downs=until)
    made = acting(plan, replace(policy, run=run), account)
    # A freeze and a window that name no tuner do not stop pings.
    others = [change for change in made if change.tuner is not Tuner.WARMUPS]
    assert not others or not frozen
    # What was allowed outside a window waits for it.
    waits = [guardrails.wait_for_window(replace(policy, run=run), change, NOW) for change in others]
    assert all(wait is not None and wait.until == NOW + timedelta(hours=1) for wait in waits if shut)
    assert shut or not any(waits)
    assert all(until.get((change.target, change.tuner), NOW) <= NOW for change in made)


@settings(max_examples=examples(200), deadline=None)
@given(PLANS, policies(), st.randoms(use_true_random=False))
def test_the_order_of_the_proposals_does_not_matter(plan: list[Change], policy: Policy, random: Any) -> None:
    shuffled = list(plan)
    random.shuffle(shuffled)
    account = Account(targets=8, unreserved_concurrency=110)

    def verdicts(order: list[Change]) -> dict[str, Any]:
        return {verdict.change_id: verdict for verdict in guardrails.check(order, policy, account, NOW)}

    assert verdicts(plan) == verdicts(shuffled)


@settings(max_examples=examples(200), deadline=None)
@given(
    PLANS,
    st.sampled_from(
        [
            {"run": RunLimits(max_changes=0, max_changes_share=1)},
            {"run": RunLimits(max_changes=9, max_changes_share=0)},
        ]
    ),
)
def test_zero_changes_means_none(plan: list[Change], limits: dict[str, Any]) -> None:
    assert acting(plan, Policy(mode=Mode.AUTO, **limits), ACCOUNT) == []


@settings(max_examples=examples(200), deadline=None)
@given(
    PLANS,
    st.sampled_from(
        [
            ProvisionedConcurrency(max_per_function=0),
            ProvisionedConcurrency(max_total=0),
            ProvisionedConcurrency(max_usd_day=0),
            ProvisionedConcurrency(max_usd_month=0),
        ]
    ),
    st.sampled_from(
        [
            Warmups(max_environments_per_function=0),
            Warmups(max_environments_total=0),
        ]
    ),
    st.sampled_from([Memory(ceiling_mb=0), Memory(max_step_ratio=0), Memory(max_slowdown=0)]),
)
def test_zero_of_anything_means_none_of_it(
    plan: list[Change], concurrency: ProvisionedConcurrency, warm: Warmups, size: Memory
) -> None:
    policy = replace(AUTO, provisioned_concurrency=concurrency, warmups=warm, memory=size)
    for change in acting(plan, policy, ACCOUNT):
        if change.tuner is Tuner.MEMORY:
            # Only a slowdown of nothing at all stays within none.
            assert size.max_slowdown == 0
            assert change.evidence["duration_ratio"] == 0
        elif change.tuner is Tuner.PROVISIONED_CONCURRENCY:
            assert change.after["environments"] <= change.before["environments"]
        else:
            assert change.after["pings"] == 0 or change.after["most_environments"] == 0


def overridden(**parts: Any) -> Policy:
    """Return a policy that acts on all but what its overrides say."""
    return Policy.from_document(
        {"version": 1, "mode": "auto", "run": {"max_changes": 100, "max_changes_share": 1.0}, **parts}
    )


def test_overrides_decide_the_mode_and_the_limits_of_their_functions() -> None:
    policy = overridden(
        overrides=[
            {"functions": ["pay"], "mode": "recommend"},
            {"tags": {"team": "x"}, "memory": {"floor_mb": 1024, "mode": "approve"}},
            {"functions": ["big"], "provisioned_concurrency": {"max_per_function": 1}},
            {"functions": ["warm"], "warmups": {"max_environments_per_function": 1}},
        ]
    )
    proposals = [
        memory("orders"),
        memory("pay"),
        memory("search", tags={"team": "x"}),
        memory("find", before=2048, after=1024, tags={"team": "x"}),
        pc("big"),
        warmups("warm"),
    ]
    verdicts = guardrails.check(proposals, policy, ACCOUNT, NOW)
    assert [(one.verdict, one.rule) for one in verdicts] == [
        (Decision.AUTOMATIC, "mode"),
        (Decision.RECOMMENDED, "mode"),
        (Decision.REFUSED, "memory.floor"),
        (Decision.ASK, "mode"),
        (Decision.REFUSED, "provisioned_concurrency.per_function"),
        (Decision.REFUSED, "warmups.per_function"),
    ]


def test_overrides_of_live_tags_count_when_a_change_is_applied() -> None:
    """A tag that was added after the plan was made protects the function."""
    policy = overridden(overrides=[{"tags": {"team": "x"}, "memory": {"floor_mb": 1024}}])
    live = memory_rules.MemoryState(1024)
    assert guardrails.recheck(memory(), live, policy, NOW) is None
    assert guardrails.recheck(memory(), live, policy, NOW, {"team": "y"}) is None
    refusal = guardrails.recheck(memory(), live, policy, NOW, {"team": "x"})
    assert refusal is not None
    assert refusal.rule == "memory.floor"
    assert guardrails.recheck(memory(tags={"team": "x"}), live, policy, NOW, {}) is None
    held = pc_rules.ProvisionedState(0, 1000)
    stopped = overridden(overrides=[{"functions": ["orders"], "provisioned_concurrency": {"mode": "recommend"}}])
    refusal = guardrails.still_allowed(pc(), held, stopped, {})
    assert refusal is not None
    assert refusal.rule == "provisioned_concurrency.mode"


def raised(name: str = "orders", usd_month: float = 3.0, **evidence: Any) -> Change:
    """Return a change to a larger size, for the sake of its headroom."""
    known = {"max_memory_used_mb": 950, "price_ratio": 1.4, **evidence}
    more = Effect(usd_month=Interval(usd_month, usd_month, usd_month))
    return replace(memory(name, before=1024, after=1536, **known), effect=more)


def decided(policy: Policy, *changes: Change, account: Account = ACCOUNT) -> list[tuple[Decision, str]]:
    return [(one.verdict, one.rule) for one in guardrails.check(changes, policy, account, NOW)]


def test_larger_sizes_beyond_their_budget_are_only_recommended() -> None:
    """A budget of a month counts the run and what the month before kept."""
    policy = overridden(memory={"max_usd_month": 5})
    automatic, over = (Decision.AUTOMATIC, "mode"), (Decision.RECOMMENDED, "memory.usd_month")
    assert decided(policy, raised("a")) == [automatic]
    assert sorted(decided(policy, raised("a"), raised("b"))) == sorted([automatic, over])
    assert decided(policy, raised("a", 6.0)) == [over]
    earlier = replace(ACCOUNT, raised=[raised("c")])
    assert decided(policy, raised("a"), account=earlier) == [over]
    assert decided(policy, memory("a"), account=earlier) == [automatic]
    assert decided(overridden(memory={"max_usd_month": 0}), raised("a")) == [over]
    assert decided(overridden(memory={"max_usd_month": 0}), raised("a", 0.0)) == [automatic]


def test_larger_size_beyond_its_budget_is_not_applied() -> None:
    live = memory_rules.MemoryState(1024)
    assert guardrails.recheck(raised(), live, overridden(), NOW) is None
    refusal = guardrails.recheck(raised(), live, overridden(memory={"max_usd_month": 1}), NOW)
    assert refusal is not None
    assert refusal.rule == "memory.usd_month"
    assert "memory.max_usd_month allows 1.00 USD" in refusal.message


TEAM = {"name": "checkout", "tags": {"team": "checkout"}}


@pytest.mark.parametrize(
    ("part", "change", "rule"),
    [
        ({"warmups": {"max_usd_day": 0.015}}, warmups, "budgets.warmups.usd_day"),
        ({"warmups": {"max_usd_month": 0.5}}, warmups, "budgets.warmups.usd_month"),
        ({"warmups": {"max_environments_total": 3}}, warmups, "budgets.warmups.total"),
        ({"provisioned_concurrency": {"max_total": 3}}, pc, "budgets.provisioned_concurrency.total"),
        ({"provisioned_concurrency": {"max_usd_month": 20}}, pc, "budgets.provisioned_concurrency.usd_month"),
        ({"provisioned_concurrency": {"max_usd_day": 0.6}}, pc, "budgets.provisioned_concurrency.usd_day"),
        ({"memory": {"max_usd_month": 4}}, raised, "budgets.memory.usd_month"),
    ],
)
def test_budget_of_a_team_limits_its_functions_together(part: dict[str, Any], change: Any, rule: str) -> None:
    """One of two functions of a team fits its budget; those of other teams are not in it."""
    policy = overridden(budgets=[{**TEAM, **part}])

    def of(name: str, team: str) -> Change:
        made: Change = change(name)
        return replace(made, evidence={**made.evidence, "tags": {"team": team}})

    blocked = Decision.RECOMMENDED if rule.startswith("budgets.memory") else Decision.REFUSED
    automatic = (Decision.AUTOMATIC, "mode")
    assert sorted(decided(policy, of("a", "checkout"), of("b", "checkout"))) == sorted([automatic, (blocked, rule)])
    assert decided(policy, of("a", "checkout"), of("b", "search"), of("c", "search")) == [automatic] * 3
    by_name = overridden(budgets=[{"functions": ["a", "b"], **part}])
    assert sorted(decided(by_name, change("a"), change("b"), change("c"))) == sorted(
        [automatic, automatic, (blocked, rule)]
    )
    verdicts = guardrails.check([of("a", "checkout"), of("b", "checkout")], policy, ACCOUNT, NOW)
    assert any(one.message.startswith("budgets[0] (checkout): ") for one in verdicts)


def test_budget_of_a_function_counts_what_it_holds() -> None:
    policy = overridden(budgets=[{**TEAM, "provisioned_concurrency": {"max_total": 5}}])
    held = {arn("other"): Held(environments=4, usd_month=32.0, tags={"team": "checkout"})}
    change = pc("a", tags={"team": "checkout"})
    refused = (Decision.REFUSED, "budgets.provisioned_concurrency.total")
    assert decided(policy, change, account=replace(ACCOUNT, held=held)) == [refused]
    elsewhere = {arn("other"): Held(environments=4, usd_month=32.0, tags={"team": "search"})}
    assert decided(policy, change, account=replace(ACCOUNT, held=elsewhere)) == [(Decision.AUTOMATIC, "mode")]


def test_budget_of_a_team_holds_when_a_change_is_applied() -> None:
    policy = overridden(budgets=[{**TEAM, "provisioned_concurrency": {"max_usd_month": 10}}])
    state = pc_rules.ProvisionedState(0, 1000)
    assert guardrails.recheck(pc(), state, policy, NOW, {"team": "search"}) is None
    refusal = guardrails.recheck(pc(), state, policy, NOW, {"team": "checkout"})
    assert refusal is not None
    assert refusal.rule == "budgets.provisioned_concurrency.usd_month"
