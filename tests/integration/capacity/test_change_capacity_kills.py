"""A capacity change is killed after every single API call, or met by the team's own deploy there, and run again."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.lambda_twin import Twin
from local_account.memory_run_store import MemoryRunStore
from local_account.next_step import NEXT_STEP
from optimizer.aws.scheduler import ScheduleTarget
from optimizer.capacity.canary import CanaryComparison
from optimizer.capacity.change import CapacityHooks
from optimizer.capacity.duration_ratios import Minute, Side
from optimizer.capacity.lambda_account import LambdaAccount
from optimizer.capacity.live_function import LATEST
from optimizer.capacity.progress import CapacityProgress
from optimizer.capacity.provisioned.amount import mark_of
from optimizer.capacity.provisioned.timetable import Timetable
from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables
from optimizer.capacity.provisioned.use import MeasuredUse
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.function_logs import UsedMemory
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.policy.model import Policy

pytestmark = pytest.mark.slow

NAME, ALIAS, NOW = "orders", "live", datetime(2026, 11, 21, 12, tzinfo=UTC)
ARN = f"arn:aws:lambda:eu-west-1:123456789012:function:{NAME}"


class Killed(BaseException):
    """The process is gone: nothing in the code under test may catch it."""


@dataclass
class Compared:
    """Stands for the metrics: both sides alike, or the new one slower."""

    slower: float = 1.0
    use: MeasuredUse = field(default_factory=lambda: MeasuredUse(20.0, 16.0, 20.2, 1000.0, 990.0, 10.0))
    asked: list[str] = field(default_factory=list)

    def versions(self, *_: Any) -> CanaryComparison:
        return self._answer("versions", 0.1)

    def days(self, *_: Any) -> CanaryComparison:
        return self._answer("days", 1.0)

    def provisioned(self, *_: Any) -> MeasuredUse:
        return self.use

    def _answer(self, what: str, ratio: float) -> CanaryComparison:
        self.asked.append(what)
        old = Side(tuple(Minute(100, 50 + n % 3) for n in range(60)))
        new = Side(tuple(Minute(100 * ratio, self.slower * (50 + n % 3)) for n in range(60)))
        return CanaryComparison(old, new, 1.1, ratio)


@dataclass
class World:
    twin: Twin
    store: MemoryRunStore
    change: Change
    compared: Compared = field(default_factory=Compared)
    step: str = "apply"
    now: datetime = NOW

    def life(self) -> Lifecycle[CapacityProgress]:
        hooks = CapacityHooks(
            account=LambdaAccount(*_clients(self.twin), self.timetables),
            policy=Policy(),
            recheck=lambda *_: None,
            measure=self.compared,  # type: ignore[arg-type]
            used_memory=lambda *_: UsedMemory(None, ""),
            sleep=lambda _s: None,
            remaining_ms=lambda: 300_000.0,
            clock=lambda: self.now,
            timetables=self.timetables,
        )
        return Lifecycle(self.store, hooks)  # type: ignore[arg-type]

    @property
    def timetables(self) -> PlacedTimetables:
        scaling: Any = self.twin.client("application-autoscaling")
        delivery = ScheduleTarget("timetables", "arn:aws:iam::123456789012:role/timetables", f"{ARN}-provision")
        return PlacedTimetables(self.twin.client("scheduler"), scaling, delivery)  # type: ignore[arg-type]

    @property
    def status(self) -> Status:
        return self.store.change(self.change.id).status

    def until_final(self, step: str = "apply", steps: int = 50) -> str:
        """Drive the change as change.asl.json does, until nothing is left to do."""
        outcome, verification = "", 0
        for _ in range(steps):
            self.step = step
            life = self.life()
            if step == "verify":
                verification += 1
                answer = life.verify(self.change.id, NOW, verification)
            else:
                answer = getattr(life, step)(self.change.id, NOW)
            outcome = answer["outcome"]
            self.now += timedelta(seconds=answer.get("wait_s", 0) if outcome == "pending" else 0)
            following = NEXT_STEP.get((step, outcome))
            if following is None:
                return outcome
            step = following
        raise AssertionError(f"no end: {step} answers {outcome}")


def memory_change(weight: float = 0.1, provisioned: int = 0) -> Change:
    return Change(
        run_id="run",
        tuner=Tuner.MEMORY,
        action="set_memory",
        target=ARN,
        before={"memory_mb": 1024, "version": "1"},
        after={"memory_mb": 512},
        reason="cheaper",
        undo={"memory_mb": 1024},
        risk=Risk.LOW,
        evidence={"alias": ALIAS, "canary_weight": weight, "provisioned_environments": provisioned},
    )


def provisioned_change(before: dict[str, int], after: dict[str, int]) -> Change:
    return Change(
        run_id="run",
        tuner=Tuner.PROVISIONED_CONCURRENCY,
        action="set_provisioned_concurrency",
        target=ARN,
        before=before,
        after=after,
        reason="used",
        undo=before,
        risk=Risk.LOW,
        evidence={"alias": ALIAS},
    )


def make(change: Change, twin: Twin | None = None) -> World:
    twin = twin or Twin()
    store = MemoryRunStore(twin.called)
    store.record_change(change, Status.APPROVED, NOW)
    return World(twin, store, change)


def old_state(twin: Twin) -> bool:
    return twin.alias["version"] == "1" and not twin.alias["weights"] and twin.latest["MemorySize"] == 1024


def new_state(twin: Twin) -> bool:
    version = twin.versions[twin.alias["version"]]
    return version["MemorySize"] == 512 and not twin.alias["weights"] and twin.latest["MemorySize"] == 512


def with_provisioned() -> Twin:
    twin = Twin()
    twin.provisioned = {"requested": 3, "status": "READY"}
    return twin


def with_bounds() -> Twin:
    twin = Twin()
    twin.bounds = [1, 4]
    return twin


def latest_change() -> Change:
    content = LambdaAccount(*_clients(without_alias())).read(NAME, LATEST).latest.content
    return replace(
        memory_change(0.0),
        before={"memory_mb": 1024, "version": LATEST, "content": content},
        evidence={"alias": LATEST, "canary_weight": 0.0},
    )


def without_alias() -> Twin:
    return Twin(alias="")


def _clients(twin: Twin) -> Any:
    return twin.client("lambda"), twin.client("application-autoscaling")


def timetable(environments: int, first: int, end: int) -> Timetable:
    """Every day from one hour to another."""
    hours = [environments if first <= hour < end else 0 for hour in range(24)] * 7
    return Timetable.of_hours(hours, "UTC")


# On that day at noon the one holds two environments and the other three.
TWO, THREE = timetable(2, 8, 18), timetable(3, 9, 15)


def timetable_change(before: dict[str, Any], after: dict[str, Any]) -> Change:
    return replace(
        provisioned_change(before, after),
        action="schedule_provisioned_concurrency",
        evidence={"alias": ALIAS, "least_utilisation": 0.6, "utilisation_worst_day": 0.7},
    )


def first_timetable() -> Change:
    after = {"environments": 2, "floor": 0, "timetable": TWO.document()}
    return replace(timetable_change({"environments": 0}, after), run_id="run-before")


def timetable_before() -> dict[str, Any]:
    return {**first_timetable().after, "plan": mark_of(first_timetable().id)}


def with_timetable() -> Twin:
    """As the first timetable left it."""
    world = make(first_timetable(), Twin())
    world.until_final()
    world.twin.calls.clear()
    return world.twin


CASES: dict[str, tuple[Callable[[], Change], Callable[[], Twin]]] = {
    "canary": (memory_change, Twin),
    "direct": (lambda: memory_change(0.0, 3), with_provisioned),
    "latest": (latest_change, without_alias),
    "provisioned": (lambda: provisioned_change({"environments": 0}, {"environments": 2}), Twin),
    "fewer": (lambda: provisioned_change({"environments": 3}, {"environments": 1}), with_provisioned),
    "removed": (lambda: provisioned_change({"environments": 3}, {"environments": 0}), with_provisioned),
    "bounds": (
        lambda: provisioned_change({"environments": 4, "min": 1, "max": 4}, {"environments": 4, "min": 2, "max": 4}),
        with_bounds,
    ),
    "timetable": (
        lambda: timetable_change({"environments": 0}, {"environments": 3, "timetable": THREE.document()}),
        Twin,
    ),
    "other timetable": (
        lambda: timetable_change(timetable_before(), {"environments": 3, "timetable": THREE.document()}),
        with_timetable,
    ),
    "timetable removed": (lambda: provisioned_change(timetable_before(), {"environments": 0}), with_timetable),
    "timetable scaled": (
        lambda: timetable_change(
            {"environments": 4, "min": 1, "max": 4},
            {"environments": 5, "min": 5, "max": 5, "floor": 1, "timetable": timetable(5, 9, 15).document()},
        ),
        with_bounds,
    ),
}


def held_by(twin: Twin) -> tuple[int, list[int] | None, int, int]:
    """Environments, bounds, schedules and scheduled actions of ours."""
    return (twin.provisioned or {}).get("requested", 0), twin.bounds, len(twin.schedules), len(twin.actions)


OLD = {
    "timetable": (0, None, 0, 0),
    "other timetable": (2, None, 2, 0),
    "timetable removed": (2, None, 2, 0),
    "timetable scaled": (0, [1, 4], 0, 0),
}
NEW = {
    "timetable": (3, None, 2, 0),
    "other timetable": (3, None, 2, 0),
    "timetable removed": (0, None, 0, 0),
    "timetable scaled": (0, [5, 5], 0, 2),
}


def is_old(case: str, world: World) -> bool:
    if case in ("canary", "direct"):
        return old_state(world.twin)
    if case == "latest":
        return bool(world.twin.latest["MemorySize"] == 1024)
    if case in OLD:
        return held_by(world.twin) == OLD[case]
    return {
        "provisioned": world.twin.provisioned is None,
        "fewer": (world.twin.provisioned or {}).get("requested") == 3,
        "removed": (world.twin.provisioned or {}).get("requested") == 3,
        "bounds": world.twin.bounds == [1, 4],
    }[case]


def is_new(case: str, world: World) -> bool:
    if case in ("canary", "direct"):
        return new_state(world.twin)
    if case == "latest":
        return bool(world.twin.latest["MemorySize"] == 512)
    if case in NEW:
        return held_by(world.twin) == NEW[case]
    return {
        "provisioned": (world.twin.provisioned or {}).get("requested") == 2,
        "fewer": (world.twin.provisioned or {}).get("requested") == 1,
        "removed": world.twin.provisioned is None,
        "bounds": world.twin.bounds == [2, 4],
    }[case]


@pytest.mark.parametrize("case", CASES)
def test_good_change_ends_in_the_new_state(case: str) -> None:
    change, twin = CASES[case]
    world = make(change(), twin())
    assert world.until_final() == "kept"
    assert is_new(case, world)
    assert world.status is Status.KEPT


@pytest.mark.parametrize("case", CASES)
def test_bad_change_ends_in_the_old_state(case: str) -> None:
    change, twin = CASES[case]
    world = make(change(), twin())
    world.compared.slower = 1.5
    assert world.until_final() == "reverted"
    assert is_old(case, world)
    assert world.store.cool_downs([ARN], change().tuner)[ARN] > NOW


@pytest.mark.parametrize("case", CASES)
def test_kept_change_can_be_rolled_back(case: str) -> None:
    change, twin = CASES[case]
    world = make(change(), twin())
    world.until_final()
    assert world.until_final("revert") == "reverted"
    assert is_old(case, world)


@pytest.mark.parametrize("slower", [1.0, 1.5])
@pytest.mark.parametrize("case", CASES)
def test_kill_and_replay_end_in_the_old_or_new_state(case: str, slower: float) -> None:
    """A kill after any call and a replay end in the old or the new state."""
    change, twin = CASES[case]
    calm = make(change(), twin())
    calm.compared.slower = slower
    wanted = calm.until_final()
    for place in range(1, len(calm.twin.calls) + 1):
        world = make(change(), twin())
        world.compared.slower = slower
        _run_with(world, place, _kill)
        assert is_new(case, world) if wanted == "kept" else is_old(case, world), f"killed after call {place}"
        assert not set(world.twin.alias["weights"])
        assert len(world.twin.versions) <= 2


@pytest.mark.parametrize("case", CASES)
def test_kill_without_replay_is_rolled_back_by_revert(case: str) -> None:
    """A kill after any call without a replay is rolled back by revert."""
    change, twin = CASES[case]
    calm = make(change(), twin())
    calm.until_final()
    for place in range(1, len(calm.twin.calls) + 1):
        world = make(change(), twin())
        world.twin.after_call = _at(place, _kill)
        with pytest.raises(Killed):
            world.until_final()
        world.twin.after_call = lambda _n: None
        if world.status is not Status.KEPT:
            assert world.until_final("revert") == "reverted"
            assert is_old(case, world), f"killed after call {place}"


@pytest.mark.parametrize(("minute", "waits"), [(58 - 1, False), (58, True), (58 + 16, True), (58 + 17, False)])
def test_roll_back_waits_for_a_step_under_way(minute: int, waits: bool) -> None:
    """A timetable is not rolled back while one of its steps may be under way."""
    world = make(first_timetable(), Twin())
    world.until_final()
    world.now = NOW.replace(hour=7) + timedelta(minutes=minute)
    first = world.life().revert(world.change.id, NOW)
    assert not world.twin.schedules
    assert first["outcome"] == ("pending" if waits else "reverted")
    # Whatever the step sets meanwhile is put back.
    if waits:
        world.twin.provisioned = {"requested": 2, "status": "READY"}
        world.now += timedelta(seconds=30)
        assert world.until_final("revert") == "reverted"
    assert world.twin.provisioned is None


@pytest.mark.parametrize("change", ["timetable", "timetable scaled"])
def test_timetable_is_blocked_by_scheduled_actions(change: str) -> None:
    """A timetable is blocked where the team has scheduled actions of its own."""
    make_change, twin = CASES[change]
    world = make(make_change(), twin())
    world.twin.bounds = world.twin.bounds or [0, 4]
    world.twin.actions["lunch"] = {}
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] in ("refused", "stale")
    assert list(world.twin.actions) == ["lunch"]
    assert not world.twin.schedules


@pytest.mark.parametrize("case", ["timetable", "other timetable", "timetable scaled"])
def test_timetable_that_calls_do_not_meet_is_rolled_back(case: str) -> None:
    change, twin = CASES[case]
    world = make(change(), twin())
    world.compared.use = MeasuredUse(20.0, 0.0, None, 1000.0, 0.0, 0.0)
    assert world.until_final() == "reverted"
    assert "no data" in world.store.change(world.change.id).message
    assert is_old(case, world)


def test_schedules_of_a_deleted_function_are_deleted() -> None:
    world = make(first_timetable(), Twin())
    world.until_final()
    world.twin.alias_name = ""
    assert world.until_final("revert") == "reverted"
    assert not world.twin.schedules


@pytest.mark.parametrize("deploy", ["team_updates_code", "team_deploys", "team_sets_timeout"])
@pytest.mark.parametrize("kill", [False, True])
@pytest.mark.parametrize("case", ["canary", "direct"])
def test_deployment_by_the_team_stays_at_any_point(case: str, deploy: str, kill: bool) -> None:
    change, twin = CASES[case]
    calm = make(change(), twin())
    calm.until_final()
    for place in range(1, len(calm.twin.calls) + 1):
        world = make(change(), twin())
        team: list[dict[str, Any]] = []

        def act(world: World = world, team: list[dict[str, Any]] = team) -> None:
            getattr(world.twin, deploy)()
            team.append({"alias": dict(world.twin.alias), "latest": dict(world.twin.latest)})
            if kill:
                raise Killed

        outcome = _run_with(world, place, act)
        where = f"{deploy} after call {place} ({calm.twin.calls[place - 1]}) ended as {outcome}"
        now = world.twin
        assert now.latest["CodeSha256"] == team[0]["latest"]["CodeSha256"], where
        assert now.latest["Timeout"] == team[0]["latest"]["Timeout"], where
        if deploy == "team_deploys":
            assert now.alias["version"] == team[0]["alias"]["version"], where
            assert not now.alias["weights"], where
        else:
            # What the team has not released is on no version that the alias calls.
            called = [now.alias["version"], *now.alias["weights"]]
            assert all(now.versions[v]["CodeSha256"] == "code-1" for v in called), where
            assert all(now.versions[v]["Timeout"] == 3 for v in called), where
            assert not now.alias["weights"], where
        assert world.status in (Status.KEPT, Status.REVERTED, Status.STALE, Status.REFUSED), where
        if world.status is not Status.KEPT and now.alias["version"] == "1":
            assert now.latest["MemorySize"] == 1024, where


@pytest.mark.parametrize("deploy", ["team_updates_code", "team_sets_timeout"])
def test_deployment_without_alias_keeps_its_code(deploy: str) -> None:
    """A deployment of a function without alias keeps its code, and never half a change."""
    calm = make(latest_change(), without_alias())
    calm.until_final()
    for place in range(1, len(calm.twin.calls) + 1):
        world = make(latest_change(), without_alias())
        _run_with(world, place, getattr(world.twin, deploy))
        latest = world.twin.latest
        assert (latest["CodeSha256"], latest["Timeout"]) != ("code-1", 3)
        assert latest["MemorySize"] == (512 if world.status is Status.KEPT else 1024), f"{deploy} after call {place}"
        assert world.twin.versions.keys() == {"1"}


def test_failed_allocation_is_rolled_back() -> None:
    twin = with_provisioned()
    twin.allocation_fails_from = 5
    world = make(provisioned_change({"environments": 3}, {"environments": 5}), twin)
    assert world.until_final() in ("failed", "reverted")
    assert world.twin.provisioned == {"requested": 3, "status": "READY"}
    assert world.status is Status.FAILED


@pytest.mark.parametrize(
    ("spoil", "outcome", "words"),
    [
        (lambda twin: twin.team_deploys(), "stale", "alias points at version 2"),
        (lambda twin: twin.team_updates_code(), "refused", "holds code"),
        (lambda twin: twin.team_sets_timeout(), "refused", "holds configuration"),
        (lambda twin: twin.latest.update(MemorySize=2048), "refused", "memory size of 2048 MB"),
        (lambda twin: twin.alias.update(weights={"9": 0.5}), "refused", "shifting traffic"),
        (lambda twin: twin.tags.update({"aws:cloudformation:stack-name": "shop"}), "refused", "Stack shop"),
        (lambda twin: twin.tags.update({"managed-by": "terraform"}), "refused", "Terraform"),
        (lambda twin: twin.latest.update(SnapStart={"ApplyOn": "PublishedVersions"}), "refused", "configuration"),
        (
            lambda twin: [one.update(PackageType="Image") for one in (twin.versions["1"], twin.latest)],
            "refused",
            "image",
        ),
    ],
)
def test_obstacle_is_named_and_nothing_is_written(spoil: Callable[[Twin], object], outcome: str, words: str) -> None:
    world = make(memory_change())
    spoil(world.twin)
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] == outcome
    assert words in answer["message"]
    assert not [call for call in world.twin.calls if call.startswith(("update", "publish", "put", "delete"))]


def test_change_nobody_approved_is_not_applied() -> None:
    world = make(memory_change())
    world.store.move(world.change.id, Status.REJECTED, NOW, from_any={Status.APPROVED})
    assert world.life().apply(world.change.id, NOW)["outcome"] == "refused"
    assert world.twin.calls == ["move"]


def test_observation_waits_for_its_ages_without_a_count() -> None:
    world = make(memory_change())
    applied = world.life().apply(world.change.id, NOW)
    assert applied == {"outcome": "applied", "change_id": world.change.id, "wait_s": 18 * 60}
    early = world.life().verify(world.change.id, NOW + timedelta(minutes=10))
    assert early == {"outcome": "watch", "change_id": world.change.id, "wait_s": 8 * 60}
    assert not world.compared.asked


def _at(place: int, act: Callable[[], None]) -> Callable[[int], None]:
    return lambda n: act() if n == place else None


def _kill() -> None:
    raise Killed


def _run_with(world: World, place: int, act: Callable[[], None]) -> str:
    """Run; if killed, run the same step again, as the machine does."""
    world.twin.after_call = _at(place, act)
    try:
        return world.until_final()
    except Killed:
        world.twin.after_call = lambda _n: None
        return world.until_final(world.step)
