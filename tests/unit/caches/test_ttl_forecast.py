"""The memory to plan for, from the trend and noise of the past."""

import random

import pytest
from hypothesis import example, given, strategies as st
from optimizer.caches.tuning.curves import hit_curve
from optimizer.caches.tuning.forecast import Outlook, add_reserve, outlook, outlooks
from optimizer.caches.tuning.replay import Accesses

CURVE = hit_curve([(float(t), str(t % 9)) for t in range(100)], [2.0, 20.0])


def test_a_steady_trend_goes_on():
    ahead = outlook([100, 104, 108, 112, 116, 120, 124, 128])
    assert ahead.growth == pytest.approx(4 * 8 / 114)
    assert ahead.noise == pytest.approx(0, abs=1e-9)


def test_noise_is_no_trend():
    grown = 0
    for seed in range(200):
        generator = random.Random(seed)
        ahead = outlook([generator.gauss(100, 20) for _ in range(8)])
        grown += abs(ahead.growth) > 0.2
    assert grown <= 10


def test_slow_drift_is_noisier_than_quick_ups_and_downs():
    assert outlook([90, 90, 90, 90, 110, 110, 110, 110][::-1]).noise + 1e-9 >= outlook([90, 110] * 4).noise


def test_too_few_windows_give_no_outlook():
    assert outlook([1, 2, 3]) == Outlook(0, 0)
    assert outlook([0] * 8) == Outlook(0, 0)


@given(st.lists(st.floats(0, 1e6), min_size=4, max_size=12))
@example([0.0, 1.0, 1.0, 2.2e-259])
def test_planned_memory_is_at_least_the_memory_used(series):
    planned = add_reserve(CURVE, {5.0: outlook(series)})
    assert all(p >= n for p, n in zip(planned.live_entries, CURVE.live_entries, strict=True))
    assert planned.hit_ratio == CURVE.hit_ratio


def test_noise_alone_adds_no_more_than_its_share():
    planned = add_reserve(CURVE, {2.0: Outlook(0.0, 5.0)}, most=0.25)
    assert planned.live_entries == pytest.approx([1.25 * n for n in CURVE.live_entries])


def test_accelerating_reads_need_memory_at_short_ttls_only():
    pairs = [(100 * (i / 5000) ** 0.5, str(i * 7919 % 20)) for i in range(5000)]
    ahead = outlooks(Accesses.of(pairs), (0.0, 100.0), [0.05, 50.0])
    assert min(ahead) == 0.05
    assert max(ahead) == 12.5
    assert ahead[0.05].growth > 0.3
    assert ahead[12.5].growth == pytest.approx(0, abs=0.01)
