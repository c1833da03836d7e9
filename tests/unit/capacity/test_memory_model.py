import math

import pytest
from hypothesis import given, settings, strategies as st
from optimizer.capacity.memory.belief import Belief
from optimizer.capacity.memory.model import (
    DURATION_POWER,
    NothingObserved,
    Objective,
    SizeSeen,
    UnknownGoal,
    believe,
    choose,
)
from optimizer.prices.aws_lambda import call_usd

from tests.helpers.examples import examples
from tests.helpers.rates import ARM, X86

SIZES = (128, 256, 512, 1024, 1769, 3008)
DOUBLED = (128, 256, 512, 1024, 2048, 3008)


def seen(curve, *sizes, calls=500):
    return {mb: SizeSeen(curve(mb), calls) for mb in sizes}


def busy(mb):
    return 400.0 * 1769 / min(mb, 1769)


def waiting(mb):
    return 300.0 + 0.0 * mb


def ends_at(curve, goal, changes, slowdown=None, rates=X86):
    at, order = 1024, [1024]
    while True:
        decision = choose(seen(curve, *order), rates, SIZES, at, goal, slowdown, changes + 1 - len(order))
        if decision.memory_mb in order:
            return decision.memory_mb, order
        at = decision.memory_mb
        order.append(at)


@st.composite
def situations(draw):
    allowed = draw(
        st.lists(st.sampled_from((128, 256, 512, 768, 1024, 1536, 1769, 2048, 3008)), min_size=1, unique=True)
    )
    order = draw(st.lists(st.sampled_from(allowed), min_size=1, max_size=4, unique=True))
    durations = st.floats(0.5, 800_000.0)
    observed = {mb: SizeSeen(draw(durations), draw(st.integers(0, 10_000))) for mb in order}
    return {
        "observed": observed,
        "rates": draw(st.sampled_from((X86, ARM))),
        "allowed_mb": allowed,
        "current_mb": draw(st.sampled_from(order)),
        "goal": draw(st.sampled_from(tuple(DURATION_POWER))),
        "max_slowdown": draw(st.none() | st.floats(1.0, 3.0)),
        "changes_left": draw(st.integers(0, 3)),
    }


@settings(deadline=None, max_examples=examples(60))
@given(situations())
def test_chosen_size_is_allowed(situation):
    """With no change left, the chosen size is an observed one as well."""
    decision = choose(**situation)
    assert decision.memory_mb in situation["allowed_mb"]
    if situation["changes_left"] == 0:
        assert decision.memory_mb in situation["observed"]


@settings(deadline=None, max_examples=examples(60))
@given(situations())
def test_observed_size_that_stays_is_the_best(situation):
    """It is the best of the observed sizes within the allowed slowdown."""
    observed = situation["observed"]
    decision = choose(**{**situation, "changes_left": 0})
    first_ms = next(iter(observed.values())).mean_duration_ms
    limit_ms = math.inf if situation["max_slowdown"] is None else situation["max_slowdown"] * first_ms

    def value(mb):
        duration_ms = observed[mb].mean_duration_ms
        return float(call_usd(situation["rates"], mb, duration_ms)) * (duration_ms ** DURATION_POWER[situation["goal"]])

    assert observed[decision.memory_mb].mean_duration_ms <= limit_ms
    fit = [mb for mb in observed if observed[mb].mean_duration_ms <= limit_ms]
    assert value(decision.memory_mb) == pytest.approx(min(map(value, fit)))


@settings(deadline=None, max_examples=examples(30))
@given(situations())
def test_same_situation_gets_the_same_answer(situation):
    assert choose(**situation) == choose(**situation)


@given(st.sampled_from((X86, ARM)), st.sampled_from(SIZES), st.floats(1.0, 1e5), st.floats(1.0, 2.0))
def test_more_memory_and_longer_calls_never_cost_less(rates, memory_mb, duration_ms, factor):
    for goal in ("cost", "balanced"):
        objective = Objective.of(rates, goal)
        value = objective.value(memory_mb, duration_ms)
        assert objective.value(memory_mb, duration_ms * factor) >= value
        assert objective.value(memory_mb * 2, duration_ms) > value


@given(st.sampled_from((X86, ARM)), st.sampled_from(SIZES), st.floats(0.1, 1e5))
def test_measured_size_is_priced_by_the_price_list(rates, memory_mb, duration_ms):
    price = Objective.of(rates, "cost").value(memory_mb, duration_ms)
    assert price == pytest.approx(float(call_usd(rates, memory_mb, duration_ms)), rel=1e-9)


def test_waiting_function_ends_at_the_smallest_size():
    assert ends_at(waiting, "cost", 2)[0] == 128


def test_computing_function_keeps_the_slowdown_limit():
    kept, _ = ends_at(busy, "cost", 3, slowdown=1.1)
    assert busy(kept) <= 1.1 * busy(1024)


def test_balanced_computing_function_ends_at_one_vcpu():
    assert ends_at(busy, "balanced", 2)[0] == 1769


@settings(deadline=None, max_examples=examples(8))
@given(
    st.sampled_from([("cost", None), ("cost", 1.1), ("balanced", None)]),
    st.lists(st.floats(0.5, 2.0), min_size=len(SIZES), max_size=len(SIZES)),
    st.floats(0.0, 1.0),
)
def test_further_change_never_leads_to_a_worse_size(goal, strays, cpu):
    """More changes see all sizes that fewer see, on curves that no model contains, too."""
    name, slowdown = goal
    stray = dict(zip(SIZES, strays, strict=True))

    def curve(mb):
        return stray[mb] * 100.0 * (1 - cpu + cpu * 1769 / min(mb, 1769))

    def value(mb):
        return float(call_usd(X86, mb, curve(mb))) * curve(mb) ** DURATION_POWER[name]

    (two, fewer), (three, more) = (ends_at(curve, name, changes, slowdown) for changes in (2, 3))
    assert more[: len(fewer)] == fewer
    assert value(three) <= value(two)
    assert slowdown is None or curve(three) <= slowdown * curve(1024)


def test_function_that_is_fast_at_the_smallest_size_alone_is_found():
    """A try of 256 MB, to prepare one of 128 MB, would speak against it: 128 MB is faster than its neighbours."""
    strange = {128: 110.0, 256: 190.0, 512: 140.0, 1024: 100.0, 1769: 100.0, 3008: 100.0}
    assert [ends_at(strange.__getitem__, "balanced", changes)[0] for changes in (2, 3)] == [128, 128]


def test_first_step_goes_up_where_duration_counts():
    decision = choose(seen(waiting, 1024), X86, SIZES, 1024, "balanced", None, 2)
    assert decision.memory_mb > 1024


def test_nothing_is_tried_once_every_size_ran():
    decision = choose(seen(busy, *SIZES), X86, SIZES, 1024, "balanced", None, 5)
    assert decision.memory_mb == 1769
    assert "no other size" in decision.reason


def test_known_curve_is_not_tried_further():
    decision = choose(seen(waiting, 1024, 128), X86, SIZES, 128, "cost", None, 2)
    assert decision.memory_mb == 128


def test_observation_narrows_the_other_sizes():
    wide = choose(seen(busy, 1024), X86, SIZES, 1024, "cost", None, 0).predicted[512]
    narrow = choose(seen(busy, 1024, 256), X86, SIZES, 1024, "cost", None, 0).predicted[512]
    assert narrow.high / narrow.low < wide.high / wide.low
    assert narrow.low < busy(512) < narrow.high


def test_waiting_function_is_surer_at_other_sizes_than_a_computing_one():
    """Only CPU work strays from the family of curves: 1024 and 2048 MB alike tell that a function waits everywhere."""

    def spread(curve):
        likely = choose(seen(curve, 1024, 2048), X86, DOUBLED, 1024, "cost", None, 0).predicted[512]
        return likely.high / likely.low

    assert spread(waiting) < spread(busy)


@pytest.mark.parametrize("cpu", [0.25, 0.3, 0.35])
def test_last_try_is_not_a_bet_on_an_unlikely_curve(cpu):
    """With a quarter to a third of CPU work, 512 MB is the best smaller size; 256 MB only pays for a waiting one."""

    def mixed(mb):
        return 100.0 * (1 - cpu + cpu * 1769 / min(mb, 1769))

    decision = choose(seen(mixed, 1024, 2048), X86, DOUBLED, 2048, "balanced", None, 1)
    assert decision.memory_mb == 512
    assert mixed(256) ** 2 * 256 > mixed(512) ** 2 * 512


def test_last_of_equally_good_tries_is_the_nearest():
    """Work in proportion to the size up to 1792 MB says little of which of the larger sizes is the best."""

    def computing(mb):
        return 100.0 * 1769 / mb

    ladder = tuple(range(128, 3009, 128))
    decision = choose(seen(computing, 1024, 1792), X86, ladder, 1792, "balanced", None, 1)
    assert 1792 < decision.memory_mb < 2560


def test_few_calls_leave_more_doubt_than_many():
    few = believe({1024: SizeSeen(100.0, 3)}, SIZES).sample(2000)
    many = believe({1024: SizeSeen(100.0, 30_000)}, SIZES).sample(2000)
    at = SIZES.index(1024)
    assert few[:, at].std() > 5 * many[:, at].std()


def test_weights_of_a_belief_sum_to_one():
    belief = Belief.prior(SIZES).observe(1024, math.log(100.0), 0.01).observe(128, math.log(700.0), 0.01)
    assert belief.weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"goal": "fast"}, UnknownGoal),
        ({"current_mb": 512}, NothingObserved),
    ],
)
def test_unusable_situation_raises_its_cause(changed, error):
    situation = {
        "observed": seen(busy, 1024),
        "rates": X86,
        "allowed_mb": SIZES,
        "current_mb": 1024,
        "goal": "cost",
        "max_slowdown": None,
        "changes_left": 1,
    }
    with pytest.raises(error):
        choose(**{**situation, **changed})
