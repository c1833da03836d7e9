"""The life of a warm-up Change against moto's EventBridge Scheduler and DynamoDB."""

import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import boto3
import pytest
from botocore.exceptions import ClientError
from local_account.lambda_twin import has_passed
from moto import mock_aws
from optimizer import guardrails
from optimizer.aws.scheduler import ScheduleDiffers, ScheduleTarget, put_schedule
from optimizer.core import Warmed
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.core.clock import minute_of, moment_of
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Policy, Warmups
from optimizer.store.pings import PingLog
from optimizer.store.run_store import RunStore
from optimizer.store.warmup_plans import KeptWarm, PlansInPlace
from optimizer.warmups import schedules
from optimizer.warmups.change import Target, WarmupHooks
from optimizer.warmups.observe import Calls
from optimizer.warmups.schedule_batches import SchedulesRefused, pings_of, warmup_of
from optimizer.warmups.sending.room import Room
from optimizer.warmups.sending.send_pings import PingFailed

from tests.helpers.own_account import create_run_table

# moto takes no schedule for a time that has passed.
NOW = (datetime.now(UTC) + timedelta(days=1)).replace(hour=6, minute=0, second=0, microsecond=0)
ARN = "arn:aws:lambda:us-east-1:123456789012:function:orders"
GROUP = "optimizer-warmups"
WATCH_MINUTES = Warmups().watch_minutes


class World:
    """The life of warm-up changes on moto, with what it reads of the target in plain attributes."""

    def __init__(self) -> None:
        dynamodb: Any = boto3.client("dynamodb", "us-east-1")
        create_run_table(dynamodb)
        self.scheduler: Any = boto3.client("scheduler", "us-east-1")
        self.scheduler.create_schedule_group(Name=GROUP)
        self.store = RunStore(dynamodb, "optimizer")
        self.log = PingLog(dynamodb, "optimizer")
        self.in_place = PlansInPlace(dynamodb, "optimizer")
        self.target = Target(has_alias=True, ready=True)
        self.refusal: Any = None
        self.policy = Policy()
        self.calls = Calls(1000.0, 1.0)
        self.remaining_ms = 300_000.0
        self.room = Room(900, "the account has an unreserved concurrency of 1000, of which 100 stay free")
        self.not_ready: Callable[[], str] = lambda: ""
        self.concurrency: dict[datetime, float] = {}
        self.hooks = WarmupHooks(
            log=self.log,
            in_place=self.in_place,
            scheduler=self.scheduler,
            schedules=ScheduleTarget(
                GROUP, "arn:aws:iam::123456789012:role/schedules", ARN.replace("orders", "warm_function")
            ),
            recheck=lambda change, live, now: self.refusal or guardrails.recheck(change, live, self.policy, now),
            read_target=lambda _name, _alias: self.target,
            read_calls=lambda _name, _alias, _first, _end: self.calls,
            remaining_ms=lambda: self.remaining_ms,
            watch_minutes=WATCH_MINUTES,
            read_room=lambda _name: self.room,
            why_not_ready=lambda _name, _alias, _now: self.not_ready(),
            read_concurrency=lambda _name, _first, _end: self.concurrency,
            keep_free=100,
        )
        self.life = Lifecycle(self.store, self.hooks)

    def names(self) -> list[str]:
        pages = self.scheduler.get_paginator("list_schedules").paginate(GroupName=GROUP)
        return sorted(schedule["Name"] for page in pages for schedule in page["Schedules"])

    def approved(self, change: Change) -> Change:
        self.store.record_change(change, Status.APPROVED, NOW)
        return change

    def warmed(self, change: Change, minutes: list[int], **different: Any) -> None:
        values = {"asked": 2, "environments": 2, "cold": 1, "calls": 2, "failed": 0} | different
        for minute in minutes:
            warmed = Warmed(**values, spread_ms=4.0, hold_ms=200.0, rounds=1, busy_ms=400.0)
            self.log.record(warmup_of(change, minute, 2), warmed, moment_of(minute))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield World()


def change_of(run_id: str = "run-1", pings: int = 12, first: datetime = NOW, **after: Any) -> Change:
    return Change(
        run_id=run_id,
        tuner=Tuner.WARMUPS,
        action="schedule_warmups",
        target=ARN,
        before={"schedules": 0, "plans": []},
        after={
            "pings": 2 * pings,
            "most_environments": 2,
            "usd_day": 0.001,
            "alias": "live",
            "timezone": "Europe/Berlin",
            "hold_ms": 200,
            "hours": 24,
            "from": (first + timedelta(minutes=5)).isoformat(),
            "schedule": [[0, 5, pings, 2]],
            **after,
        },
        reason="because",
        undo={"action": "delete_schedules", "schedules": pings},
        risk=Risk.LOW,
        evidence={"errors_share": 0.001},
    )


def test_applied_plan_has_one_schedule_for_each_ping(world: World) -> None:
    """Each schedule deletes itself and calls warm_function."""
    change = world.approved(change_of())
    answer = world.life.apply(change.id, NOW)
    assert answer["outcome"] == "applied"
    assert answer["wait_s"] == WATCH_MINUTES[0] * 60 + 240
    assert len(world.names()) == 12
    first = world.scheduler.get_schedule(GroupName=GROUP, Name=world.names()[0])
    local = (NOW + timedelta(minutes=5)).astimezone(ZoneInfo("Europe/Berlin"))
    assert first["ScheduleExpression"] == f"at({local:%Y-%m-%dT%H:%M:%S})"
    assert first["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert first["ActionAfterCompletion"] == "DELETE"
    assert first["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert '"environments": 2' in first["Target"]["Input"]
    assert world.store.change(change.id).status is Status.WATCHING


def test_applying_twice_creates_every_schedule_once(world: World) -> None:
    change = world.approved(change_of())
    assert world.life.apply(change.id, NOW) == world.life.apply(change.id, NOW)
    assert len(world.names()) == 12


@pytest.mark.parametrize("dies_after", range(0, 15, 3))
def test_plan_is_complete_after_a_failure_at_any_call(world: World, dies_after: int) -> None:
    change = world.approved(change_of())
    left = [dies_after]

    def die(**_: Any) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise ClientError({"Error": {"Code": "InternalServerException", "Message": "died"}}, "CreateSchedule")

    world.scheduler.meta.events.register_first("before-call.scheduler", die)
    with contextlib.suppress(ClientError):
        world.life.apply(change.id, NOW)
    world.scheduler.meta.events.unregister("before-call.scheduler", die)
    assert world.life.apply(change.id, NOW)["outcome"] == "applied"
    assert len(world.names()) == 12


def test_polling_finishes_more_pings_than_fit_one_call(world: World) -> None:
    change = world.approved(change_of(pings=200, schedule=[[0, 1, 200, 1]]))
    times = iter([300_000.0, 300_000.0, 10_000.0, *[300_000.0] * 10])
    life = replace(world.life, hooks=replace(world.hooks, remaining_ms=lambda: next(times)))
    assert life.apply(change.id, NOW)["outcome"] == "pending"
    assert 0 < len(world.names()) < 200
    assert life.poll(change.id, NOW)["outcome"] == "applied"
    assert len(world.names()) == 200


def test_minutes_that_have_passed_are_left_out(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW + timedelta(minutes=30))
    assert len(world.names()) == 6


def test_plan_whose_minutes_have_passed_is_outdated(world: World) -> None:
    change = world.approved(change_of())
    answer = world.life.apply(change.id, NOW + timedelta(hours=2))
    assert answer["outcome"] == "stale"
    assert world.store.change(change.id).status is Status.STALE


def test_new_plan_replaces_only_that_of_the_same_function(world: World) -> None:
    former = world.approved(change_of())
    world.life.apply(former.id, NOW)
    other = world.approved(replace(former, target=f"{ARN}-2"))
    world.life.apply(other.id, NOW)
    before = {"schedules": 12, "plans": [schedules.plan_mark(former.id)]}
    newer = replace(change_of("run-2", 3), before=before)
    world.approved(newer)
    assert world.life.apply(newer.id, NOW)["outcome"] == "applied"
    plans = [s.plan for s in schedules.list_schedules(world.scheduler, GROUP, ARN)]
    assert plans == [schedules.plan_mark(newer.id)] * 3
    assert len(list(schedules.list_schedules(world.scheduler, GROUP, f"{ARN}-2"))) == 12


def test_plan_is_outdated_after_another_one_was_applied(world: World) -> None:
    first, second = world.approved(change_of("run-1")), world.approved(change_of("run-2"))
    world.life.apply(first.id, NOW)
    names = world.names()
    assert world.life.apply(second.id, NOW)["outcome"] == "stale"
    assert world.names() == names


def test_plan_blocked_on_the_live_state_creates_nothing(world: World) -> None:
    world.refusal = SimpleNamespace(rule="warmups.max_environments_per_function", message="too many")
    change = world.approved(change_of())
    answer = world.life.apply(change.id, NOW)
    assert (answer["outcome"], answer["rule"]) == ("refused", "warmups.max_environments_per_function")
    assert world.names() == []


@pytest.mark.parametrize(
    ("target", "outcome"), [(Target(has_alias=True, ready=False), "refused"), (Target(False, False), "stale")]
)
def test_a_function_that_lost_its_tag_or_alias_is_not_pinged(world: World, target: Target, outcome: str) -> None:
    world.target = target
    assert world.life.apply(world.approved(change_of()).id, NOW)["outcome"] == outcome
    assert world.names() == []


def test_a_change_that_nobody_approved_is_refused(world: World) -> None:
    change = change_of()
    world.store.record_change(change, Status.RECOMMENDED, NOW)
    assert world.life.apply(change.id, NOW)["outcome"] == "refused"
    assert world.names() == []


def test_schedule_with_other_content_is_not_overwritten(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW)
    name = world.names()[0]
    there = world.scheduler.get_schedule(GroupName=GROUP, Name=name)
    wanted = {
        "GroupName": GROUP,
        "Name": name,
        "ScheduleExpression": there["ScheduleExpression"],
        "ScheduleExpressionTimezone": there["ScheduleExpressionTimezone"],
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {**there["Target"], "Input": "{}"},
    }
    with pytest.raises(ScheduleDiffers, match=name):
        put_schedule(world.scheduler, wanted)


def watch(world: World, change: Change, number: int) -> dict[str, Any]:
    return world.life.verify(change.id, NOW + timedelta(minutes=WATCH_MINUTES[number] + 5))


def test_pings_that_meet_their_environments_are_kept(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW)
    world.warmed(change, [minute for minute, _ in pings_of(change)])
    assert watch(world, change, 0)["outcome"] == "watch"
    assert watch(world, change, 1)["outcome"] == "keep"
    assert world.life.keep(change.id, NOW)["outcome"] == "kept"
    assert world.store.change(change.id).status is Status.KEPT


def test_early_verify_misses_no_future_ping(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW)
    assert world.life.verify(change.id, NOW + timedelta(seconds=10))["outcome"] == "watch"


@pytest.mark.parametrize(
    ("different", "calls", "message"),
    [
        (None, Calls(1000.0, 1.0), "did not arrive"),
        ({"failed": 2, "error": "the function failed"}, Calls(1000.0, 1.0), "failed"),
        ({"environments": 0}, Calls(1000.0, 1.0), "do not overlap"),
        ({}, Calls(1000.0, 40.0), "failed 40 times"),
    ],
)
def test_harmful_pings_are_rolled_back(world: World, different: Any, calls: Calls, message: str) -> None:
    change = world.approved(change_of(pings=40))
    world.life.apply(change.id, NOW)
    if different is not None:
        world.warmed(change, [minute for minute, _ in pings_of(change)], **different)
    world.calls = calls
    answer = watch(world, change, 0)
    assert answer["outcome"] == "revert"
    assert message in answer["message"]
    assert world.life.revert(change.id, NOW)["outcome"] == "reverted"
    assert world.names() == []
    assert world.store.change(change.id).status is Status.REVERTED


def test_reverting_twice_is_harmless(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW)
    assert world.life.revert(change.id, NOW) == world.life.revert(change.id, NOW)


def test_pings_of_a_plan_that_was_replaced_are_not_missed(world: World) -> None:
    former = world.approved(change_of(pings=60))
    world.life.apply(former.id, NOW)
    world.warmed(former, [minute_of(NOW) + 5])
    before = {"schedules": 59, "plans": [schedules.plan_mark(former.id)]}
    newer = replace(change_of("run-2", 3), before=before)
    world.approved(newer)
    world.life.apply(newer.id, NOW + timedelta(minutes=7))
    assert watch(world, former, 0)["outcome"] == "watch"
    assert watch(world, former, 1)["outcome"] == "keep"


def kept(world: World, environments: int, name: str = "billing", hours: float = 24, usd_day: float = 0.0) -> None:
    world.in_place.record(name, "other", KeptWarm(environments, usd_day), NOW + timedelta(hours=hours))


@pytest.mark.parametrize(
    ("environments", "usd_day", "rule"),
    [(98, 0.0, ""), (99, 0.0, "warmups.total"), (1, 0.9995, "warmups.usd_day")],
)
def test_other_applied_plans_count_towards_the_limits(
    world: World, environments: int, usd_day: float, rule: str
) -> None:
    kept(world, environments, usd_day=usd_day)
    change = world.approved(change_of())
    answer = world.life.apply(change.id, NOW)
    assert answer["outcome"] == ("refused" if rule else "applied")
    assert answer.get("rule", "") == rule
    # What was refused is not counted for the next one.
    assert world.in_place.elsewhere("billing", NOW).environments == (0 if rule else 2)


def test_ended_plans_and_own_plans_do_not_count(world: World) -> None:
    kept(world, 100, hours=0)
    kept(world, 100, name="orders")
    change = world.approved(change_of())
    assert world.life.apply(change.id, NOW)["outcome"] == "applied"
    # It replaced the former plan of the function.
    assert world.in_place.elsewhere("billing", NOW) == KeptWarm(2, 0.001)


def test_rolled_back_plan_no_longer_counts(world: World) -> None:
    change = world.approved(change_of())
    world.life.apply(change.id, NOW)
    world.life.revert(change.id, NOW)
    assert world.in_place.elsewhere("billing", NOW) == KeptWarm(0, 0.0)


def test_removed_pings_no_longer_count(world: World) -> None:
    former = world.approved(change_of())
    world.life.apply(former.id, NOW)
    nothing = change_of("run-2", pings=0, most_environments=0, usd_day=0.0)
    before = {"schedules": 12, "plans": [schedules.plan_mark(former.id)]}
    away = world.approved(replace(nothing, before=before))
    assert world.life.apply(away.id, NOW)["outcome"] == "applied"
    assert world.in_place.elsewhere("billing", NOW) == KeptWarm(0, 0.0)


class Passing:
    """A clock that goes on by a minute each time it is asked."""

    def __init__(self, start: datetime) -> None:
        self.now = start

    def __call__(self) -> datetime:
        self.now += timedelta(minutes=1)
        return self.now


class StrictScheduler:
    """A client of the scheduler that refuses times that have passed, by a clock of its own."""

    def __init__(self, scheduler: Any, clock: Any, refuses_all: bool = False) -> None:
        self._scheduler, self._clock, self._refuses_all = scheduler, clock, refuses_all

    def __getattr__(self, name: str) -> Any:
        return getattr(self._scheduler, name)

    def create_schedule(self, **request: Any) -> Any:
        if self._refuses_all or has_passed(request, self._clock.now + timedelta(minutes=2)):
            refused = {"Code": "ValidationException", "Message": "the time has passed"}
            raise ClientError({"Error": refused}, "CreateSchedule")
        return self._scheduler.create_schedule(**request)


def test_times_that_pass_during_scheduling_are_left_out(world: World) -> None:
    """The clock is asked again before each chunk, and a ping whose minute passes on the way fails nothing."""
    clock = Passing(NOW + timedelta(minutes=4))
    hooks = replace(world.hooks, scheduler=StrictScheduler(world.scheduler, clock), clock=clock)
    change = world.approved(change_of(pings=200, schedule=[[0, 1, 200, 2]]))
    assert Lifecycle(world.store, hooks).apply(change.id, NOW)["outcome"] == "applied"
    assert 190 <= len(world.names()) < 200


def test_scheduler_that_refuses_everything_fails_the_change(world: World) -> None:
    clock = Passing(NOW)
    hooks = replace(world.hooks, scheduler=StrictScheduler(world.scheduler, clock, refuses_all=True), clock=clock)
    change = world.approved(change_of())
    with pytest.raises(SchedulesRefused, match="refused 12 schedules: the time has passed"):
        Lifecycle(world.store, hooks).apply(change.id, NOW)


def test_a_version_that_runs_its_own_code_gets_no_ping(world: World) -> None:
    world.not_ready = lambda: "version 7 does not answer pings"
    change = world.approved(change_of())
    answer = world.life.apply(change.id, NOW)
    assert (answer["outcome"], answer["rule"]) == ("refused", "warmups.not_ready")
    assert "Version 7 does not answer pings" in answer["message"]
    assert world.names() == []
    assert world.in_place.elsewhere("another", NOW) == KeptWarm(0, 0.0)


def test_a_version_that_cannot_be_asked_gets_no_ping(world: World) -> None:
    def throttled() -> str:
        raise PingFailed("TooManyRequestsException: Rate Exceeded.")

    world.not_ready = throttled
    change = world.approved(change_of())
    with pytest.raises(PingFailed, match="TooManyRequestsException"):
        world.life.apply(change.id, NOW)
    assert world.names() == []
    # The state machine asks again a little later.
    world.not_ready = lambda: ""
    assert world.life.apply(change.id, NOW)["outcome"] == "applied"


@pytest.mark.parametrize(
    ("room", "elsewhere", "outcome"),
    [
        (Room(0, "its reserved concurrency is 0", 0), 0, "refused"),
        (Room(2, "its reserved concurrency is 3, of which callers need 1", 3), 60, "applied"),
        # Without a reservation, the pings of all functions share what the account has.
        (Room(50, "the account has an unreserved concurrency of 150, of which 100 stay free"), 49, "applied"),
        (Room(50, "the account has an unreserved concurrency of 150, of which 100 stay free"), 50, "refused"),
    ],
)
def test_a_plan_without_room_is_not_applied(world: World, room: Room, elsewhere: int, outcome: str) -> None:
    """A version is only asked with a ping where there is room for one."""
    asked = []
    world.not_ready = lambda: asked.append("ping") or ""  # type: ignore[func-returns-value]
    world.room = room
    world.in_place.record("another", "warmups-other", KeptWarm(elsewhere, 0.0), NOW + timedelta(hours=5))
    answer = world.life.apply(world.approved(change_of()).id, NOW)
    assert answer["outcome"] == outcome
    assert len(asked) == (outcome == "applied")
    assert outcome == "applied" or room.reason in answer["message"]


def test_each_ping_knows_what_callers_need_at_its_time_of_day(world: World) -> None:
    """Yesterday at the time of the second ping, seven calls were in progress; at the third only pings were."""
    change = change_of(pings=3, schedule=[[0, 30, 3, 2]])
    times = [NOW + timedelta(minutes=5 + 30 * n) for n in range(3)]
    a_day = timedelta(days=1)
    world.concurrency = {times[1] - a_day: 7.0, times[2] - a_day: 10.0}
    world.warmed(change_of("run-0"), [minute_of(times[2] - a_day)])
    world.life.apply(world.approved(change).id, NOW)
    inputs = [
        json.loads(world.scheduler.get_schedule(GroupName=GROUP, Name=name)["Target"]["Input"])
        for name in world.names()
    ]
    assert {(one["minute"], one["callers"], one["keep_free"]) for one in inputs} == {
        (minute_of(at), callers, 100) for at, callers in zip(times, (0, 7, 0), strict=True)
    }


@pytest.mark.parametrize(
    ("different", "reason"),
    [
        ({"environments": 1, "failed": 1, "error": "its own code ran", "own_code": ["8"]}, "its own code ran"),
        ({"asked": 0, "environments": 0, "calls": 0, "held_back": "its reserved concurrency is 0"}, "concurrency is 0"),
    ],
)
def test_a_plan_whose_pings_must_stop_is_rolled_back(world: World, different: dict[str, Any], reason: str) -> None:
    change = world.approved(change_of(pings=40))
    world.life.apply(change.id, NOW)
    due = [minute for minute, _ in pings_of(change) if minute < minute_of(NOW) + 60]
    world.warmed(change, due[:-1], **({} if different.get("own_code") else different))
    world.warmed(change, due[-1:], **different)
    answer = world.life.verify(change.id, NOW + timedelta(minutes=64), 1)
    assert answer["outcome"] == "revert"
    assert reason in answer["message"]


def test_pings_that_ask_for_less_than_planned_are_kept(world: World) -> None:
    change = world.approved(change_of(pings=40))
    world.life.apply(change.id, NOW)
    due = [minute for minute, _ in pings_of(change) if minute < minute_of(NOW) + 61]
    world.warmed(change, due, asked=1, environments=1, calls=1, held_back="its reserved concurrency is 3")
    answer = world.life.verify(change.id, NOW + timedelta(minutes=64), 1)
    assert answer["outcome"] == "watch"
    assert "asked for fewer than planned, because its reserved concurrency is 3" in answer["message"]
