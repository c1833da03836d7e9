"""The life of a change, the same for every tuner: apply, poll, verify, keep, roll back.

Every step may be repeated, asked for twice at once, or die anywhere. It reads the stored record, does what is next, and
records before it acts; a tuner's hooks do what is special to it.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from optimizer.aws import InvalidEvent, Kind, MetricsUnreadable, count, name, one_of, optional, text
from optimizer.core import FINAL, Change, Status, StoredChange, observed_together, under_observation
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
    Pending,
    Ready,
    RollBack,
    RolledBack,
    WatchOn,
)
from optimizer.lifecycle.outcomes import Answer, Outcome, answer, ended
from optimizer.lifecycle.progress import ChangeProgress, Recorder
from optimizer.store import Overtaken, RunStore

# Another call that is at work on the change takes this long, at the most a few times over.
_TRY_AGAIN_S = 30
# CloudWatch usually reads a metric again within minutes.
_UNREADABLE_S = 300
# Longer than all but the longest observations. What would wait for longer is better proposed again, on newer data.
_WAITS_AT_MOST = timedelta(days=8)
# The last look at a change takes minutes.
_LOOKS_AGAIN_AFTER = timedelta(minutes=15)
_CAN_BE_ROLLED_BACK = frozenset({Status.APPROVED, Status.APPLYING, Status.WATCHING, Status.KEPT})

# The fields of the event of a step.
FIELDS: Mapping[str, Kind] = {
    "step": one_of("apply", "poll", "verify", "keep", "revert"),
    "run_id": name,
    "change_id": name,
    "verification": optional(count),
    "reason": optional(text),
}


@dataclass(frozen=True, slots=True)
class Lifecycle[P: ChangeProgress]:
    """The steps in the life of a change; docs/architecture.md lists their answers."""

    store: RunStore
    hooks: Hooks[P]
    wait_for_window: Callable[[Change, datetime], WindowWait | None] = lambda _change, _now: None

    def take(self, event: Mapping[str, Any], now: datetime) -> Answer:
        """Take the step of an event. A step that cannot be taken now answers that it is to be asked for again."""
        change_id, step = event["change_id"], event["step"]
        passing: tuple[type[Exception], ...] = (Overtaken, *self.hooks.try_again_after)
        try:
            match step:
                case "apply":
                    return self.apply(change_id, now)
                case "poll":
                    return self.poll(change_id, now)
                case "verify":
                    return self.verify(change_id, now, event.get("verification"))
                case "keep":
                    return self.keep(change_id, now)
                case "revert":
                    return self.revert(change_id, now, event.get("reason", ""))
        except passing as busy:
            outcome = Outcome.WATCH if step == "verify" else Outcome.PENDING
            return answer(outcome, change_id, str(busy), wait_s=_TRY_AGAIN_S)
        raise InvalidEvent(f"{step!r} is no step in the life of a change")

    def apply(self, change_id: str, now: datetime) -> Answer:
        """Check the live state and the guardrails, then apply; `poll` continues where the time runs out."""
        stored = self.store.change(change_id)
        if stored.status is Status.WATCHING or stored.status in FINAL:
            return self._where_it_is(stored)
        if stored.status is Status.APPROVED and (wait := self._what_to_wait_for(stored, now)):
            return self._wait(stored.change, wait, now)
        if not self.store.move(change_id, Status.APPLYING, now, from_any={Status.APPROVED}):
            return answer(Outcome.REFUSED, change_id, f"the change is {stored.status.value}, not approved")
        if not stored.progress:
            prepared = self._in_the_way(stored.change, now) or self.hooks.prepare(stored.change, now)
            if not isinstance(prepared, Ready):
                return self._end(stored.change, prepared, now, Status.APPLYING)
            if observed_together(stored.change.tuner):
                for target in self.hooks.touches(stored.change):
                    self.store.begin(stored.change, target, now)
            self.store.save_progress(change_id, prepared.progress.to_document())
        return self._advance(change_id, now)

    def poll(self, change_id: str, now: datetime) -> Answer:
        """Continue what `apply` began."""
        stored = self.store.change(change_id)
        # An execution of an earlier definition polls where this one applies again, when the window has opened.
        waited = stored.status is Status.APPROVED and stored.waits_until is not None
        if (waited or stored.status is Status.APPLYING) and not stored.progress:
            return self.apply(change_id, now)
        return self._advance(change_id, now)

    def verify(self, change_id: str, now: datetime, verification: int | None = None) -> Answer:
        """Take the next look at what the change has done. `verification`: which one this is, from 1."""
        stored = self.store.change(change_id)
        if stored.status is not Status.WATCHING:
            return ended(stored)
        recorder = self._recorder(stored)
        observation = self.hooks.observation(recorder.change, recorder.progress)
        last = len(observation.ages_s) - 1
        number = min(recorder.progress.look_number(verification), last)
        glanced = self._glance(recorder, observation, number, verification, now)
        if glanced is not None:
            return glanced
        look = Look(number, number == last, verification is not None, now)
        try:
            observed = self.hooks.observe(recorder, look)
        except MetricsUnreadable as unreadable:
            # Not known is neither good nor bad: the same look is taken later, as often as the state machine allows.
            observed = LookAgain(_UNREADABLE_S, str(unreadable))
        match observed:
            case Keep(message):
                return answer(Outcome.KEEP, change_id, message)
            case RollBack(reason):
                return answer(Outcome.REVERT, change_id, reason)
            case LookAgain(wait_s, message):
                return answer(Outcome.WATCH, change_id, message, wait_s=wait_s)
            case WatchOn(message):
                following = number + 1
                glances = 0 if observation.parts_before(following) > 1 else None
                progress = replace(recorder.progress, verified=following, verification=verification)
                recorder.save(replace(progress, glances=glances, glanced=None))
                # Not until a time of day: a clock that was set meanwhile would make the observation shorter.
                wait_s = _whole_seconds(observation.wait_before_s(following))
                return answer(Outcome.WATCH, change_id, message, wait_s=wait_s)

    def _glance(
        self, recorder: Recorder[P], observation: Observation, number: int, verification: int | None, now: datetime
    ) -> Answer | None:
        """Take a glance where one is due before the look, or return None.

        A verification that is asked for again, because its answer was lost, takes the same glance or look again."""
        progress = recorder.progress
        if verification is None or progress.glances is None or progress.verification == verification:
            return None
        done = progress.glances - (progress.glanced == verification)
        if done >= observation.parts_before(number) - 1:
            return None
        found = self.hooks.glance(recorder, now)
        if found is not None:
            return answer(Outcome.REVERT, recorder.change.id, found.reason)
        recorder.save(replace(recorder.progress, glances=done + 1, glanced=verification))
        wait_s = _whole_seconds(observation.wait_before_s(number))
        return answer(Outcome.WATCH, recorder.change.id, "", wait_s=wait_s)

    def keep(self, change_id: str, now: datetime) -> Answer:
        """Keep the change: its observation has passed."""
        stored = self.store.change(change_id)
        if stored.status is Status.REVERTING:
            # What was left to do did not succeed, and rolling back takes more than one call.
            return self.revert(change_id, now)
        if stored.status is Status.KEPT:
            # The call that kept it may have ended before it was remembered.
            self.hooks.remember(stored.change, Status.KEPT, now)
        if stored.status is not Status.WATCHING:
            return ended(stored)
        match self.hooks.finish(self._recorder(stored), now):
            case Pending(wait_s, message):
                return answer(Outcome.PENDING, change_id, message, wait_s=wait_s)
            case RollBack(reason):
                return self.revert(change_id, now, reason)
            case Failed() as failed:
                return self._end(stored.change, failed, now, Status.WATCHING)
            case Finished(message):
                # From when it was applied: a run that comes as often as the cool-down is long must not find it resting.
                self._cool_down(stored.change, Status.KEPT, self._recorder(stored).progress.applied_at or now)
                if not self.store.move(change_id, Status.KEPT, now, from_any={Status.WATCHING}, message=message):
                    return ended(self.store.change(change_id))
                self.hooks.remember(stored.change, Status.KEPT, now)
                # The record keeps its earlier message where there is no other, and so does the answer.
                return answer(Outcome.KEPT, change_id, message or stored.message)

    def revert(self, change_id: str, now: datetime, reason: str = "") -> Answer:
        """Roll the change back, because of `reason`; also one that was kept and is regretted."""
        stored = self.store.change(change_id)
        if not self.store.move(change_id, Status.REVERTING, now, from_any=_CAN_BE_ROLLED_BACK, message=reason):
            return ended(self.store.change(change_id))
        match self.hooks.roll_back(self._recorder(stored), now):
            case Pending(wait_s, message):
                return answer(Outcome.PENDING, change_id, message, wait_s=wait_s)
            case Failed() as failed:
                return self._end(stored.change, failed, now, Status.REVERTING)
            case RolledBack(notes, not_again):
                cause = reason or (stored.message if stored.status is Status.REVERTING else "")
                return self._rolled_back(stored.change, (cause, *notes), not_again, now)

    def _advance(self, change_id: str, now: datetime) -> Answer:
        stored = self.store.change(change_id)
        if stored.status is not Status.APPLYING:
            return self._where_it_is(stored)
        recorder = self._recorder(stored)
        advanced = self.hooks.advance(recorder, now)
        if isinstance(advanced, Pending):
            return answer(Outcome.PENDING, change_id, advanced.message, wait_s=advanced.wait_s)
        if not isinstance(advanced, Applied):
            return self._end(stored.change, advanced, now, Status.APPLYING)
        self._cool_down(stored.change, Status.WATCHING, now)
        if recorder.progress.applied_at is None:
            recorder.save(replace(recorder.progress, applied_at=_applied_at(stored, now), verified=0))
        self.store.move(change_id, Status.WATCHING, now, from_any={Status.APPLYING}, message=advanced.message)
        return self._where_it_is(self.store.change(change_id))

    def _wait(self, change: Change, wait: WindowWait, now: datetime) -> Answer:
        if not self.store.wait_until(change, wait.until, now, wait.message):
            return self._where_it_is(self.store.change(change.id))
        wait_s = _whole_seconds((wait.until - now).total_seconds())
        until = f"{wait.until.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
        return answer(Outcome.PENDING, change.id, wait.message, wait_s=wait_s, waits_until=until)

    def _what_to_wait_for(self, stored: StoredChange, now: datetime) -> WindowWait | None:
        """Return the window or the observation that the approved change waits for; None if it may be applied.

        It may be decided days after it was planned, when a change of another run is observed that it would disturb."""
        wait = self.wait_for_window(stored.change, now)
        earlier = self._disturbed(stored.change, now)
        since = stored.times.get(Status.APPROVED.value, now)
        if wait is not None or earlier is None or now - since > _WAITS_AT_MOST:
            return wait
        began = earlier.times.get(Status.WATCHING.value) or earlier.times.get(Status.APPLYING.value, now)
        until = max(self._observed_until(earlier), now + max(_LOOKS_AGAIN_AFTER, (now - began) / 4))
        return WindowWait(until, f"Waits until {until:%Y-%m-%d %H:%M %Z}. {under_observation(earlier)}")

    def _observed_until(self, earlier: StoredChange) -> datetime:
        progress = self._recorder(earlier).progress
        if earlier.status is not Status.WATCHING or progress.applied_at is None:
            return datetime.min.replace(tzinfo=UTC)
        ages_s = self.hooks.observation(earlier.change, progress).ages_s
        return progress.applied_at + timedelta(seconds=ages_s[-1]) + _LOOKS_AGAIN_AFTER

    def _in_the_way(self, change: Change, now: datetime) -> Blocked | None:
        """Block what would disturb the observation of another change, which began after this one was planned."""
        earlier = self._disturbed(change, now)
        return Blocked(f"{earlier.change.tuner.value}.observation", under_observation(earlier)) if earlier else None

    def _disturbed(self, change: Change, now: datetime) -> StoredChange | None:
        found = self.store.under_observation(self.hooks.touches(change), observed_together(change.tuner), now)
        return next((earlier for _, earlier in sorted(found.items()) if earlier.change.id != change.id), None)

    def _end(self, change: Change, end: End, now: datetime, from_any: Status) -> Answer:
        self._cool_down(change, end.status, now)
        rule = {"rule": end.rule} if isinstance(end, Blocked) else {}
        recorded = ": ".join((*rule.values(), end.message))
        self.store.move(change.id, end.status, now, from_any={from_any}, message=recorded)
        return answer(end.status, change.id, end.message, **rule)

    def _rolled_back(
        self, change: Change, notes: tuple[str, ...], not_again: Mapping[str, str], now: datetime
    ) -> Answer:
        for value, why in not_again.items():
            self.store.remember_taken_back(change.target, change.tuner, value, now, why)
        self.hooks.remember(change, Status.REVERTED, now)
        self._cool_down(change, Status.REVERTED, now)
        message = "; ".join(dict.fromkeys(filter(None, notes)))
        self.store.move(change.id, Status.REVERTED, now, from_any={Status.REVERTING}, message=message)
        return answer(Outcome.REVERTED, change.id, message)

    def _cool_down(self, change: Change, status: Status, now: datetime) -> None:
        for target, until in self.hooks.cool_down(change, status, now).items():
            self.store.cool_down(target, change.tuner, until, change.id)

    def _where_it_is(self, stored: StoredChange) -> Answer:
        if stored.status is not Status.WATCHING:
            return ended(stored)
        observation = self.hooks.observation(stored.change, self._recorder(stored).progress)
        wait_s = _whole_seconds(observation.ages_s[0])
        return answer(Outcome.APPLIED, stored.change.id, observation.message, wait_s=wait_s)

    def _recorder(self, stored: StoredChange) -> Recorder[P]:
        progress = cast("P", self.hooks.progress_type.from_document(stored.progress))
        return Recorder(stored.change, progress, self.store)


def _applied_at(stored: StoredChange, now: datetime) -> datetime:
    """Return when the change was applied: not before anything that had to come first, even if the clock here is behind.
    An observation that began too early would take what was before the change for its effect."""
    return max([now, *stored.times.values()])


def _whole_seconds(wait_s: float) -> int:
    return max(1, math.ceil(wait_s))
