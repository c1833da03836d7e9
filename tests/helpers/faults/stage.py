"""Run a step of a Lambda with every call to AWS gone wrong in every way, and again as its state machine does."""

import json
import pickle
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import groupby
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError
from optimizer.aws import clients
from optimizer.store.documents import Documents
from optimizer.store.run_store import RunStore

from tests.helpers.faults.faulty_aws import Fault, FaultyAws, Killed
from tests.helpers.faults.memory_table import MemoryTable
from tests.helpers.faults.services import Services
from tests.helpers.own_account import BUCKET, TABLE, load_handler, own_account

NOW = datetime(2026, 11, 20, 6, 17, 30, tzinfo=UTC)
REGION = "eu-west-1"
CONTEXT = SimpleNamespace(get_remaining_time_in_millis=lambda: 290_000)
# Times and numbers say nothing about the content.
_TIMES = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+(\+00:00|Z)?|[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}|\b1[78]\d{8}\b")
# A Lambda that raises one of these has failed, and its state machine takes over.
FAILURES = (ClientError, BotoCoreError, RuntimeError, Killed)


class Clock(datetime):
    """The clock of the Lambdas, which stands still until it is set."""

    at = NOW

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return cls.at.astimezone(tz)


def _tells(answer: dict[str, Any]) -> bool:
    return bool(answer.get("failed")) or "could not be read" in answer.get("message", "")


@dataclass(frozen=True)
class Step:
    """An invocation.

    `reported` recognises answers that tell of a fault where others fail. `reads_on`: a second run continues where the
    first one stopped reading, and so may store something else. `again_after` is the wait before the invocation is
    repeated. `once`: the response to a repetition says in other words that it was done. `counts` returns the part of an
    answer that is compared.
    """

    function: str
    event: Mapping[str, Any]
    reported: Callable[[dict[str, Any]], bool] = _tells
    reads_on: bool = False
    again_after: timedelta = timedelta()
    once: bool = False
    counts: Callable[[dict[str, Any]], Any] = lambda answer: answer

    @property
    def name(self) -> str:
        return f"{self.function} {self.event.get('step', '')}".strip()


@dataclass(frozen=True)
class PutBack:
    """The steps of a state machine that has given up on a step of a change.

    `in_force` reads the state that the change is about, outside of the application's own records; `former` is that
    state before the change.
    """

    step: Step
    in_force: Callable[[], Any]
    former: Any


@dataclass(frozen=True)
class Wanted:
    """The answers and states that a step leaves without faults, once or delivered twice.

    `sent` counts messages by topic.
    """

    answers: tuple[str, str]
    states: tuple[dict[str, str], dict[str, str]]
    sent: Counter[str]


@dataclass
class Stage:
    """The account in which steps are run.

    `world` is the content beside `services`, restored with them before each case. `prepare` changes a Lambda's module
    as it is loaded, for work that is no call to AWS. `on_the_way` matches the part of a record about its own history,
    which may differ.
    """

    calls: FaultyAws
    monkeypatch: pytest.MonkeyPatch
    services: Services = field(default_factory=Services)
    table: MemoryTable = field(default_factory=MemoryTable)
    world: dict[str, Any] = field(default_factory=dict)
    prepare: dict[str, Callable[[ModuleType], None]] = field(default_factory=dict)
    on_the_way: re.Pattern[str] = re.compile("(?!)")
    cases: dict[str, int] = field(default_factory=dict)
    fuzzed: dict[str, int] = field(default_factory=dict)
    _modules: dict[str, ModuleType] = field(default_factory=dict)

    @property
    def store(self) -> RunStore:
        """Return the table's store, whose calls never fail."""
        self.calls.arm(0, None)
        return RunStore(clients.client("dynamodb"), TABLE)

    @property
    def documents(self) -> Documents:
        """Return the bucket's documents."""
        self.calls.arm(0, None)
        return Documents(clients.client("s3"), BUCKET)

    def run(self, step: Step) -> dict[str, Any]:
        """Invoke once, in an execution environment that stays until it dies."""
        module = self._modules.get(step.function)
        if module is None:
            module = self._modules[step.function] = load_handler(step.function)
            module.__dict__["datetime"] = Clock
            self.prepare.get(step.function, lambda _module: None)(module)
        answer: dict[str, Any] = module.handler(json.loads(json.dumps(step.event)), CONTEXT)
        json.dumps(answer)
        return answer

    def attempt(self, step: Step) -> dict[str, Any] | None:
        """Return the answer, or None if the Lambda failed."""
        try:
            return self.run(step)
        except FAILURES as failure:
            if isinstance(failure, Killed):
                self._modules.clear()
            return None

    def every_fault(self, step: Step, put_back: PutBack | None = None) -> dict[str, Any]:
        """Run the step with every fault of every call, each from the present state.

        Returns the answer, and leaves the state of a run without faults. A step that failed is run again, and must then
        answer and leave what it does without the fault. With `put_back` the machine also gives up instead.
        """
        before = self.save()
        self.restore(before)
        self.calls.arm(0, None)
        answer = self.run(step)
        calls, after, once, sent = list(self.calls.made), self.save(), self.state(), self.services.sent()
        assert calls, f"{step.name} calls nothing"
        # An event may be delivered twice.
        again = self.run(step)
        twice = self.state()
        if not step.reads_on:
            assert step.once or _plain(step.counts(again)) == _plain(step.counts(answer)), (
                f"{step.name} delivered twice: {answer}, then {again}"
            )
            assert not different(twice, (once,)), f"{step.name} delivered twice: {different(twice, (once,))}"
            assert self.services.sent() == sent, f"{step.name} delivered twice"
        wanted = Wanted((_plain(step.counts(answer)), _plain(step.counts(again))), (once, twice), sent)
        wrong = []
        for place, operation in enumerate(calls, start=1):
            for fault in Fault:
                said = self._case(step, before, place, fault, wanted, put_back)
                wrong += [f"call {place} ({operation}) {fault}: {said}"] if said else []
        self.restore(after)
        assert not wrong, f"{step.name}, {len(wrong)} cases: " + "\n".join(wrong)
        return answer

    def _case(
        self, step: Step, before: bytes, place: int, fault: Fault, wanted: "Wanted", put_back: PutBack | None
    ) -> str:
        """Return a description of what is wrong after a fault, or nothing."""
        self.restore(before)
        told = self._with_fault(step, place, fault)
        if told is None or step.reported(told):
            told = self._again(step)
        if _plain(step.counts(told)) not in wanted.answers:
            return f"it answers {told}"
        wrong = different(self.state(), wanted.states)
        if wrong:
            return wrong
        sent = self.services.sent()
        # Each topic gets a message at least once, and at most once more.
        if any(not wanted.sent[topic] <= sent[topic] <= wanted.sent[topic] + 1 for topic in sent | wanted.sent):
            return f"{sent} messages instead of {wanted.sent}"
        if put_back is None or fault not in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER):
            return ""
        self.restore(before)
        self._with_fault(step, place, fault)
        return self._give_up(put_back)

    def overlaps(self, step: Step, other: Step) -> Iterator[tuple[str, dict[str, Any] | None, dict[str, Any] | None]]:
        """Run the step with another one in between, before each of its calls in turn, each time from the present state.

        Yields the place of the overlap and the two answers, None where one failed.
        """
        before = self.save()
        self.restore(before)
        self.calls.arm(0, None)
        self.run(step)
        for place, operation in enumerate(list(self.calls.made), start=1):
            self.restore(before)
            said: list[dict[str, Any] | None] = []
            self.calls.at(place, lambda said=said: said.append(self.attempt(other)))
            self.cases[step.function] = self.cases.get(step.function, 0) + 1
            answer = self.attempt(step)
            self.calls.arm(0, None)
            yield f"before call {place} ({operation})", answer, said[0]

    def _with_fault(self, step: Step, place: int, fault: Fault) -> dict[str, Any] | None:
        self.calls.arm(place, fault)
        self.cases[step.function] = self.cases.get(step.function, 0) + 1
        return self.attempt(step)

    def _again(self, step: Step) -> dict[str, Any]:
        self.calls.arm(0, None)
        begun, Clock.at = Clock.at, Clock.at + step.again_after
        try:
            answer = self.run(step)
            # A step that takes several attempts is repeated, as its machine does.
            for _ in range(10):
                if answer.get("outcome") != "pending":
                    break
                Clock.at += timedelta(seconds=answer["wait_s"])
                asked = "poll" if step.event["step"] == "apply" else step.event["step"]
                answer = self.run(replace(step, event={**step.event, "step": asked}))
            return answer
        finally:
            Clock.at = begun

    def _give_up(self, put_back: PutBack) -> str:
        self.calls.arm(0, None)
        for _ in range(20):
            answer = self.run(put_back.step)
            if answer["outcome"] != "pending":
                break
        status = self.store.change(put_back.step.event["change_id"]).status
        if answer["outcome"] not in (status.value, "reverted"):
            return f"rolled back, it answers {answer} and the record says {status}"
        in_force = put_back.in_force()
        return "" if in_force == put_back.former else f"rolled back, {status}, but in force is {in_force}"

    # The stored state.

    def save(self) -> bytes:
        """Return a copy of everything."""
        return pickle.dumps((vars(self.services), self.world, self.table.items))

    def restore(self, saved: bytes) -> None:
        """Restore a copy; no execution environment is left."""
        self._modules.clear()
        services, world, self.table.items = pickle.loads(saved)  # noqa: S301 - what `save` made
        vars(self.services).update(services)
        self.world.update(world)

    def state(self) -> dict[str, str]:
        """Return the state that is compared, by name, without times."""
        parts: dict[str, Any] = {
            **{f"s3 {key}": content.decode("latin-1") for key, content in self.services.objects.items()},
            **{f"item {pk} {sk}": item for (pk, sk), item in self.table.items.items()},
            "schedules": self.services.schedules,
            # Publishing the same again adds a version and changes nothing.
            "parameters": {name: [text for text, _ in groupby(v)] for name, v in self.services.parameters.items()},
            "waiting": self.services.waiting,
        }
        return {_TIMES.sub("T", name): self.on_the_way.sub("", _plain(part)) for name, part in parts.items()}


@contextmanager
def stage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    """Yield an emulated account of which every call can go wrong, and in which nothing sleeps.

    The test's report gets the number of cases.
    """
    monkeypatch.setattr("time.sleep", lambda _s: None)
    Clock.at = NOW
    made = Stage(FaultyAws(), monkeypatch)
    with own_account(monkeypatch, REGION):
        made.calls.answers.update(made.services.answers() | made.table.answers())
        made.calls.install(monkeypatch)
        yield made
    request.node.user_properties.extend((f"cases {name}", count) for name, count in made.cases.items())


def different(state: Mapping[str, str], wanted: tuple[Mapping[str, str], ...]) -> str:
    """Describe what differs from every state in `wanted`; return an empty result if one is equal."""
    if state.keys() != wanted[-1].keys():
        return f"there is or is not {sorted(state.keys() ^ wanted[-1].keys())}"
    names = [name for name, part in state.items() if part not in [one.get(name) for one in wanted]]
    return "; ".join(f"{name}: {_differs(state[name], wanted[-1][name])}" for name in names)


def _differs(part: str, wanted: str) -> str:
    """Return only the fields that differ, where there are fields."""
    try:
        now, then = json.loads(part), json.loads(wanted)
    except ValueError:
        now = then = None
    if not isinstance(now, dict) or not isinstance(then, dict):
        return f"{part} and not {wanted}"
    names = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    return ", ".join(f"{name} is {now.get(name)} and not {then.get(name)}" for name in names)


def _plain(part: Any) -> str:
    return _TIMES.sub("T", json.dumps(part, sort_keys=True, default=str))
