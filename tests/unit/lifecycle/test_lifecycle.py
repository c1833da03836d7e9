"""The lifecycle with a toy tuner: a lamp that is given another colour, in memory.

Every step is repeated, killed after each write, called while another call is at work, and called out of order.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from local_account.memory_run_store import MemoryRunStore
from local_account.next_step import NEXT_STEP
from optimizer.aws import InvalidEvent, MetricsUnreadable
from optimizer.core.change import Change, Risk, Status, Tuner
from optimizer.guardrails import WindowWait
from optimizer.lifecycle.hooks import (
    Applied,
    Blocked,
    End,
    Failed,
    Finished,
    Hooks,
    Keep,
    Look,
    LookAgain,
    Observation,
    Outdated,
    Pending,
    Ready,
    RollBack,
    RolledBack,
    WatchOn,
    rest_until,
)
from optimizer.lifecycle.lifecycle import Lifecycle
from optimizer.lifecycle.progress import ChangeProgress, Recorder
from optimizer.store.errors import Overtaken

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CHANGE = Change(
    run_id="run-1",
    tuner=Tuner.MEMORY,
    action="paint",
    target="lamp",
    before={"colour": "red"},
    after={"colour": "green"},
    reason="because",
    undo={"colour": "red"},
    risk=Risk.LOW,
)
NEXT = NEXT_STEP | {("keep", "pending"): "keep"}


class Killed(BaseException):
    """The process is gone: nothing in the code under test may catch it."""


class Dark(RuntimeError):
    """The lamp cannot be reached at the moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LampProgress(ChangeProgress):
    """The colours that are being painted."""

    layers: int = 0
    finished: bool | None = None


@dataclass
class Lamp:
    """The world: a lamp, and what happens to it."""

    colour: str = "red"
    layers: int = 0
    unreachable: int = 0
    says: Callable[[Look], Keep | WatchOn | LookAgain | RollBack] = lambda look: (
        Keep("all well") if look.is_last else WatchOn()
    )
    prepared: End | None = None
    ends: Finished | Pending | RollBack | Failed = field(default_factory=lambda: Finished("painted"))
    back: Failed | Pending | None = None
    looks: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LampHooks(Hooks[LampProgress]):
    """Two layers of paint; every layer takes a call."""

    progress_type: ClassVar = LampProgress
    try_again_after: ClassVar = (Dark,)

    lamp: Lamp

    def prepare(self, _change: Change, _now: datetime) -> Ready[LampProgress] | End:
        self._reach()
        return self.lamp.prepared or Ready(LampProgress(layers=0))

    def advance(self, recorder: Recorder[LampProgress], _now: datetime) -> Applied | Pending | End:
        self._reach()
        if self.lamp.colour == "blue":
            return Outdated("somebody painted it blue")
        recorder.save(replace(recorder.progress, layers=min(2, self.lamp.layers + 1)))
        self.lamp.layers = recorder.progress.layers
        if self.lamp.layers < 2:
            return Pending(7, "the first layer dries")
        self.lamp.colour = "green"
        return Applied("it is green")

    def observation(self, _change: Change, _progress: LampProgress) -> Observation:
        return Observation((60.0, 180.0, 600.0), "painted green")

    def observe(self, _recorder: Recorder[LampProgress], look: Look) -> Keep | WatchOn | LookAgain | RollBack:
        self._reach()
        self.lamp.looks.append(look.number)
        return self.lamp.says(look)

    def finish(self, recorder: Recorder[LampProgress], _now: datetime) -> Finished | Pending | RollBack | Failed:
        recorder.save(replace(recorder.progress, finished=True))
        return self.lamp.ends

    def roll_back(self, _recorder: Recorder[LampProgress], _now: datetime) -> RolledBack | Pending | Failed:
        self._reach()
        if self.lamp.back is not None:
            return self.lamp.back
        self.lamp.colour, self.lamp.layers = "red", 0
        return RolledBack(("it is red again",), {"green": "it did worse"})

    def cool_down(self, change: Change, status: Status, now: datetime) -> dict[str, datetime]:
        return {change.target: now + timedelta(days=1)} if status in (Status.KEPT, Status.REVERTED) else {}

    def _reach(self) -> None:
        if self.lamp.unreachable:
            self.lamp.unreachable -= 1
            raise Dark("the lamp is dark")


@dataclass
class World:
    """The lamp, the store, and what is done after the n-th write to the store."""

    lamp: Lamp = field(default_factory=Lamp)
    after_write: Callable[[int], None] = lambda _number: None
    writes: int = 0
    step: str = "apply"
    reason: str = ""
    now: datetime = NOW
    opens: datetime = NOW
    outcomes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = MemoryRunStore(self._written)
        self.store.record_change(CHANGE, Status.APPROVED, NOW)

    def _written(self, _name: str) -> None:
        self.writes += 1
        self.after_write(self.writes)

    def life(self) -> Lifecycle[LampProgress]:
        """A new execution environment: nothing is known but what was recorded."""
        return Lifecycle(self.store, LampHooks(self.lamp), self._wait)  # type: ignore[arg-type]

    def _wait(self, _change: Change, now: datetime) -> WindowWait | None:
        return WindowWait(self.opens, "Waits.") if now < self.opens else None

    def take(self, step: str, verification: int | None = None, reason: str = "") -> dict[str, Any]:
        event: dict[str, Any] = {"step": step, "run_id": "run-1", "change_id": CHANGE.id}
        event |= {"verification": verification} if verification else {}
        return self.life().take(event | ({"reason": reason} if reason else {}), self.now)

    def until_final(self, step: str = "apply", verification: int = 0) -> str:
        """Drive the change as change.asl.json does."""
        for _ in range(30):
            self.step = step
            verification += step == "verify"
            answer = self.take(step, verification if step == "verify" else None, self.reason)
            self.reason = answer.get("message", "") if answer["outcome"] == "revert" else ""
            self.outcomes.append(answer["outcome"])
            following = NEXT.get((step, answer["outcome"]))
            if following is None:
                return str(answer["outcome"])
            step = following
        raise AssertionError(f"no end: {self.outcomes}")

    @property
    def stored(self) -> Any:
        return self.store.change(CHANGE.id)


def test_a_change_is_applied_observed_and_kept() -> None:
    world = World()
    assert world.take("apply") == {
        "outcome": "pending", "change_id": CHANGE.id, "message": "the first layer dries", "wait_s": 7,
    }  # fmt: skip
    applied = {"outcome": "applied", "change_id": CHANGE.id, "message": "painted green", "wait_s": 60}
    assert world.take("poll") == applied
    assert world.stored.message == "it is green"
    assert world.stored.progress["applied_at"] == NOW.isoformat()
    assert [world.take("verify", number).get("wait_s") for number in (1, 2, 3)] == [120, 420, None]
    assert world.take("keep") == {"outcome": "kept", "change_id": CHANGE.id, "message": "painted"}
    assert world.store.cool_downs(["lamp"], Tuner.MEMORY) == {"lamp": NOW + timedelta(days=1)}


def test_a_change_outside_its_window_waits_and_is_then_applied() -> None:
    """Also where an execution of an earlier definition polls instead of applying again."""
    for following in ("apply", "poll"):
        world = World(opens=NOW + timedelta(hours=5))
        answer = world.take("apply")
        assert answer == {
            "outcome": "pending",
            "change_id": CHANGE.id,
            "message": "Waits.",
            "wait_s": 18_000,
            "waits_until": "2026-11-21T17:00:00Z",
        }
        assert (world.stored.status, world.stored.waits_until) == (Status.APPROVED, NOW + timedelta(hours=5))
        assert world.lamp.layers == 0
        world.now = NOW + timedelta(hours=4)
        assert world.take(following)["waits_until"] == "2026-11-21T17:00:00Z"
        world.now = NOW + timedelta(hours=5)
        assert (world.take(following)["outcome"], world.stored.status) == ("pending", Status.APPLYING)
        assert world.until_final() == "kept"


def test_a_change_that_waits_for_its_window_can_be_called_off() -> None:
    world = World(opens=NOW + timedelta(hours=5))
    world.take("apply")
    assert world.take("revert", reason="not now")["outcome"] == "reverted"
    world.now = NOW + timedelta(hours=5)
    assert world.take("apply")["outcome"] == "reverted"
    assert world.lamp.layers == 0


def test_a_cool_down_counts_from_when_the_change_was_applied() -> None:
    """The observation is part of it; otherwise every second run of a weekly rhythm would find the target resting."""
    world = World()
    world.take("apply")
    world.take("poll")
    for number in (1, 2, 3):
        world.take("verify", number)
    world.now = NOW + timedelta(hours=6)
    assert world.take("keep")["outcome"] == "kept"
    assert world.store.cool_downs(["lamp"], Tuner.MEMORY) == {"lamp": NOW + timedelta(days=1)}


@pytest.mark.parametrize(("days", "hours"), [(0, 0), (0.5, 9), (1, 18), (2, 36), (7, 156), (30, 708)])
def test_a_cool_down_tolerates_runs_that_are_not_punctual(days: float, hours: float) -> None:
    assert rest_until(NOW, days) == NOW + timedelta(hours=hours)


@pytest.mark.parametrize(
    ("tuner", "blocked"),
    [
        (Tuner.MEMORY, True),
        (Tuner.PROVISIONED_CONCURRENCY, True),
        (Tuner.CACHE_TTLS, False),
        (Tuner.WARMUPS, False),
    ],
)
@pytest.mark.parametrize("status", [Status.APPLYING, Status.WATCHING, Status.REVERTING, Status.KEPT, Status.APPROVED])
def test_a_target_under_observation_is_not_changed(tuner: Tuner, blocked: bool, status: Status) -> None:
    """The change was planned, and approved by people, before the other one began: it waits, but not for ever."""
    world = World()
    earlier = replace(CHANGE, run_id="run-0", tuner=tuner)
    world.store.record_change(earlier, status, NOW)
    world.store.begin(earlier, "lamp", NOW)
    taken = world.take("apply")
    if blocked and status in (Status.APPLYING, Status.WATCHING, Status.REVERTING):
        assert (taken["outcome"], taken["wait_s"]) == ("pending", 900)
        assert (world.stored.status, world.stored.waits_until) == (Status.APPROVED, NOW + timedelta(minutes=15))
        assert earlier.id in taken["message"]
        world.now = NOW + timedelta(days=9)
        taken = world.take("apply")
        assert (taken["outcome"], taken["rule"]) == ("refused", f"{tuner.value}.observation")
        assert earlier.id in taken["message"]
        assert world.lamp.layers == 0
        assert world.store.cool_downs(["lamp"], Tuner.MEMORY) == {}
    else:
        assert taken["outcome"] == "pending"
        assert world.store.under_observation(["lamp"], [Tuner.MEMORY], NOW)


def test_an_approved_change_waits_for_anothers_observation() -> None:
    """Where its end is known, the change is not asked for again before it."""
    world = World()
    earlier = replace(CHANGE, run_id="run-0")
    world.store.record_change(earlier, Status.WATCHING, NOW)
    world.store.save_progress(earlier.id, {"applied_at": NOW.isoformat(), "layers": 2})
    world.store.begin(earlier, "lamp", NOW)
    last_look = timedelta(seconds=LampHooks(world.lamp).observation(earlier, LampProgress()).ages_s[-1])
    assert world.take("apply")["wait_s"] == max(900, (last_look + timedelta(minutes=15)).total_seconds())
    world.store.move(earlier.id, Status.KEPT, NOW, from_any={Status.WATCHING})
    assert world.until_final() == "kept"


def test_what_does_worse_is_rolled_back_and_remembered() -> None:
    world = World(Lamp(says=lambda _look: RollBack("it dazzles")))
    world.until_final()
    assert world.lamp.colour == "red"
    back = world.take("revert", reason="it dazzles")
    assert (back["outcome"], world.stored.status) == ("reverted", Status.REVERTED)
    assert world.stored.message == "it dazzles; it is red again"
    assert world.store.taken_back("lamp", Tuner.MEMORY, NOW) == {"green": "it did worse"}


def test_the_reason_to_roll_back_comes_first_in_the_record() -> None:
    world = World()
    world.until_final()
    assert world.take("revert", reason="a person wants it")["message"] == "a person wants it; it is red again"
    assert world.take("revert")["message"] == "a person wants it; it is red again"


@pytest.mark.parametrize("says", [Keep("well"), RollBack("worse")])
def test_a_kill_after_any_write_and_a_replay_end_the_same(says: Keep | RollBack) -> None:
    def judge(look: Look) -> Keep | WatchOn | RollBack:
        return says if look.is_last else WatchOn()

    calm = World(Lamp(says=judge))
    ended = calm.until_final()
    for place in range(1, calm.writes + 1):
        world = World(Lamp(says=judge))

        def die(number: int, place: int = place) -> None:
            if number == place:
                raise Killed

        world.after_write = die
        with pytest.raises(Killed):
            world.until_final()
        assert world.until_final(world.step, len(world.lamp.looks)) == ended
        assert world.lamp.colour == calm.lamp.colour
        assert world.stored.status is calm.stored.status
        assert world.stored.message == calm.stored.message
        assert world.stored.progress == calm.stored.progress or ended == "reverted"


def test_a_kill_after_any_write_can_be_rolled_back() -> None:
    calm = World()
    calm.until_final()
    for place in range(1, calm.writes + 1):
        world = World()

        def die(number: int, place: int = place) -> None:
            if number == place:
                raise Killed

        world.after_write = die
        with pytest.raises(Killed):
            world.until_final()
        assert world.take("revert", reason="put back")["outcome"] == "reverted"
        assert world.lamp.colour == "red"


@pytest.mark.parametrize("says", [Keep("well"), RollBack("worse")])
def test_every_step_answers_the_same_when_it_is_repeated(says: Keep | RollBack) -> None:
    world = World(Lamp(says=lambda look: says if look.is_last else WatchOn()))
    world.take("apply")
    for step, verification in (("poll", None), ("verify", 1), ("verify", 2), ("verify", 3)):
        first = world.take(step, verification)
        assert world.take(step, verification) == first, step
    last = "keep" if isinstance(says, Keep) else "revert"
    assert world.take(last, None) == world.take(last, None)
    assert world.lamp.looks == [0, 0, 1, 1, 2, 2]


def test_keep_repeats_the_message_where_there_is_no_other() -> None:
    world = World(Lamp(ends=Finished()))
    world.take("apply")
    world.take("poll")
    kept = {"outcome": "kept", "change_id": CHANGE.id, "message": "it is green"}
    assert [world.take("keep"), world.take("keep")] == [kept, kept]


def test_a_look_whose_answer_was_lost_replaces_no_later_one() -> None:
    world = World()
    world.take("apply")
    world.take("poll")
    assert [world.take("verify", number)["wait_s"] for number in (1, 1, 2)] == [120, 120, 420]
    assert world.lamp.looks == [0, 0, 1]


def test_a_look_that_cannot_be_taken_yet_is_taken_again() -> None:
    world = World(Lamp(says=lambda _look: LookAgain(5, "too early")))
    world.take("apply")
    world.take("poll")
    answer = {"outcome": "watch", "change_id": CHANGE.id, "message": "too early", "wait_s": 5}
    assert [world.take("verify", number) for number in (1, 2)] == [answer, answer]
    assert world.lamp.looks == [0, 0]


def test_unreadable_metrics_keep_and_roll_back_nothing() -> None:
    """The same look is taken later: what CloudWatch cannot read is neither good nor bad."""

    def cannot_read(_look: Look) -> Keep:
        raise MetricsUnreadable("CloudWatch could not read Errors: InternalError")

    world = World(Lamp(says=cannot_read))
    world.take("apply")
    world.take("poll")
    message = "CloudWatch could not read Errors: InternalError"
    answer = {"outcome": "watch", "change_id": CHANGE.id, "message": message, "wait_s": 300}
    assert [world.take("verify", number) for number in (1, 2)] == [answer, answer]
    assert (world.lamp.looks, world.stored.status) == ([0, 0], Status.WATCHING)


@pytest.mark.parametrize(
    ("end", "outcome", "status", "recorded"),
    [
        (Outdated("it is blue"), {"outcome": "stale", "message": "it is blue"}, Status.STALE, "it is blue"),
        (
            Blocked("lamp.rule", "not at night"),
            {"outcome": "refused", "message": "not at night", "rule": "lamp.rule"},
            Status.REFUSED,
            "lamp.rule: not at night",
        ),
        (Failed("no paint"), {"outcome": "failed", "message": "no paint"}, Status.FAILED, "no paint"),
    ],
)
def test_a_change_that_cannot_be_applied_ends_at_once(
    end: End, outcome: dict[str, str], status: Status, recorded: str
) -> None:
    world = World(Lamp(prepared=end))
    assert world.take("apply") == {**outcome, "change_id": CHANGE.id}
    assert (world.stored.status, world.stored.message) == (status, recorded)
    assert world.lamp.colour == "red"


def test_a_change_that_is_outdated_halfway_ends() -> None:
    world = World()
    world.take("apply")
    world.lamp.colour = "blue"
    assert world.take("poll")["outcome"] == "stale"
    assert world.lamp.colour == "blue"


@pytest.mark.parametrize(
    ("ends", "outcome", "status"),
    [
        (Pending(9, "it dries"), "pending", Status.WATCHING),
        (RollBack("it drips"), "reverted", Status.REVERTED),
        (Failed("it broke"), "failed", Status.FAILED),
    ],
)
def test_what_is_left_to_do_may_not_succeed(ends: Any, outcome: str, status: Status) -> None:
    world = World(Lamp(ends=ends))
    world.take("apply")
    world.take("poll")
    assert (world.take("keep")["outcome"], world.stored.status) == (outcome, status)


def test_what_did_not_succeed_is_rolled_back_over_several_calls() -> None:
    world = World(Lamp(ends=RollBack("it drips"), back=Pending(9, "it dries")))
    world.take("apply")
    world.take("poll")
    assert (world.take("keep")["outcome"], world.stored.status) == ("pending", Status.REVERTING)
    world.lamp.back = None
    answer = {"outcome": "reverted", "change_id": CHANGE.id, "message": "it drips; it is red again"}
    assert world.take("keep") == answer


def test_a_roll_back_that_fails_is_said() -> None:
    world = World(Lamp(back=Failed("no red paint")))
    world.until_final()
    assert world.take("revert") == {"outcome": "failed", "change_id": CHANGE.id, "message": "no red paint"}
    assert world.stored.status is Status.FAILED


@pytest.mark.parametrize("step", ["apply", "poll", "verify", "keep", "revert"])
@pytest.mark.parametrize("status", [Status.KEPT, Status.REVERTED, Status.STALE, Status.FAILED, Status.REFUSED])
def test_a_step_that_comes_too_late_answers_how_the_change_ended(step: str, status: Status) -> None:
    world = World()
    world.store.move(CHANGE.id, status, NOW, from_any={Status.APPROVED}, message="it is over")
    answer = world.take(step)
    if (step, status) == ("revert", Status.KEPT):
        assert answer["outcome"] == "reverted"
    else:
        assert answer == {"outcome": status.value, "change_id": CHANGE.id, "message": "it is over"}


@pytest.mark.parametrize("status", [Status.REJECTED, Status.RECOMMENDED])
@pytest.mark.parametrize("step", ["apply", "poll", "verify", "keep", "revert"])
def test_a_change_that_nobody_approved_is_refused(step: str, status: Status) -> None:
    world = World()
    world.store.move(CHANGE.id, status, NOW, from_any={Status.APPROVED})
    assert world.take(step)["outcome"] == "refused"
    assert world.lamp.colour == "red"


@pytest.mark.parametrize("status", [Status.PROPOSED, Status.AWAITING_APPROVAL, Status.REVERTING])
def test_only_an_approved_change_is_applied(status: Status) -> None:
    world = World()
    world.store.move(CHANGE.id, status, NOW, from_any={Status.APPROVED})
    answer = world.take("apply")
    assert answer["outcome"] == "refused"
    assert answer["message"] == f"the change is {status.value}, not approved"


@pytest.mark.parametrize("step", ["poll", "verify", "keep"])
def test_a_step_before_its_turn_does_nothing(step: str) -> None:
    world = World()
    assert world.take(step)["outcome"] == "approved"
    assert (world.lamp.colour, world.writes) == ("red", 0)


def test_verify_and_keep_wait_for_the_change_to_be_applied() -> None:
    world = World()
    world.take("apply")
    assert world.take("verify", 1)["outcome"] == world.take("keep")["outcome"] == "applying"
    assert world.stored.status is Status.APPLYING


@pytest.mark.parametrize(
    ("step", "outcome"), [("apply", "pending"), ("verify", "watch"), ("keep", "pending"), ("revert", "pending")]
)
def test_a_call_that_is_overtaken_asks_to_be_called_again(step: str, outcome: str) -> None:
    world = World()
    if step != "apply":
        world.take("apply")
        world.take("poll")

    def overtaken(_change_id: str, _progress: Any) -> None:
        raise Overtaken("another call is at work")

    world.store.save_progress = overtaken  # type: ignore[method-assign]
    if step == "revert":
        world.lamp.unreachable = 1
    answer = world.take(step, 1 if step == "verify" else None)
    assert (answer["outcome"], answer["wait_s"]) == (outcome, 30)


@pytest.mark.parametrize(("step", "outcome"), [("apply", "pending"), ("poll", "pending"), ("verify", "watch")])
def test_a_tuner_names_errors_that_pass(step: str, outcome: str) -> None:
    world = World()
    if step != "apply":
        world.take("apply")
    if step == "verify":
        world.take("poll")
    world.lamp.unreachable = 1
    answer = world.take(step)
    assert answer == {"outcome": outcome, "change_id": CHANGE.id, "message": "the lamp is dark", "wait_s": 30}
    assert world.until_final("poll" if step == "apply" else step) == "kept"


def test_a_poll_prepares_a_change_that_apply_could_not() -> None:
    world = World(Lamp(unreachable=1))
    assert world.take("apply")["outcome"] == "pending"
    assert world.stored.progress == {}
    world.lamp.prepared = Outdated("it is blue")
    assert world.take("poll")["outcome"] == "stale"


def test_two_calls_at_once_apply_a_change_once() -> None:
    """The second call arrives between any two writes of the first one."""
    calm = World()
    calm.take("apply")
    calm.take("poll")
    for place in range(1, calm.writes + 1):
        world = World()

        def call(number: int, world: World = world, place: int = place) -> None:
            if number == place:
                world.after_write = lambda _number: None
                world.take("poll")

        world.after_write = call
        assert world.until_final() == "kept"
        assert world.lamp.colour == "green"


def test_the_age_of_a_change_is_not_before_its_approval() -> None:
    """The clock of this Lambda is behind the one that approved the change."""
    world = World()
    late = NOW + timedelta(hours=1)
    world.store.move(CHANGE.id, Status.AWAITING_APPROVAL, late, from_any={Status.APPROVED})
    world.store.move(CHANGE.id, Status.APPROVED, late, from_any={Status.AWAITING_APPROVAL})
    world.take("apply")
    world.take("poll")
    assert world.stored.progress["applied_at"] == late.isoformat()


def test_an_unknown_step_is_an_invalid_event() -> None:
    with pytest.raises(InvalidEvent, match="paint"):
        World().take("paint")
