"""The metrics of the local account show, in days that are still to come, the environments that a timetable holds."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from local_account.fleet import FleetSource, TargetFunction, make_fleet
from local_account.lambda_metrics import LambdaMetrics
from local_account.simulated_services import Clock, SimulatedCloudWatch
from local_account.timetables_ahead import TimetablesAhead
from local_account.workload import Routing, Share
from optimizer.aws.scheduler import ScheduleTarget
from optimizer.capacity.live_function import LiveFunction, Version
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables
from optimizer.capacity.provisioned.use import days_to_observe, judge_use, read_use

from tests.helpers.own_account import own_account

# A Saturday evening.
NOW = datetime(2026, 11, 21, 18, tzinfo=UTC)
GROUP, MARK = "stack-timetables", "0123456789abcdef"
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:invoice-run"
# It is called on Mondays from six to seven.
MONDAYS = Timetable.of_hours([2 if hour == 7 else 0 for hour in range(168)], "Europe/Berlin")


@pytest.fixture
def ahead(monkeypatch: pytest.MonkeyPatch) -> Iterator[TimetablesAhead]:
    with own_account(monkeypatch, "eu-west-1"):
        scheduler, scaling = boto3.client("scheduler"), boto3.client("application-autoscaling")
        scheduler.create_schedule_group(Name=GROUP)
        role = "arn:aws:iam::123456789012:role/timetables"
        placed = PlacedTimetables(scheduler, scaling, ScheduleTarget(GROUP, role, f"{ARN}-provision"))
        version = Version("1", 1024, "code", "content", "r", settled=True, failed=False)
        live = LiveFunction("invoice-run", "live", "1", "a", {}, version, version, function_arn=ARN)
        for number, entry in enumerate(MONDAYS.entries):
            placed.put(live, MARK, number, entry, MONDAYS.timezone)
        yield TimetablesAhead(scheduler)


def invoice_run() -> TargetFunction:
    return next(target for target in make_fleet(FleetSource(NOW)) if target.name == "invoice-run")


def test_future_schedules_are_known_days_before(ahead: TimetablesAhead) -> None:
    monday = datetime(2026, 11, 23, tzinfo=UTC)
    assert ahead.of("invoice-run", NOW) == [
        (monday + timedelta(hours=5, minutes=58), 2),
        (monday + timedelta(hours=7), 0),
        (monday + timedelta(days=7, hours=5, minutes=58), 2),
        (monday + timedelta(days=7, hours=7), 0),
    ]
    assert ahead.of("invoice", NOW) == []


@pytest.mark.parametrize("in_place", [True, False])
def test_timetable_is_judged_by_the_days_it_will_hold(ahead: TimetablesAhead, in_place: bool) -> None:
    target = invoice_run()
    now = Routing(target.traffic.start, (Share("1", 1.0, target.memory_mb),))
    later = [replace(now, since=at, provisioned=n) for at, n in ahead.of(target.name, NOW)] if in_place else []
    days = days_to_observe(MONDAYS, NOW)
    end = NOW + timedelta(days=days)
    cloudwatch: Any = SimulatedCloudWatch(LambdaMetrics([target], lambda _name: [now, *later]), Clock(end))
    use = read_use(cloudwatch, target.name, target.alias, MONDAYS, NOW, end)
    judged = judge_use(use, least=0.6, worst_day=0.6, due=True)
    assert days == 2
    assert judged.healthy == in_place
    assert use.held_hours == pytest.approx(2 * 62 / 60)
    if in_place:
        # Erlang's loss formula says 0.71 of two environments at a load of three.
        assert 0.6 < use.utilisation < 0.8
        assert use.paid_hours == pytest.approx(use.held_hours, rel=0.1)
