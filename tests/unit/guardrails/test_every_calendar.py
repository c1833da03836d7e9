"""Every combination of modes, tuners asked, answers that are out, windows and observations, for one function.

`make test-weeks` tries all of them; a normal run tries every seventh.
"""

import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from optimizer import guardrails
from optimizer.core import CONFIGURATION, FUNCTION_TUNERS, Change, Status, StoredChange, Tuner
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Decision, Refusal, Verdict
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency, RunWindow, Warmups

from tests.unit.guardrails.test_check_all import ACCOUNT, AUTO, NOW, memory, pc, warmups

WHOLE = os.environ.get("TEST_WEEKS") == "whole"
# A prime number, so that every value of every dimension is in it.
STEP = 1 if WHOLE else 7
OF_TUNER = {
    Tuner.WARMUPS: warmups(),
    Tuner.MEMORY: memory(),
    Tuner.PROVISIONED_CONCURRENCY: pc(),
}
OPEN = Refusal("approval.open", "Waiting for approval since yesterday.")
WAITS = Refusal("change.waits", "It waits for its window.")
# What may keep a change from being applied now although nothing is wrong with it.
RESTS = {"memory.observation", "provisioned_concurrency.observation", "change.waits"}
EARLIER = {
    tuner: StoredChange(replace(OF_TUNER[tuner], run_id="run-0"), Status.WATCHING, {}, "", "", "", {})
    for tuner in CONFIGURATION
}


@dataclass(frozen=True, slots=True)
class Case:
    modes: dict[Tuner, Mode]
    asked: tuple[Tuner, ...]
    out: dict[Tuner, str]
    closed: bool
    observed: Tuner | None

    @property
    def changes(self) -> list[Change]:
        return [OF_TUNER[tuner] for tuner in self.asked]

    @property
    def policy(self) -> Policy:
        windows = (RunWindow(start="13:00", until="14:00", tuners=FUNCTION_TUNERS),) if self.closed else ()
        return replace(
            AUTO,
            warmups=Warmups(mode=self.modes[Tuner.WARMUPS]),
            memory=Memory(mode=self.modes[Tuner.MEMORY]),
            provisioned_concurrency=ProvisionedConcurrency(mode=self.modes[Tuner.PROVISIONED_CONCURRENCY]),
            run=replace(AUTO.run, windows=windows),
        )

    @property
    def account(self) -> Account:
        def that(kind: str, why: Refusal) -> dict[str, Refusal]:
            return {OF_TUNER[tuner].id: why for tuner, out in self.out.items() if out == kind}

        observed = {(OF_TUNER[Tuner.MEMORY].target, self.observed): EARLIER[self.observed]} if self.observed else {}
        return replace(ACCOUNT, asked=that("asked", OPEN), waiting=that("waits", WAITS), observed=observed)


def cases() -> Iterator[Case]:
    tuners = FUNCTION_TUNERS
    sets = [found for size in (1, 2, 3) for found in itertools.combinations(tuners, size)]
    every = itertools.product(
        itertools.product(Mode, repeat=3),
        sets,
        itertools.product(("", "asked", "waits"), repeat=3),
        (False, True),
        (None, *sorted(CONFIGURATION)),
    )
    for modes, asked, out, closed, observed in itertools.islice(every, 0, None, STEP):
        yield Case(dict(zip(tuners, modes, strict=True)), asked, dict(zip(tuners, out, strict=True)), closed, observed)


def test_every_decision_of_the_calendar() -> None:
    tried = 0
    for case in cases():
        verdicts = dict(zip(case.asked, guardrails.check(case.changes, case.policy, case.account, NOW), strict=True))
        for tuner, verdict in verdicts.items():
            assert is_right(case, tuner, verdict, verdicts), (case, tuner, verdict)
        acting = [tuner for tuner, one in verdicts.items() if one.verdict in (Decision.AUTOMATIC, Decision.ASK)]
        assert len(CONFIGURATION & set(acting)) <= 1, case
        tried += 1
    assert tried >= 27 * 7 * 27 * 2 * 3 // STEP


def is_right(case: Case, tuner: Tuner, verdict: Verdict, verdicts: dict[Tuner, Verdict]) -> bool:
    """Return True if nothing is refused, and if what is postponed waits for something that may really come."""
    mode, decision, rule = case.modes[tuner], verdict.verdict, verdict.rule
    if case.observed and tuner in CONFIGURATION:
        return (decision, rule) == (Decision.POSTPONED, f"{case.observed.value}.observation")
    if mode is Mode.RECOMMEND:
        return decision is Decision.RECOMMENDED
    if case.out[tuner] == "waits":
        return (decision, rule) == (Decision.POSTPONED, WAITS.rule)
    if case.out[tuner] == "asked" and mode is Mode.APPROVE:
        return (decision, rule) == (Decision.POSTPONED, OPEN.rule)
    if decision is Decision.POSTPONED:
        return may_wait(case, tuner, rule, verdicts)
    if decision is not (Decision.AUTOMATIC if mode is Mode.AUTO else Decision.ASK):
        return False
    opens = (NOW + timedelta(hours=1)).strftime("%H:%M")
    return (f"Its window opens at Wed 2026-11-04 {opens}" in verdict.message) is case.closed


def may_wait(case: Case, tuner: Tuner, rule: str, verdicts: dict[Tuner, Verdict]) -> bool:
    """Return True if a change may wait for another one of the same function: never an automatic one for people."""
    if rule == "warmups.provisioned":
        raised = verdicts.get(Tuner.PROVISIONED_CONCURRENCY)
        if tuner is not Tuner.WARMUPS or raised is None:
            return False
        # Pings that people are asked about may also yield to what they are asked about for the same function.
        may_ask = raised.verdict is Decision.ASK and case.modes[tuner] is Mode.APPROVE
        return raised.verdict is Decision.AUTOMATIC or may_ask
    if rule != "run.one_configuration_change" or tuner not in CONFIGURATION:
        return False
    (other,) = CONFIGURATION - {tuner}
    first = verdicts.get(other)
    if first is None:
        return False
    waits_since = case.out[other] == "waits" or (case.out[other] == "asked" and case.modes[other] is Mode.APPROVE)
    if case.modes[tuner] is Mode.AUTO and case.modes[other] is Mode.APPROVE:
        return case.out[other] == "waits"
    return first.verdict in (Decision.AUTOMATIC, Decision.ASK) or waits_since
