"""Test the effect of the traffic on the versions that serve it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from local_account.curves import formula
from local_account.fleet import FleetSource, TargetFunction, Worse, make_fleet
from local_account.lambda_metrics import LambdaMetrics, page, page_offset, page_token
from local_account.metrics import Points
from local_account.workload import Routing, Share, Workload

NOW = datetime(2026, 11, 18, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FLEET = make_fleet(FleetSource(NOW))
CHECKOUT = FLEET[0]
OLD, NEW = Share("1", 0.9, 1024), Share("2", 0.1, 1024)


def old_only(target: TargetFunction) -> Routing:
    return Routing(target.traffic.start, (Share("1", 1.0, target.memory_mb),))


def metrics(*routings: Routing, target: TargetFunction = CHECKOUT) -> LambdaMetrics:
    return LambdaMetrics([target], lambda _name: routings or (old_only(target),))


def points(of: LambdaMetrics, metric: str, statistic: str, period_s: int = 3600, **dimensions: str) -> Points:
    named = {"FunctionName": CHECKOUT.name, **dimensions}
    return of.points(metric, named, NOW - 3 * DAY, NOW + DAY, period_s, statistic, NOW)


def test_the_same_source_makes_the_same_fleet() -> None:
    again = make_fleet(FleetSource(NOW))
    assert all(
        np.array_equal(one.traffic.invocations, other.traffic.invocations)
        for one, other in zip(FLEET, again, strict=True)
    )
    other_seed = make_fleet(FleetSource(NOW, seed=2))
    assert not np.array_equal(FLEET[0].traffic.invocations, other_seed[0].traffic.invocations)


def test_synthetic_traffic_is_labelled() -> None:
    assert "synthetic" in FleetSource(NOW).says
    assert all("synthetic" in target.source for target in FLEET)


def test_traces_are_reused_under_other_names_in_a_large_fleet() -> None:
    fleet = make_fleet(FleetSource(NOW, functions=40))
    assert len({target.name for target in fleet}) == 40


def test_both_versions_of_a_canary_together_serve_every_call() -> None:
    routing = Routing(CHECKOUT.traffic.start, (OLD, NEW))
    old, new = Workload(CHECKOUT).parts((routing,), NOW - 10 * DAY, NOW)
    first = CHECKOUT.traffic.index(NOW - 10 * DAY)
    assert np.array_equal(old.invocations + new.invocations, CHECKOUT.traffic.invocations[first : first + 14_400])
    assert new.invocations.sum() / (old.invocations + new.invocations).sum() == pytest.approx(0.1, abs=0.005)


def test_a_version_of_the_same_size_is_as_fast() -> None:
    split = metrics(Routing(CHECKOUT.traffic.start, (OLD, NEW)))
    resource = f"{CHECKOUT.name}:live"
    for statistic in ("Average", "p95"):
        one, other = (
            points(split, "Duration", statistic, 86_400, Resource=resource, ExecutedVersion=version).values.mean()
            for version in ("1", "2")
        )
        assert one == pytest.approx(other, rel=0.01)


def test_after_a_change_the_duration_follows_the_curve() -> None:
    later = Routing(NOW - DAY, (Share("2", 1.0, 512),))
    average = points(metrics(old_only(CHECKOUT), later), "Duration", "Average", 86_400).values
    expected = CHECKOUT.behaviour.curve.ratio(512, CHECKOUT.memory_mb)
    assert average[-1] / average[0] == pytest.approx(expected, rel=0.06)


def test_planned_damage_appears_only_after_a_change() -> None:
    slower = next(target for target in FLEET if target.behaviour.worse is Worse.SLOWER)
    failing = next(target for target in FLEET if target.behaviour.worse is Worse.ERRORS)
    assert slower.behaviour.slowdown(slower.memory_mb, slower.memory_mb) == 1.0
    more = slower.memory_mb * 2
    assert slower.behaviour.slowdown(more, slower.memory_mb) > 1.5 * slower.behaviour.curve.ratio(
        more, slower.memory_mb
    )
    assert failing.behaviour.errors(failing.memory_mb, failing.memory_mb) < 0.01
    assert failing.behaviour.errors(failing.memory_mb // 2, failing.memory_mb) > 0.05


def test_an_hour_adds_up_its_minutes() -> None:
    found = metrics()
    minutes, hours = points(found, "Invocations", "Sum", 60), points(found, "Invocations", "Sum", 3600)
    of_hour = minutes.times // 3600 * 3600
    sums = {int(hour): minutes.values[of_hour == hour].sum() for hour in np.unique(of_hour)}
    assert dict(zip(hours.times.tolist(), hours.values.tolist(), strict=True)) == sums


def test_percentiles_rise_and_stay_below_the_maximum() -> None:
    found = metrics()
    values = [points(found, "Duration", name).values for name in ("Minimum", "p10", "p50", "p95", "p99", "Maximum")]
    for lower, higher in pairwise(values):
        assert (lower <= higher + 1e-6).all()


def test_provisioned_concurrency_spills_what_it_cannot_serve() -> None:
    routing = Routing(CHECKOUT.traffic.start, (Share("1", 1.0, 1024),), provisioned=2)
    found = metrics(routing)
    taken = points(found, "ProvisionedConcurrencyInvocations", "Sum", 60).values
    spilled = points(found, "ProvisionedConcurrencySpilloverInvocations", "Sum", 60).values
    assert np.array_equal(taken + spilled, points(found, "Invocations", "Sum", 60).values)
    assert spilled.sum() > 0
    assert points(found, "ProvisionedConcurrencyUtilization", "Maximum", 60).values.max() == 1.0
    assert not len(points(metrics(), "ProvisionedConcurrencyUtilization", "Maximum").times)


def test_pages_hold_every_point_once() -> None:
    series = [Points(np.arange(size) * 60, np.arange(size) * 1.0) for size in (7, 0, 1, 12)]
    seen: dict[int, list[float]] = {number: [] for number in range(4)}
    offset: int | None = 0
    while offset is not None:
        found, following = page(series, page_offset(page_token(offset)), 5)
        assert sum(len(points.times) for _, points, _ in found) <= 5
        for number, points, _complete in found:
            seen[number] += points.values.tolist()
        offset = following
    assert [len(values) for values in seen.values()] == [7, 0, 1, 12]


def test_the_formula_is_flat_above_one_vcpu_and_inverse_below_it() -> None:
    curve = formula("computing", 1.0)
    assert curve.ratio(10_240, 1769) == pytest.approx(1.0)
    assert curve.ratio(512, 1024) == pytest.approx(2.0)
