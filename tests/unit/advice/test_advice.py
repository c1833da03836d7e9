"""Each kind of advice with the fault and without it, the deploy that explains it, and silence on healthy functions."""

from collections import Counter

import numpy as np
import pytest
from optimizer.advice import Advice, Subject, advise
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.sketch import Sketch
from optimizer.policy import AdviceLimits

from tests.helpers.advised_functions import HOURS, AdvisedFunction, deployed, healthy, hour_at, size, steady

LIMITS = AdviceLimits()


def advice_on(function: AdvisedFunction, limits: AdviceLimits = LIMITS, **more: object) -> list[Advice]:
    return list(advise("orders", function.signals(**more), limits))


def failing(days_ago: float, share: float, **more: object) -> AdvisedFunction:
    function = steady(**more)  # type: ignore[arg-type]
    function.errors[hour_at(days_ago) :] = np.round(function.calls[hour_at(days_ago) :] * share)
    return function


def test_steady_function_gets_no_advice() -> None:
    assert advice_on(steady()) == []


def test_function_without_any_call_gets_no_advice() -> None:
    nothing = np.full(HOURS, np.nan)
    assert advice_on(AdvisedFunction(nothing, nothing, nothing, nothing, nothing)) == []


def test_errors_since_a_deploy_name_its_version() -> None:
    function = failing(3, 0.03)
    function.lines = deployed({"10": 35, "11": 20, "12": 3})
    (advice,) = advice_on(function)
    assert (advice.subject, advice.deploy, advice.since) == (Subject.ERRORS, "12", "2026-11-13T04:00:00+00:00")
    assert advice.fact == (
        "1.4% of 84,000 calls failed in 7 days. The rate rose from 0.2% to 3% on 13 Nov 2026 04:00 UTC, with version "
        "12; the limit for a rise is 1%. Trend: rising."
    )
    assert "came with version 12" in advice.cause
    assert "point the alias back" in advice.look_at
    assert advice.evidence["share_before"] == 0.002
    assert advice.evidence["share_after"] == 0.03
    assert advice.evidence["limit_share"] == 0.01


@pytest.mark.parametrize(
    "function",
    [failing(3, 0.005), failing(3, 0.03, error_share=0.02)],
    ids=["below the limit", "less than three times as before"],
)
def test_smaller_rises_of_errors_are_no_advice(function: AdvisedFunction) -> None:
    assert advice_on(function) == []


def test_incident_that_is_over_is_no_advice() -> None:
    function = steady()
    function.errors[hour_at(2) : hour_at(2) + 2] = 400
    assert advice_on(function) == []


def test_errors_of_a_deploy_of_another_time_are_not_its() -> None:
    function = failing(3, 0.03)
    function.lines = deployed({"11": 35, "12": 9})
    (advice,) = advice_on(function)
    assert advice.deploy == ""
    assert advice.evidence["cause"] == "not known"


def test_same_code_at_another_size_is_no_deploy() -> None:
    function = failing(3, 0.03)
    lines = deployed({"11": 35, "12": 3})
    function.lines = FunctionHistory(by_version=lines.by_version, contents={"11": "one", "12": "one"})
    assert advice_on(function)[0].deploy == ""


def test_many_errors_are_advice_without_a_rise() -> None:
    (advice,) = advice_on(steady(error_share=0.15))
    assert advice.since == ""
    assert advice.fact == "15% of 84,000 calls failed in 7 days: more than 10% on 7 of them. Trend: steady."


def test_errors_at_one_time_of_the_day_name_it() -> None:
    function = steady(error_share=0.0)
    function.errors[(np.arange(HOURS) % 24) == 5] = 480
    limits = AdviceLimits(errors_share=0.03)
    (advice,) = advice_on(function, limits, timezone="Europe/Berlin")
    # The series begins at 04:00 UTC.
    assert "happens at 10:00 (Europe/Berlin)" in advice.cause


def test_errors_that_are_timeouts_say_so_once() -> None:
    function = failing(3, 0.03)
    function.lines = deployed({"11": 35, "12": 3}, timeouts=30)
    (advice,) = advice_on(function)
    assert advice.cause == "Likely cause: calls time out (30 of 1,000 with the present code)."
    assert advice.deploy == "12"


def test_errors_that_lack_memory_say_so() -> None:
    function = failing(3, 0.03)
    function.lines = deployed({"11": 35, "12": 3}, errors=30, out_of_memory=30)
    assert "run out of memory (30 of 1,000 with 512 MB)" in advice_on(function)[0].cause


def test_lines_tell_of_a_deploy_hours_late() -> None:
    """A busy function's lines are read of some hours only: its first line may be of the day after the deploy."""
    function = failing(3, 0.03)
    by_version = {"11": {512: size(30, 3.5)}, "12": {512: size(2)}}
    function.lines = FunctionHistory(by_version=by_version, contents={"11": "one", "12": "two"})
    assert advice_on(function)[0].deploy == "12"


def throttled(share: float, days: int = 4, **more: object) -> AdvisedFunction:
    function = steady()
    function.throttles[hour_at(days) :] = 500 * share
    function.more = more
    return function


def test_throttles_at_the_reservation_name_it() -> None:
    function = throttled(0.05, reserved=20)
    function.concurrency[:] = 20
    (advice,) = advice_on(function)
    assert (advice.subject, advice.since) == (Subject.THROTTLES, "2026-11-12T04:00:00+00:00")
    assert "its reserved concurrency of 20; it ran 20 at once" in advice.cause
    assert "more than 1% on 4 of them" in advice.fact


def test_throttles_below_the_reservation_are_of_the_account() -> None:
    (advice,) = advice_on(throttled(0.05, reserved=20))
    assert "the concurrency of the account" in advice.cause
    assert "below its reservation of 20" in advice.cause


def test_reservation_of_zero_rejects_every_call() -> None:
    function = throttled(0.5, reserved=0)
    function.calls[hour_at(4) :] = 0
    function.errors[hour_at(4) :] = 0
    (advice,) = advice_on(function)
    assert "reserved concurrency is 0" in advice.cause


@pytest.mark.parametrize(("share", "days"), [(0.005, 4), (0.05, 1)], ids=["few", "on one day"])
def test_few_throttles_are_no_advice(share: float, days: int) -> None:
    assert advice_on(throttled(share, days)) == []


def slower(days_ago: float, ratio: float, **more: object) -> AdvisedFunction:
    function = steady(**more)  # type: ignore[arg-type]
    function.duration_ms[hour_at(days_ago) :] *= ratio
    return function


def test_longer_calls_since_a_deploy_name_its_version() -> None:
    function = slower(5, 1.8)
    function.lines = deployed({"11": 35, "12": 5})
    (advice,) = advice_on(function)
    assert (advice.subject, advice.deploy) == (Subject.DURATION, "12")
    assert advice.fact == (
        "Calls take 216 ms, 1.8 times the 120 ms before 11 Nov 2026 04:00 UTC, with version 12; the limit is 1.5 "
        "times. Trend: steady."
    )


def test_longer_calls_at_a_smaller_size_name_the_size() -> None:
    function = slower(5, 1.8)
    by_version = {"11": {1024: size(35, 5, 1024)}, "12": {512: size(5)}}
    function.lines = FunctionHistory(by_version=by_version, contents={"11": "one", "12": "one"})
    (advice,) = advice_on(function)
    assert "from 1024 to 512 MB" in advice.cause
    assert advice.deploy == ""


@pytest.mark.parametrize(
    "function",
    [slower(5, 1.4), slower(1, 1.8), slower(5, 1.8, duration_ms=8.0)],
    ids=["below the limit", "since yesterday", "by a few ms"],
)
def test_a_little_longer_is_no_advice(function: AdvisedFunction) -> None:
    assert advice_on(function) == []


def test_calls_near_the_timeout_are_advice() -> None:
    function = steady()
    function.lines = deployed({"11": 35, "12": 5}, durations=Sketch().add([100.0] * 980 + [29_000.0] * 20))
    (advice,) = advice_on(function)
    assert (advice.subject, advice.deploy) == (Subject.TIMEOUTS, "12")
    assert "97% of its Timeout of 30 s" in advice.fact or "96% of its Timeout of 30 s" in advice.fact
    assert advice_on(function, timeout_s=60.0) == []


def test_calls_that_hang_are_told_from_slow_ones() -> None:
    function = steady()
    function.lines = deployed({"12": 35}, timeouts=40, durations=Sketch().add([100.0] * 960))
    (advice,) = advice_on(function)
    assert advice.fact.startswith("4% of 1,000 calls of the present code timed out after 30 s")
    assert "calls hang" in advice.cause


def test_reservation_that_is_nearly_reached_is_advice() -> None:
    function = steady()
    function.concurrency[:] = 10
    function.concurrency[hour_at(3) :: 24] = 18
    (advice,) = advice_on(function, reserved=20)
    assert advice.subject is Subject.CONCURRENCY
    assert "up to 18 at once in 7 days, 10 in the week before; its reserved concurrency is 20" in advice.fact
    assert advice_on(function, reserved=25) == []
    assert advice_on(function) == []


def test_reservation_of_a_consumer_is_meant_to_hold_it_back() -> None:
    function = steady()
    function.concurrency[:] = 20
    assert advise("orders", function.signals(reserved=20), LIMITS, nobody_waits=lambda: True) == ()


def test_excluded_function_gets_no_advice() -> None:
    assert advice_on(steady(error_share=0.5), AdviceLimits(exclude=("ord*",))) == []


@pytest.mark.parametrize("seed", range(3))
def test_healthy_fleets_get_no_advice(seed: int) -> None:
    """Advice on at most one in a hundred of 200 healthy functions; of 6,000 generated ones it was on none."""
    rng = np.random.default_rng(seed)
    fleet = [advice_on(healthy(rng)) for _ in range(200)]
    found = Counter(advice.subject for one in fleet for advice in one)
    assert sum(bool(one) for one in fleet) <= 2, found


@pytest.mark.parametrize("seed", range(3))
def test_faults_of_healthy_fleets_are_found(seed: int) -> None:
    """A deploy four days ago after which 5% more calls fail and all take twice as long, on functions with traffic."""
    rng = np.random.default_rng(seed)
    asked = found = 0
    for _ in range(60):
        function = healthy(rng)
        if np.median(function.calls) < 20:
            continue
        after = slice(hour_at(4), None)
        function.lines = deployed({"11": 35, "12": 4})
        function.errors[after] += rng.binomial((function.calls - function.errors)[after].astype(int), 0.05)
        function.duration_ms[after] *= 2
        advice = {one.subject: one for one in advice_on(function)}
        asked += 2
        found += sum(subject in advice for subject in (Subject.ERRORS, Subject.DURATION))
        assert all(one.deploy in ("", "12") for one in advice.values())
    assert asked >= 40
    assert found >= 0.8 * asked
