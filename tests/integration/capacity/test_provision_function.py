"""A step of a timetable sets what the timetable says of the moment, and nothing that is not the timetable's to set."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from local_account.lambda_twin import Twin
from local_account.memory_run_store import MemoryRunStore
from optimizer import guardrails
from optimizer.aws.scheduler import ScheduleTarget
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.live_function import SCALABLE_DIMENSION, LiveFunction, Placed, Scaling, Version
from optimizer.capacity.provisioned.amount import held, mark_of
from optimizer.capacity.provisioned.scheduled_step import HoldMinimum
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables, schedule_name
from optimizer.capacity.provisioned.use import Period, days_to_observe, judge_use, measured
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.guardrails import provisioned_concurrency as pc
from optimizer.policy.model import Mode, Policy, ProvisionedConcurrency, Warmups

from tests.helpers.own_account import own_account
from tests.helpers.rates import PRICED

NAME, GROUP = "orders", "timetables"
ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{NAME}"
# A Monday.
NINE = datetime(2026, 11, 23, 9, tzinfo=UTC)
OFFICE = Timetable.of_hours([3 if h // 24 < 5 and 8 <= h % 24 < 18 else 0 for h in range(168)], "UTC")
CHANGE = Change(
    run_id="run",
    tuner=Tuner.PROVISIONED_CONCURRENCY,
    action="schedule_provisioned_concurrency",
    target=ARN,
    before={"environments": 0},
    after={"environments": 3, "floor": 0, "timetable": OFFICE.document()},
    reason="busy",
    undo={"environments": 0},
    risk=Risk.LOW,
    evidence={"alias": "live", "usd_month": 10.0, "usd_dearest_day": 0.5, "utilisation": 0.8, **PRICED},
)
AUTO = Policy(mode=Mode.AUTO)


@dataclass
class World:
    twin: Twin = field(default_factory=lambda: Twin(NAME))
    store: MemoryRunStore = field(default_factory=MemoryRunStore)
    policy: Policy = AUTO
    status: Status = Status.KEPT

    def __post_init__(self) -> None:
        self.store.record_change(CHANGE, self.status, NINE)
        for number in range(len(OFFICE.entries)):
            self.twin.schedules[schedule_name(ARN, mark_of(CHANGE.id), number)] = dict.fromkeys(
                ("Name", "ScheduleExpression", "ScheduleExpressionTimezone"), "x"
            ) | {"Target": {"Arn": "x", "RoleArn": "x"}}

    def fires(self, at: datetime, entry: int = 0) -> dict[str, Any]:
        functions: Any = self.twin.client("lambda")
        scaling: Any = self.twin.client("application-autoscaling")
        scheduler: Any = self.twin.client("scheduler")

        def recheck(change: Change, live: LiveFunction) -> guardrails.Refusal | None:
            there = pc.ProvisionedState(held(live).environments, 1000, live.reserved)
            return guardrails.still_allowed(change, there, self.policy)

        life = HoldMinimum(
            store=self.store,  # type: ignore[arg-type]
            account=LambdaAccount(functions, scaling),
            timetables=PlacedTimetables(scheduler, scaling, ScheduleTarget(GROUP)),
            recheck=recheck,
            holidays=lambda live: self.policy.rest_days(live.function_name, live.tags).holidays,
        )
        return life.hold(CHANGE.id, entry, at)

    @property
    def environments(self) -> int:
        return (self.twin.provisioned or {}).get("requested", 0)


def test_holiday_of_todays_policy_holds_nothing() -> None:
    holiday = Warmups(holidays=(NINE.date(),))
    world = World(policy=replace(AUTO, warmups=holiday))
    assert world.fires(NINE)["environments"] == 0
    assert world.fires(NINE + timedelta(days=1))["environments"] == 3
    # A policy that names the day too late gives nothing back before the next step does.
    world.policy = replace(AUTO, warmups=Warmups(holidays=((NINE + timedelta(days=1)).date(),)))
    assert world.fires(NINE + timedelta(days=1, hours=9), entry=1)["environments"] == 0


def test_late_step_sets_the_amount_of_its_moment() -> None:
    """A step sets what the timetable says for the moment in which it comes, however late that is."""
    world = World()
    for at, wanted in ((NINE, 3), (NINE + timedelta(hours=9), 0), (NINE + timedelta(days=1), 3), (NINE, 3)):
        assert world.fires(at) == {"outcome": "held", "change_id": CHANGE.id, "environments": wanted}
        assert world.environments == wanted
    # The step that should have given them back is the one that comes, an hour late.
    world.fires(NINE + timedelta(hours=10), entry=1)
    assert world.environments == 0


def test_step_that_comes_twice_writes_once() -> None:
    world = World()
    world.fires(NINE)
    world.fires(NINE)
    assert world.twin.calls.count("put_provisioned_concurrency_config") == 1


def weighted(world: World) -> None:
    world.twin.alias["weights"] = {"9": 0.1}


def scaled(world: World) -> None:
    world.twin.bounds = [1, 5]


def team_sets_another(world: World) -> None:
    world.twin.provisioned = {"requested": 7, "status": "READY"}


def taken_away(world: World) -> None:
    world.twin.schedules.clear()


def reverting(world: World) -> None:
    world.store.move(CHANGE.id, Status.REVERTING, NINE, from_any={Status.KEPT})


def none_allowed(world: World) -> None:
    world.policy = Policy(mode=Mode.AUTO, provisioned_concurrency=ProvisionedConcurrency(max_per_function=0))


def no_budget(world: World) -> None:
    world.policy = Policy(mode=Mode.AUTO, provisioned_concurrency=ProvisionedConcurrency(max_usd_day=0.0))


def only_recommends(world: World) -> None:
    world.policy = Policy()


def no_alias(world: World) -> None:
    world.twin.alias_name = ""


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (weighted, "being shifted"),
        (scaled, "Application Auto Scaling owns"),
        (team_sets_another, "somebody else set"),
        (taken_away, "was removed"),
        (reverting, "is reverting"),
        (none_allowed, "per_function"),
        (no_budget, "usd_day"),
        (only_recommends, "only recommends"),
        (no_alias, "no alias"),
    ],
)
def test_step_leaves_the_alias_and_tells_the_reason(what: Any, words: str) -> None:
    world = World()
    what(world)
    before = world.environments
    answer = world.fires(NINE)
    assert answer["outcome"] == "left"
    assert words in answer["message"]
    assert world.environments == before


@pytest.mark.parametrize("what", [none_allowed, no_budget, only_recommends, weighted])
def test_environments_are_given_back_under_any_policy(what: Any) -> None:
    world = World()
    world.fires(NINE)
    what(world)
    assert world.fires(NINE + timedelta(hours=9))["environments"] == 0
    assert world.environments == 0


def live(scaling: Scaling | None = None) -> LiveFunction:
    version = Version("1", 512, "code", "content", "r", settled=True, failed=False)
    return LiveFunction(NAME, "live", "1", "a", {}, version, version, scaling=scaling, function_arn=ARN)


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> Iterator[PlacedTimetables]:
    with own_account(monkeypatch, "eu-west-1"):
        scheduler, scaling = boto3.client("scheduler"), boto3.client("application-autoscaling")
        scheduler.create_schedule_group(Name=GROUP)
        scaling.register_scalable_target(
            ServiceNamespace="lambda",
            ResourceId=f"function:{NAME}:live",
            ScalableDimension=SCALABLE_DIMENSION,
            MinCapacity=1,
            MaxCapacity=5,
        )
        role = "arn:aws:iam::123456789012:role/timetables"
        yield PlacedTimetables(
            scheduler, scaling, ScheduleTarget(GROUP, role, f"{ARN}-provision", "arn:aws:sqs:x:1:dead")
        )


@pytest.mark.parametrize("scaling", [None, Scaling(1, 5)])
def test_entries_of_others_are_never_touched(placed: PlacedTimetables, scaling: Scaling | None) -> None:
    """Entries are created, read and deleted; those of others stay."""
    function, mark = live(scaling), mark_of(CHANGE.id)
    placed.scaling.put_scheduled_action(
        ServiceNamespace="lambda",
        ScheduledActionName="lunch",
        ResourceId=f"function:{NAME}:live",
        ScalableDimension=SCALABLE_DIMENSION,
        Schedule="cron(0 12 * * ? *)",
        ScalableTargetAction={"MinCapacity": 2},
    )
    for number, entry in [*enumerate(OFFICE.entries), *enumerate(OFFICE.entries)]:
        placed.put(function, mark, number, entry, "Europe/Berlin")
    placed.put(function, "f" * 16, 0, OFFICE.entries[0], "UTC")
    there = {mark: frozenset({0, 1}), "f" * 16: frozenset({0})}
    team = ("lunch",) if scaling else ()
    assert placed.read(ARN, "live", scaled=scaling is not None) == Placed(there, team, tracked=False)
    if scaling is None:
        made = placed.scheduler.get_schedule(GroupName=GROUP, Name=schedule_name(ARN, mark, 0))
        assert made["ScheduleExpression"] == "cron(58 7 ? * MON,TUE,WED,THU,FRI *)"
        assert made["ScheduleExpressionTimezone"] == "Europe/Berlin"
        assert placed.is_in_place(ARN, mark, 0)
    else:
        actions = placed.scaling.describe_scheduled_actions(ServiceNamespace="lambda")["ScheduledActions"]
        made_action = next(a for a in actions if a["ScheduledActionName"] == f"optimizer-{mark}-00")
        assert made_action["Schedule"] == "cron(58 7 ? * MON,TUE,WED,THU,FRI *)"
        assert made_action["ScalableTargetAction"] == {"MinCapacity": 3}
    placed.remove(function, mark)
    placed.remove(function, mark)
    left = placed.read(ARN, "live", scaled=scaling is not None)
    assert left == Placed({"f" * 16: frozenset({0})}, team, tracked=False)
    assert not placed.is_in_place(ARN, mark, 0)


def period(held: float = 15.0, calls: float = 100.0, on_them: float = 95.0, use: float | None = 0.8) -> Period:
    return Period(held, calls, 5400.0, on_them, calls - on_them, None if use is None else 3 * use, use)


def test_timetable_used_as_planned_is_kept() -> None:
    """It is kept once a day of it has passed."""
    use = measured([period()] * 120 + [period(held=0.0, calls=5.0, on_them=0.0, use=None)] * 168)
    assert (use.held_hours, use.paid_hours) == pytest.approx((30.0, 30.0))
    assert use.utilisation == pytest.approx(120 * 95 * 5.4 / 3600 / 30)
    early, due = (judge_use(use, least=0.6, worst_day=0.55, due=due) for due in (False, True))
    assert (early.healthy, early.enough) == (True, False)
    assert (due.healthy, due.enough) == (True, True)
    assert "5.0% of the calls spilled over" in due.reason


def test_unused_timetable_is_rolled_back() -> None:
    """Environments that are missing, or used less than on the worst day planned on, are rolled back."""
    missing = measured([period(on_them=0.0, use=None)] * 12)
    assert "no data" in judge_use(missing, least=0.6, worst_day=0.5, due=False).reason
    idle = measured([period(calls=40.0, on_them=40.0, use=0.24)] * 120)
    assert judge_use(idle, least=0.6, worst_day=0.5, due=False).healthy
    assert not judge_use(idle, least=0.6, worst_day=0.5, due=True).healthy
    # It pays, whatever the days before were like.
    assert judge_use(idle, least=0.2, worst_day=0.5, due=True).healthy


@pytest.mark.parametrize(
    ("applied", "days"), [(NINE, 1), (NINE + timedelta(days=5), 3), (NINE + timedelta(days=4, hours=3), 3)]
)
def test_weekday_timetable_is_observed_past_a_weekday(applied: datetime, days: int) -> None:
    assert days_to_observe(OFFICE, applied) == days
