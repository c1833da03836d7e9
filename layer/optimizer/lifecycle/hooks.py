"""The hooks that a tuner supplies to the lifecycle, and the results that they return."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from optimizer.core import Change, Status
from optimizer.lifecycle.progress import ChangeProgress, Recorder


@dataclass(frozen=True, slots=True)
class Ready[P: ChangeProgress]:
    """The change may be applied; `progress` is stored before anything happens."""

    progress: P


@dataclass(frozen=True, slots=True)
class Pending:
    """There is more to do: the step is asked for again after `wait_s` seconds."""

    wait_s: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class Outdated:
    """The live state differs from what was approved."""

    message: str
    status: ClassVar[Status] = Status.STALE


@dataclass(frozen=True, slots=True)
class Failed:
    """The change could not be applied, and another try would not help."""

    message: str
    status: ClassVar[Status] = Status.FAILED


@dataclass(frozen=True, slots=True)
class Blocked:
    """A rule does not allow the change now."""

    rule: str
    message: str
    status: ClassVar[Status] = Status.REFUSED


# Left out of a cool-down: schedules and answers are not punctual, and a change is applied minutes or hours after its
# run began.
_TOLERATED_SHARE, _TOLERATED_AT_MOST = 4, timedelta(hours=12)


def rest_until(since: datetime, days: float) -> datetime:
    """Return the end of a cool-down of so many days.

    It is a quarter shorter, at most twelve hours, so that a run which comes as often as the cool-down is long can
    change the target each time."""
    rest = timedelta(days=days)
    return since + rest - min(rest / _TOLERATED_SHARE, _TOLERATED_AT_MOST)


type End = Outdated | Blocked | Failed


@dataclass(frozen=True, slots=True)
class Applied:
    """The change is in effect; `message` goes into its record."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """When a change is observed: the ages of its looks in seconds after it was applied, rising. `message` tells the run
    what was applied. `pause_s`: where the next look is further away, a glance comes before."""

    ages_s: Sequence[float]
    message: str = ""
    pause_s: float = math.inf

    def parts_before(self, number: int) -> int:
        """Return into how many waits the time before look `number` (from 0) is divided, by glances."""
        if not 0 < number < len(self.ages_s):
            return 1
        return max(1, math.ceil((self.ages_s[number] - self.ages_s[number - 1]) / self.pause_s))

    def wait_before_s(self, number: int) -> float:
        """Return the length of each of these waits; zero after the last look."""
        if not 0 < number < len(self.ages_s):
            return 0.0
        return (self.ages_s[number] - self.ages_s[number - 1]) / self.parts_before(number)


@dataclass(frozen=True, slots=True)
class Look:
    """One look at a change under observation: its number from 0, and whether it is the last. `is_counted` is False
    where the caller did not say which verification it asks for."""

    number: int
    is_last: bool
    is_counted: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Keep:
    """The change did what it should: it can be kept."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class WatchOn:
    """Nothing is wrong; the observation goes on until the next look."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class LookAgain:
    """The look could not be taken yet: the same one is taken after `wait_s` seconds."""

    wait_s: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class RollBack:
    """The change must be rolled back, because of `reason`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Nothing is left to do: the change is kept; `message` goes into its record."""

    message: str = ""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The state before the change is restored. `notes` follow the reason in the record. `not_again` has the values that
    did worse, each with its reason: they are not proposed again for three months."""

    notes: Sequence[str] = ()
    not_again: Mapping[str, str] = field(default_factory=dict)


class Hooks[P: ChangeProgress](ABC):
    """The part of the life of a change that is special to one tuner; the rest is the lifecycle's.

    A hook may be called again after a call that died anywhere: it looks at the live state and at
    `recorder.progress`, saves what it is about to do, then does it. `change.evidence` and the like are as they were
    approved.
    """

    progress_type: ClassVar[type[ChangeProgress]]
    # Errors after which the same step is simply asked for again a little later.
    try_again_after: ClassVar[tuple[type[Exception], ...]] = ()

    @abstractmethod
    def prepare(self, change: Change, now: datetime, /) -> Ready[P] | End:
        """Check the live state and the guardrails; nothing has happened yet."""

    @abstractmethod
    def advance(self, recorder: Recorder[P], now: datetime, /) -> Applied | Pending | End:
        """Apply the change as far as this call's time allows."""

    @abstractmethod
    def observation(self, change: Change, progress: P, /) -> Observation:
        """Say when the applied change is observed. The answer must not depend on the clock."""

    @abstractmethod
    def observe(self, recorder: Recorder[P], look: Look, /) -> Keep | WatchOn | LookAgain | RollBack:
        """Judge what the change has done so far."""

    def glance(self, recorder: Recorder[P], now: datetime, /) -> RollBack | None:  # noqa: ARG002
        """Return why the change must be rolled back before its next look, or None; no data is judged."""
        return None

    def finish(self, recorder: Recorder[P], now: datetime, /) -> Finished | Pending | RollBack | Failed:  # noqa: ARG002
        """Do what is left when the observation has passed; by default nothing is."""
        return Finished()

    @abstractmethod
    def roll_back(self, recorder: Recorder[P], now: datetime, /) -> RolledBack | Pending | Failed:
        """Restore the state before the change, however far it had come; what others changed meanwhile stays."""

    def touches(self, change: Change, /) -> Sequence[str]:
        """Return the targets that nothing else changes while this change is observed."""
        return (change.target,)

    def remember(self, change: Change, status: Status, now: datetime, /) -> None:  # noqa: B027 - most have nothing
        """Record what later runs have to know of a change that was kept or rolled back; by default nothing."""

    def cool_down(self, change: Change, status: Status, since: datetime, /) -> Mapping[str, datetime]:  # noqa: ARG002
        """Return until when which targets are not changed again, now that the change moves to `status`.

        `since`: when it was applied, or rolled back. `rest_until` gives the end."""
        return {}
