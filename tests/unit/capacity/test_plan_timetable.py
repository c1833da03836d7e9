"""Provisioned concurrency by the hour is proposed where it is worth it, and within the guardrails."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer import guardrails
from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.live_function import LiveFunction, Placed, ProvisionedConfig, Scaling, Version
from optimizer.capacity.propose import plan_function
from optimizer.capacity.provisioned.amount import Amount, change_id_of, mark_of
from optimizer.capacity.provisioned.best_week import level_ahead
from optimizer.capacity.provisioned.load import Demand
from optimizer.capacity.provisioned.local_days import LocalDays
from optimizer.capacity.provisioned.propose_timetable import ACTION
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.core.change import Change, NoChange, Tuner
from optimizer.function_logs.code_history import CodeHistory
from optimizer.guardrails import provisioned_concurrency as pc
from optimizer.policy.model import Mode, Policy, ProvisionedConcurrency
from optimizer.traffic.history import History, Series

from tests.helpers.examples import examples
from tests.helpers.rates import X86

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
GENEROUS = ProvisionedConcurrency(max_usd_day=1e6, max_usd_month=1e6)
NOTHING = Placed({})


def version(name: str) -> Version:
    return Version(name, 1024, "code", "content", "r", settled=True, failed=False)


def live(**values: Any) -> LiveFunction:
    base = LiveFunction("orders", "live", "7", "a", {}, version("$LATEST"), version("7"), placed=NOTHING)
    return replace(base, **values)


def seen(busy: np.ndarray, zone: str = "UTC", **changes: Any) -> FunctionFacts:
    """`busy`: environments in each minute of 15 days that end now."""
    start = int(NOW.timestamp()) // 60 - len(busy)
    minutes = Series(start, {"invocations": np.full(len(busy), 600.0), "duration_ms": busy * 100.0})
    values = FunctionFacts(
        run_id="run",
        target=ARN,
        live=live(),
        history=CodeHistory(),
        demand=Demand.of(minutes),
        calls_day=864_000.0,
        need_most=5,
        scan={},
        rates=X86,
        timezone=zone,
        days=LocalDays.of(minutes, zone),
    )
    return replace(values, **changes)


# Of a load of four, at random, the third environment takes 0.66 and the fourth 0.56: three are worth their price.
def office(environments: float = 4.0, *, noise: float = 0.1, seed: int = 1, zone_hours: int = 0) -> np.ndarray:
    """Busy on weekdays from 8 to 18 o'clock."""
    minute = int(NOW.timestamp()) // 60 - 15 * 1440 + np.arange(15 * 1440) + zone_hours * 60
    hour, weekday = minute // 60 % 24, (minute // 1440 + 3) % 7
    busy = np.where((weekday < 5) & (hour >= 8) & (hour < 18), environments, 0.02)
    return busy * np.random.default_rng(seed).uniform(1 - noise, 1 + noise, len(busy))


def proposed(what: FunctionFacts, policy: Policy | None = None) -> Change | NoChange:
    policy = policy or Policy(provisioned_concurrency=GENEROUS)
    return next(p for p in plan_function(what, policy) if p.tuner is Tuner.PROVISIONED_CONCURRENCY)


def test_office_hours_get_a_timetable() -> None:
    """A function that is busy in office hours is provisioned in office hours."""
    change = proposed(seen(office(zone_hours=1), "Europe/Berlin"))
    assert isinstance(change, Change)
    assert change.action == ACTION
    assert change.reason.startswith("3 provisioned from 08:00 to 18:00 on weekdays, Europe/Berlin: busy 73% of")
    assert change.after["timetable"] == {
        "timezone": "Europe/Berlin",
        "entries": [
            {"days": ["MON", "TUE", "WED", "THU", "FRI"], "at": "07:58", "environments": 3},
            {"days": ["MON", "TUE", "WED", "THU", "FRI"], "at": "18:00", "environments": 0},
        ],
    }
    assert change.before == change.undo == {"environments": 0}
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.high < 0
    assert Change.from_document(change.to_document()) == change


def test_savings_are_cheaper_calls_less_held_time() -> None:
    change = proposed(seen(office(noise=0.0)))
    assert isinstance(change, Change)
    assert change.effect.usd_month is not None
    # Erlang's loss formula: of a load of four, three environments lose 45%.
    held, busy = 5 * 3 * 605 / 60, 5 * 10 * 4.0 * (1 - 0.450704)
    month = 730 / 168 * 3600
    wanted = month * (held * 0.0000041667 - busy * (0.0000166667 - 0.0000097222))
    assert change.effect.usd_month.estimate == pytest.approx(wanted, rel=1e-3)
    assert change.evidence["usd_month"] == pytest.approx(month * held * 0.0000041667, rel=1e-3)


@pytest.mark.parametrize(
    "busy",
    [
        np.full(15 * 1440, 0.3),
        office(0.5),
        # A day that was like no other says nothing of the days to come.
        np.concatenate([np.full(10 * 1440, 0.02), np.full(1440, 3.0), np.full(4 * 1440, 0.02)]),
        # Busy, but never at the same hours.
        np.random.default_rng(3).permutation(np.repeat([0.0, 1.4], 15 * 12)).repeat(60),
    ],
)
def test_nothing_is_held_where_no_hour_is_busy_enough(busy: np.ndarray) -> None:
    """No hour is busy enough on the days that were left out of the timetable."""
    assert isinstance(proposed(seen(busy)), NoChange)


def with_cold_starts(busy: np.ndarray, each_hour: float, usd: float) -> FunctionFacts:
    """Return a function whose first environment starts cold so often in each office hour; `usd`: worth of one."""
    facts = seen(busy)
    assert facts.days is not None
    cold = np.zeros((1, len(facts.days), 24))
    cold[0, facts.days.weekdays < 5, 8:18] = each_hour
    return replace(facts, days=replace(facts.days, cold=cold), cold_start_usd=usd)


def test_hours_are_held_for_the_worth_of_their_cold_starts() -> None:
    """An hour of an environment of 1 GB costs 0.015 USD: five cold starts of 0.006 USD are worth it, of 0.001 not."""
    change = proposed(with_cold_starts(office(0.3), 5.0, 0.006))
    assert isinstance(change, Change)
    assert change.reason.startswith("1 provisioned from 08:00 to 18:00 on weekdays")
    assert change.effect.cold_starts_month is not None
    assert change.effect.cold_starts_month.estimate == pytest.approx(-5 * 50 * 730 / 168, rel=1e-3)
    # The bill grows; the calls that are cheaper do not pay for it.
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.low > 0
    assert change.evidence["utilisation"] < 0.6 < change.evidence["earned_share"]
    policy = Policy(mode=Mode.AUTO, provisioned_concurrency=GENEROUS)
    (verdict,) = guardrails.check([change], policy, guardrails.Account(targets=9, unreserved_concurrency=900), NOW)
    assert verdict.verdict.value == "automatic"
    assert isinstance(proposed(with_cold_starts(office(0.3), 5.0, 0.001)), NoChange)


def test_budgets_limit_what_is_held_for_cold_starts() -> None:
    limits = ProvisionedConcurrency(max_usd_day=0.1, max_usd_month=1.0)
    held = proposed(with_cold_starts(office(0.3), 5.0, 0.006), Policy(provisioned_concurrency=limits))
    assert isinstance(held, NoChange)


def test_cold_starts_of_past_days_are_counted_by_local_hour() -> None:
    """A call every 20 minutes of some hours finds nothing warm; a second environment is never needed."""
    minute = int(NOW.timestamp()) // 60 - 15 * 1440 + np.arange(15 * 1440)
    hour = (minute // 60 + 1) % 24
    calls = np.where((hour >= 8) & (hour < 18) & (minute % 20 == 0), 1.0, 0.0)
    values = {"invocations": calls, "duration_ms": np.where(calls > 0, 100.0, np.nan)}
    series = Series(int(minute[0]), {**values, "concurrency": calls})
    hours = Series(int(minute[0]) // 60, {"invocations": calls.reshape(-1, 60).sum(1), "concurrency": np.ones(15 * 24)})
    days = LocalDays.of(series, "Europe/Berlin").with_cold_starts(History(series, hours), "Europe/Berlin", 10, 5)
    assert days.cold is not None
    assert len(days.cold) == 1
    of_day = days.whole().cold
    assert of_day is not None
    assert of_day[0, 1:, 8:18] == pytest.approx(3.0, abs=0.01)
    assert not of_day[0, :, :8].any()
    assert not of_day[0, :, 18:].any()


def test_steady_load_gets_one_amount_at_all_times() -> None:
    change = proposed(seen(np.random.default_rng(1).uniform(1.8, 2.0, 15 * 1440)))
    assert isinstance(change, Change)
    assert change.after == {"environments": 2}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"placed": None}, ""),
        ({"placed": Placed({}, ("lunch",), tracked=True), "scaling": Scaling(0, 5)}, ""),
        ({"placed": Placed({}, (), tracked=False), "scaling": Scaling(0, 5)}, ""),
        ({"weights": {"8": 0.1}}, "shifting traffic"),
        ({"tags": {"aws:cloudformation:stack-name": "shop"}, "provisioned": ProvisionedConfig(1, "READY")}, ""),
    ],
)
def test_no_timetable_where_another_moves_the_number(changes: dict[str, Any], words: str) -> None:
    proposal = proposed(seen(office(), live=live(**changes)))
    assert isinstance(proposal, NoChange) or proposal.action != ACTION
    assert words in proposal.reason


def test_scheduled_minima_stay_above_the_targets_own() -> None:
    """A scaling target is given scheduled minima that are never below its own."""
    owned = live(scaling=Scaling(1, 2), placed=Placed({}, (), tracked=True))
    change = proposed(seen(office(), live=owned))
    assert isinstance(change, Change)
    assert change.before == {"environments": 2, "min": 1, "max": 2}
    assert (change.after["min"], change.after["max"], change.after["floor"]) == (3, 3, 1)
    assert {entry["environments"] for entry in change.after["timetable"]["entries"]} == {1, 3}
    assert change.evidence["by"] == "Application Auto Scaling"


def in_place(change: Change, environments: int = 0) -> dict[str, Any]:
    there = Placed({mark_of(change.id): frozenset({0, 1})})
    provisioned = ProvisionedConfig(environments, "READY") if environments else None
    return {"in_place": change, "live": live(placed=there, provisioned=provisioned)}


def test_fitting_timetable_stays() -> None:
    first = proposed(seen(office()))
    assert isinstance(first, Change)
    for environments in (0, 3):
        second = proposed(seen(office(seed=2), **in_place(first, environments)))
        assert isinstance(second, NoChange), second
        assert second.evidence["environments"] == 3
        assert second.evidence["usd_month"] == first.evidence["usd_month"]
        assert second.evidence["usd_dearest_day"] == first.evidence["usd_dearest_day"]


def test_timetable_is_replaced_or_ended() -> None:
    """A better timetable replaces the one in place; where nothing is busy any more, it ends."""
    first = proposed(seen(office()))
    assert isinstance(first, Change)
    larger = proposed(seen(office(7.0), **in_place(first)))
    assert isinstance(larger, Change)
    assert larger.before == {**first.after, "plan": mark_of(first.id)}
    assert larger.after["environments"] == 5
    ended = proposed(seen(office(0.1), **in_place(first)))
    assert isinstance(ended, Change)
    assert (ended.before["plan"], ended.after) == (mark_of(first.id), {"environments": 0})
    assert ended.effect.usd_month is not None
    assert ended.effect.usd_month.estimate < 0
    assert Amount.of(ended.before).plan == mark_of(first.id)


def test_amount_set_by_somebody_else_stays() -> None:
    """An amount that somebody set beside a timetable stays, and so does an unknown timetable."""
    first = proposed(seen(office()))
    assert isinstance(first, Change)
    assert "somebody else" in proposed(seen(office(), **in_place(first, 7))).reason
    unknown = live(placed=Placed({"0123456789abcdef": frozenset({0})}))
    assert change_id_of("0123456789abcdef") in proposed(seen(office(), live=unknown)).reason


def test_policy_without_timetables_ends_them() -> None:
    """Without timetables in the policy none is proposed, kept or followed."""
    first = proposed(seen(office()))
    assert isinstance(first, Change)
    policy = Policy(mode=Mode.AUTO, provisioned_concurrency=replace(GENEROUS, by_the_hour=False))
    assert isinstance(proposed(seen(office()), policy), NoChange)
    ended = proposed(seen(office(), **in_place(first)), policy)
    assert isinstance(ended, Change)
    assert ended.after == {"environments": 0}
    refusal = guardrails.still_allowed(first, pc.ProvisionedState(0, 1000), policy)
    assert refusal is not None
    assert refusal.rule == "provisioned_concurrency.by_the_hour"


def test_level_ahead_stays_between_the_last_two_weeks() -> None:
    rng = np.random.default_rng(1)
    weeks = np.tile(100 + 50 * np.sin(np.arange(168) / 24 * 2 * np.pi), 6) * rng.uniform(0.95, 1.05, 6 * 168)
    weeks[-168:] *= 1.2
    hours = Series(int(NOW.timestamp()) // 3600 - len(weeks), {"invocations": weeks})
    assert 1.0 < level_ahead(hours, "UTC") < 1.12
    assert level_ahead(Series(0, {"invocations": weeks[:200]}), "UTC") == 1.0


LIMITS = st.builds(
    ProvisionedConcurrency,
    mode=st.just(Mode.AUTO),
    max_per_function=st.integers(0, 6),
    max_total=st.integers(0, 10),
    max_usd_day=st.floats(0, 2),
    max_usd_month=st.floats(0, 30),
    account_concurrency_free=st.integers(0, 1000),
    min_utilisation=st.floats(0, 1),
)


@settings(max_examples=examples(40), deadline=None)
@given(LIMITS, st.floats(0.2, 6), st.sampled_from([None, 2, 50]))
def test_timetable_stays_within_the_guardrails(
    limits: ProvisionedConcurrency, environments: float, reserved: int | None
) -> None:
    """No timetable exceeds a guardrail, and a limit of zero means no timetable."""
    policy = Policy(provisioned_concurrency=limits)
    change = proposed(seen(office(environments), live=live(reserved=reserved)), policy)
    if isinstance(change, NoChange) or change.action != ACTION:
        return
    most = max(entry["environments"] for entry in change.after["timetable"]["entries"])
    assert 0 < most <= limits.max_per_function
    assert reserved is None or most < reserved
    assert 0 < change.evidence["usd_month"] <= limits.max_usd_month + 1e-3
    assert change.evidence["usd_dearest_day"] <= limits.max_usd_day + 1e-3
    assert change.evidence["utilisation"] >= limits.min_utilisation - 1e-3
    account = guardrails.Account(targets=9, unreserved_concurrency=1000)
    (verdict,) = guardrails.check(
        [change], replace(policy, run=replace(policy.run, max_changes_share=1.0)), account, NOW
    )
    if verdict.verdict is guardrails.Decision.AUTOMATIC:
        assert most <= limits.max_total
        assert reserved is not None or 1000 - most >= limits.account_concurrency_free
    # What is shown may not be understated: without its numbers, or with more than they say, it is refused.
    there = pc.ProvisionedState(0, 1000, reserved)
    bare = replace(change, evidence={k: v for k, v in change.evidence.items() if k != "usd_dearest_day"})
    refusal = guardrails.recheck(bare, there, policy, NOW)
    assert refusal is not None
    more = {
        **change.after,
        "timetable": {**change.after["timetable"], "entries": [_entry(limits.max_per_function + 1)]},
    }
    refusal = guardrails.recheck(replace(change, after=more), there, policy, NOW)
    assert refusal is not None
    assert refusal.rule == "provisioned_concurrency.per_function"


def _entry(environments: int) -> dict[str, Any]:
    return {"days": ["MON"], "at": "08:00", "environments": environments}


def test_holiday_teaches_nothing_about_its_weekday() -> None:
    """Two of three Wednesdays were holidays without traffic; the timetable still holds Wednesdays, but no holiday."""
    minute = int(NOW.timestamp()) // 60 - 15 * 1440 + np.arange(15 * 1440)
    off = frozenset({date(2026, 11, 11), date(2026, 11, 18)})
    busy = np.where(np.isin(minute // 1440, [day.toordinal() - 719163 for day in off]), 0.02, office())
    facts = seen(busy)
    minutes = Series(int(minute[0]), {"invocations": np.full(len(busy), 600.0), "duration_ms": busy * 100.0})
    ahead = off | {date(2026, 12, 25)}
    change = proposed(replace(facts, days=LocalDays.of(minutes, "UTC", ahead), holidays=ahead))
    assert isinstance(change, Change)
    timetable = Timetable.from_document(change.after["timetable"])
    assert "on weekdays" in timetable.words()
    assert timetable.holidays == ahead
    assert timetable.held_at(datetime(2026, 12, 25, 12, tzinfo=UTC)) == 0
    assert timetable.held_at(datetime(2026, 12, 23, 12, tzinfo=UTC)) == 3
