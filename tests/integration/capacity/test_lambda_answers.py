"""Changes of capacity against what Lambda and its neighbours answer at times, each kind a switch of the twin."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from local_account.closed_loop import ClosedLoop
from local_account.lambda_twin import Twin
from local_account.simulated_fleet import simulated_fleet
from optimizer.capacity.lambda_account import TagsUnreadable
from optimizer.capacity.observation_times import ObservationTimes
from optimizer.core.change import Status
from optimizer.policy.model import Mode, Policy, RunLimits

from tests.integration.capacity.test_change_capacity_kills import (
    CASES,
    NOW,
    World,
    held_by,
    is_new,
    is_old,
    make,
    memory_change,
    new_state,
    old_state,
    provisioned_change,
    timetable,
    timetable_change,
    with_bounds,
    with_provisioned,
)

_STEPS = 200


def world_of(change: Any, twin: Twin, **switches: Any) -> World:
    world = make(change, twin)
    twin.switches = replace(twin.switches, **switches)
    twin.clock = lambda: world.now
    return world


def writes(twin: Twin) -> list[str]:
    return [call for call in twin.calls if call.startswith(("update", "publish", "put", "delete", "register"))]


@pytest.mark.parametrize("minutes", [0, 1, 15])
@pytest.mark.parametrize("scaled", [False, True])
def test_environments_that_move_with_the_alias_are_waited_for(minutes: int, scaled: bool) -> None:
    """Lambda's own weights stand on the alias until the environments of the new version are ready."""
    twin = with_provisioned()
    twin.bounds = [3, 6] if scaled else None
    world = world_of(memory_change(0.0, 0 if scaled else 3), twin, alias_transition_minutes=minutes)
    assert world.until_final(steps=_STEPS) == "kept"
    assert new_state(twin)
    assert twin.provisioned == {"requested": 3, "status": "READY"}
    assert world.now - NOW >= timedelta(minutes=minutes)


@pytest.mark.parametrize("minutes", [0, 1, 15])
def test_rolled_back_alias_gets_its_environments_back(minutes: int) -> None:
    world = world_of(memory_change(0.0, 3), with_provisioned(), alias_transition_minutes=minutes)
    world.compared.slower = 1.5
    assert world.until_final(steps=_STEPS) == "reverted"
    assert old_state(world.twin)
    assert world.twin.provisioned == {"requested": 3, "status": "READY"}


def test_change_is_rolled_back_while_environments_move() -> None:
    """A weight of the version to go back to is not written back: Lambda refuses a weight on an alias' own version."""
    world = world_of(memory_change(0.0, 3), with_provisioned(), alias_transition_minutes=15)
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] == "pending"
    assert "moves the provisioned environments" in answer["message"]
    assert world.twin.alias["weights"] == {"1": 1.0}
    assert world.until_final("revert", _STEPS) == "reverted"
    assert old_state(world.twin)


@pytest.mark.parametrize("minutes", [0, 15])
def test_environments_that_do_not_fit_end_the_change(minutes: int) -> None:
    twin = with_provisioned()
    world = world_of(memory_change(0.0, 3), twin, alias_transition_minutes=minutes)
    world.life().apply(world.change.id, NOW)
    twin.provisioned = {"requested": 3, "status": "FAILED"}
    twin.allocating = 0
    assert world.until_final("poll", _STEPS) == "failed"
    assert old_state(twin)


def test_deployment_whose_environments_move_is_waited_for() -> None:
    """Provisioned concurrency is changed once Lambda has moved the alias of a deployment."""
    twin = with_provisioned()
    world = world_of(provisioned_change({"environments": 3}, {"environments": 5}), twin, alias_transition_minutes=15)
    after_the_check(twin, lambda: deploy(twin))
    assert world.life().apply(world.change.id, NOW)["outcome"] == "pending"
    assert twin.alias["weights"] == {"1": 1.0}
    assert world.until_final("poll", _STEPS) == "kept"
    assert twin.provisioned == {"requested": 5, "status": "READY"}
    assert twin.alias["weights"] == {}


def deploy(twin: Twin) -> None:
    twin.team_updates_code()
    twin.update_alias(FunctionVersion=twin._publish(), RevisionId=twin.alias["revision"], RoutingConfig=_NO_WEIGHTS)


def after_the_check(twin: Twin, act: Callable[[], object]) -> None:
    """Act once, after the live state was read before the change."""
    done: list[bool] = []

    def after_call(_number: int) -> None:
        if "list_provisioned_concurrency_configs" in twin.calls and not done:
            done.append(True)
            act()

    twin.after_call = after_call


_NO_WEIGHTS: dict[str, Any] = {"AdditionalVersionWeights": {}}


@pytest.mark.parametrize("allowed", ["allowed", "refused"])
@pytest.mark.parametrize("case", ["canary", "direct"])
def test_memory_changes_whatever_the_weights_are(case: str, allowed: str) -> None:
    change, twin = CASES[case]
    world = world_of(change(), twin(), weights_beside_provisioned=allowed)
    assert world.until_final(steps=_STEPS) == "kept"
    assert is_new(case, world)


@pytest.mark.parametrize("allowed", ["allowed", "refused"])
def test_canary_makes_way_for_provisioned_concurrency(allowed: str) -> None:
    """Provisioned concurrency that the team sets after the change was prepared ends the change."""
    calm = world_of(memory_change(), Twin())
    calm.until_final()
    for place in range(1, calm.twin.calls.index("update_alias") + 1):
        world = world_of(memory_change(), Twin(), weights_beside_provisioned=allowed)

        def act(number: int, world: World = world, place: int = place) -> None:
            if number == place:
                world.twin.provisioned = {"requested": 2, "status": "READY"}

        world.twin.after_call = act
        outcome = world.until_final(steps=_STEPS)
        where = f"set after call {place} ({calm.twin.calls[place - 1]}) ended as {outcome}"
        assert not world.twin.alias["weights"], where
        assert world.twin.provisioned == {"requested": 2, "status": "READY"}, where
        if world.status is not Status.KEPT:
            assert old_state(world.twin), where


@pytest.mark.parametrize(("holder", "words"), [("1", "version 1 itself"), ("blue", "alias blue")])
@pytest.mark.parametrize("case", ["provisioned", "timetable"])
def test_version_that_another_holder_provisions_is_refused(case: str, holder: str, words: str) -> None:
    """A version has one holder of provisioned concurrency: the reason is told, and nothing is tried."""
    change, twin = CASES[case]
    world = world_of(change(), twin())
    world.twin.others, world.twin.aliases_of_others = {holder: 4}, {"blue": "1"}
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] == "refused"
    assert answer["rule"] == "provisioned.elsewhere"
    assert words in answer["message"]
    assert not writes(world.twin)


def test_holder_that_comes_after_the_check_ends_the_change() -> None:
    world = world_of(provisioned_change({"environments": 0}, {"environments": 2}), Twin())
    after_the_check(world.twin, lambda: world.twin.others.update({"1": 4}))
    assert world.until_final() == "stale"
    assert "held by version 1 itself" in world.store.change(world.change.id).message
    assert world.twin.provisioned is None


def test_alias_of_another_version_is_no_obstacle() -> None:
    world = world_of(provisioned_change({"environments": 0}, {"environments": 2}), Twin())
    world.twin.others, world.twin.aliases_of_others = {"blue": 4}, {"blue": "7"}
    assert world.until_final() == "kept"
    assert world.twin.provisioned == {"requested": 2, "status": "READY"}


@pytest.mark.parametrize("case", ["canary", "direct"])
def test_weights_of_a_deployment_stay_at_any_point(case: str) -> None:
    """CodeDeploy sets its weights whatever the alias has; ours are gone in the end, and its are not touched."""
    change, twin = CASES[case]
    # Where weights beside provisioned concurrency are refused, CodeDeploy cannot begin either.
    beside = {"weights_beside_provisioned": "allowed"}
    calm = world_of(change(), twin(), **beside)
    calm.until_final()
    for place in range(1, len(calm.twin.calls) + 1):
        world = world_of(change(), twin(), **beside)
        theirs: list[dict[str, float]] = []

        def act(number: int, world: World = world, theirs: Any = theirs, place: int = place) -> None:
            if number == place:
                world.twin.codedeploy_starts()
                theirs.append(dict(world.twin.alias["weights"]))

        world.twin.after_call = act
        outcome = world.until_final(steps=_STEPS)
        where = f"started after call {place} ({calm.twin.calls[place - 1]}) ended as {outcome}"
        assert world.twin.alias["weights"] == theirs[0], where
        world.twin.codedeploy_ends()
        assert world.twin.versions[world.twin.alias["version"]]["CodeSha256"] == "code-2", where


def test_canary_ends_at_the_look_after_a_deployment_begins() -> None:
    """New code in $LATEST is how a deployment begins: our weights make way before its come."""
    world = world_of(memory_change(), Twin())
    applied = world.life().apply(world.change.id, NOW)
    world.twin.team_updates_code()
    world.now += timedelta(seconds=applied["wait_s"])
    seen = world.life().verify(world.change.id, world.now, 1)
    assert seen["outcome"] == "revert"
    assert "a deployment has begun" in seen["message"]
    assert world.life().revert(world.change.id, world.now, seen["message"])["outcome"] == "reverted"
    assert world.twin.alias["weights"] == {}
    assert not world.store.taken_back(world.change.target, world.change.tuner, world.now)


@pytest.mark.parametrize("start", ["team_updates_code", "codedeploy_starts"])
def test_deployment_does_not_find_a_canary_for_days(start: str) -> None:
    """Between two looks that are hours apart, glances see that a deployment has begun."""
    world = world_of(memory_change(), Twin())
    life = world.life()
    wait_s, ages = life.apply(world.change.id, NOW)["wait_s"], []
    for verification in range(1, 90):
        world.now += timedelta(seconds=wait_s)
        ages.append(world.now - NOW)
        if world.now - NOW > timedelta(hours=3) and not world.twin.calls.count("deployed"):
            getattr(world.twin, start)()
            world.twin.calls.append("deployed")
        seen = life.verify(world.change.id, world.now, verification)
        # The record of an answer that was lost takes the same glance or look again.
        assert life.verify(world.change.id, world.now, verification) == seen
        if seen["outcome"] != "watch":
            break
        wait_s = seen["wait_s"]
    assert seen["outcome"] == "revert"
    assert timedelta(hours=3) < ages[-1] < timedelta(hours=5)
    assert len(world.compared.asked) == 2 * 2


def test_looks_come_at_their_ages_whatever_glances_are_between() -> None:
    world = world_of(memory_change(), Twin())
    world.compared.slower = 1.02
    life = world.life()
    wait_s, looks = life.apply(world.change.id, NOW)["wait_s"], []
    for verification in range(1, 100):
        world.now += timedelta(seconds=wait_s)
        before = len(world.compared.asked)
        seen = life.verify(world.change.id, world.now, verification)
        if len(world.compared.asked) > before:
            looks.append(round((world.now - NOW).total_seconds() / 60) - 3)
        if seen["outcome"] != "watch":
            break
        wait_s = seen["wait_s"]
    times = ObservationTimes.of(Policy().memory, NOW)
    assert looks == list(times.minutes[: len(looks)])
    assert len(looks) >= 3


@pytest.mark.parametrize("case", ["bounds", "timetable scaled"])
@pytest.mark.parametrize("trial", ["tagged", "untagged"])
def test_trial_calls_of_a_scaling_target_decide_the_change(case: str, trial: str) -> None:
    """Where they fail for want of a right, the change has failed with the reason, and nothing of it is left."""
    change, twin = CASES[case]
    world = world_of(change(), twin(), scalable_target_trial=trial)
    if trial == "tagged":
        assert world.until_final() == "kept"
        assert is_new(case, world)
        return
    assert world.until_final() == "failed"
    assert "AWS refused RegisterScalableTarget" in world.store.change(world.change.id).message
    assert is_old(case, world)


def test_version_that_is_pending_for_minutes_is_waited_for() -> None:
    """SnapStart takes minutes for a new version, and does not exclude another memory size."""
    twin = Twin()
    for content in (twin.latest, twin.versions["1"]):
        content["SnapStart"] = {"ApplyOn": "PublishedVersions", "OptimizationStatus": "On"}
    world = world_of(memory_change(), twin, snap_start_s=240)
    applied = world.life().apply(world.change.id, NOW)
    assert applied["outcome"] == "pending"
    assert world.until_final("poll", _STEPS) == "kept"
    assert new_state(twin)
    assert world.now - NOW >= timedelta(minutes=4)


def test_timetable_step_leaves_an_alias_that_lambda_moves() -> None:
    world = world_of(
        timetable_change({"environments": 3}, {"environments": 3, "timetable": timetable(3, 9, 15).document()}),
        with_provisioned(),
        alias_transition_minutes=15,
    )
    world.twin.team_deploys()
    world.twin.alias["weights"] = {"1": 1.0}
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] == "refused"
    assert "Lambda is moving alias live" in answer["message"]
    assert held_by(world.twin)[0] == 3


@pytest.mark.parametrize("tags", [{"managed-by": "terraform"}, {"aws:cloudformation:stack-name": "shop"}])
def test_provisioned_concurrency_of_a_template_is_left_alone(tags: dict[str, str]) -> None:
    world = world_of(provisioned_change({"environments": 3}, {"environments": 1}), with_provisioned())
    world.twin.tags = tags
    answer = world.life().apply(world.change.id, NOW)
    assert answer["outcome"] == "refused"
    assert "owns the provisioned concurrency" in answer["message"]
    assert not writes(world.twin)


def test_scaling_target_of_a_template_is_still_changed() -> None:
    """The bounds of a scaling target are changed, whoever owns the function."""
    change, _ = CASES["bounds"]
    twin = with_bounds()
    twin.tags = {"managed-by": "terraform"}
    world = world_of(replace(change()), twin)
    assert world.until_final() == "kept"


def one_day(spoil: Callable[[Twin], object] = lambda _twin: None) -> ClosedLoop:
    """Plan for a day in which functions have a better size, after something has happened to all of them."""
    loop = ClosedLoop(simulated_fleet(8, BEGIN, 1, (), seed=1), LOOP_POLICY, BEGIN, most_lines=1000)
    for twin in loop.twins.values():
        spoil(twin)
    loop.one_day(BEGIN)
    return loop


BEGIN = datetime(2026, 11, 9, 9, tzinfo=UTC)
LOOP_POLICY = Policy(mode=Mode.AUTO, run=RunLimits(max_changes=1000, max_changes_share=1.0))


def test_shifted_traffic_is_seen_before_a_change_is_proposed() -> None:
    assert one_day().ended
    shifting = one_day(lambda twin: twin.alias.update(weights={"9": 0.5}))
    assert not shifting.ended
    assert any("shifting traffic of alias live to version 9" in item.reason for item in shifting.no_changes)


def test_function_left_alone_takes_one_call_of_the_quota() -> None:
    """Who shifts traffic of an alias is only asked where a change would be proposed."""
    kind = {"DurableConfig": {"ExecutionTimeout": 60, "RetentionPeriodInDays": 1}}
    loop = one_day(lambda twin: twin.versions["1"].update(kind))
    assert not loop.ended
    for twin in loop.twins.values():
        calls = [call for call in twin.calls if call.startswith(("get_", "list_"))]
        assert calls == ["get_function", "get_function", "list_provisioned_concurrency_configs"]


def test_function_whose_tags_cannot_be_read_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    """GetFunction answers without tags where lambda:ListTags is missing: the owner is unknown then, and not nobody."""

    def without_tags(twin: Twin, FunctionName: str, Qualifier: str = "$LATEST") -> dict[str, Any]:  # noqa: N803
        configuration = twin.get_function_configuration(FunctionName, Qualifier)
        return {"Configuration": configuration, "TagsError": {"ErrorCode": "AccessDenied", "Message": "no ListTags"}}

    monkeypatch.setattr(Twin, "get_function", without_tags)
    world = world_of(memory_change(), Twin())
    with pytest.raises(TagsUnreadable, match="the tags of orders cannot be read: no ListTags"):
        world.life().apply(world.change.id, NOW)
    assert not writes(world.twin)
