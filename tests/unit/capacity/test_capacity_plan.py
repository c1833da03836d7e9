from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from optimizer import guardrails
from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.known_lines import is_well_known
from optimizer.capacity.live_function import LATEST, LiveFunction, ProvisionedConfig, Scaling, Version
from optimizer.capacity.memory import model as memory_model
from optimizer.capacity.memory.belief import Belief
from optimizer.capacity.memory.propose import memory_limits
from optimizer.capacity.propose import TUNERS, evidence_of, plan_function
from optimizer.capacity.provisioned.load import Demand, worth_holding
from optimizer.core.change import Change, NoChange, Tuner
from optimizer.core.replaced import Replaced
from optimizer.function_logs.code_history import history_of_code
from optimizer.function_logs.history import FunctionHistory
from optimizer.function_logs.parse import LoggedReport, ReportLine
from optimizer.guardrails import memory as memory_guardrail
from optimizer.guardrails.run import Account
from optimizer.guardrails.verdict import Decision
from optimizer.policy.model import Memory, Mode, Policy, ProvisionedConcurrency, RunLimits

from tests.helpers.examples import examples
from tests.helpers.rates import ARM, X86

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ARN = "arn:aws:lambda:eu-west-1:123456789012:function:orders"
GENEROUS = ProvisionedConcurrency(max_usd_day=1e6, max_usd_month=1e6)


def version(name: str = "7", **values: Any) -> Version:
    return replace(Version(name, 1024, "code", "content", "r", settled=True, failed=False), **values)


def live(**values: Any) -> LiveFunction:
    return replace(LiveFunction("orders", "live", "7", "a", {}, version("$LATEST"), version()), **values)


def seen(
    *, calls: int = 1000, used_mb: int = 90, ms: float = 20.0, busy: float = 0.1, days: float = 7.0, **changes: Any
) -> FunctionFacts:
    lines = [
        LoggedReport(NOW - timedelta(minutes=n), "7", ReportLine("1", ms + n % 3, ms + 3, 1024, used_mb))
        for n in range(calls)
    ]
    values = FunctionFacts(
        run_id="run",
        target=ARN,
        live=live(),
        history=history_of_code(FunctionHistory().add(lines, NOW), "7"),
        demand=Demand(np.full(int(days * 1440), busy)),
        calls_day=busy * 86_400_000 / ms,
        need_most=max(1, round(busy * 2)),
        scan={},
        rates=X86,
    )
    return replace(values, **changes)


def memory_of(proposals: list[Change | NoChange]) -> Change | NoChange:
    return next(proposal for proposal in proposals if proposal.tuner is Tuner.MEMORY)


def provisioned_of(proposals: list[Change | NoChange]) -> Change | NoChange:
    return next(proposal for proposal in proposals if proposal.tuner is Tuner.PROVISIONED_CONCURRENCY)


def test_memory_proposal_has_evidence_undo_and_interval() -> None:
    policy = Policy(memory=Memory(max_slowdown=3.0))
    change = memory_of(plan_function(seen(), policy))
    assert isinstance(change, Change)
    assert change.before == {"memory_mb": 1024, "version": "7"}
    assert change.undo["memory_mb"] == 1024
    assert 512 <= change.after["memory_mb"] < 1024
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.estimate < 0
    assert guardrails.recheck(change, memory_guardrail.MemoryState(1024), policy, NOW) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"calls": 0}, "No REPORT line"),
        ({"calls": 10}, "200 are needed"),
        ({"live": live(weights={"8": 0.1})}, "shifting traffic"),
        ({"live": live(latest=version("$LATEST", code_sha256="new", content="new"))}, "holds code"),
        ({"live": live(latest=version("$LATEST", content="new"))}, "holds configuration"),
        ({"live": live(version=version(durable=True))}, "durable"),
        ({"live": live(version=version(managed_instances=True))}, "managed instances"),
        ({"live": live(weights={"6": 1.0}, provisioned=ProvisionedConfig(2, "IN_PROGRESS"))}, "Lambda is moving alias"),
        ({"live": live(alias_version="$LATEST")}, "points at $LATEST"),
    ],
)
def test_memory_needs_data_and_no_obstacle(changes: dict[str, Any], words: str) -> None:
    proposal = memory_of(plan_function(seen(**changes), Policy(memory=Memory(max_slowdown=3.0))))
    assert isinstance(proposal, NoChange)
    assert words in proposal.reason


@pytest.mark.parametrize(
    ("tags", "line"),
    [
        ({"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "Orders"}, "MemorySize: "),
        ({"managed-by": "terraform"}, "memory_size = "),
    ],
)
@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.APPROVE, Mode.AUTO])
def test_size_owned_by_a_template_is_only_recommended(tags: dict[str, str], line: str, mode: Mode) -> None:
    """A size that a template owns is recommended in every mode, with the line of the template to change."""
    policy = Policy(mode=mode, memory=Memory(max_slowdown=3.0))
    recommended = memory_of(plan_function(seen(live=live(tags=tags)), policy))
    assert isinstance(recommended, Change)
    (verdict,) = guardrails.check([recommended], policy, Account(targets=10, unreserved_concurrency=1000), NOW)
    assert verdict.verdict is Decision.RECOMMENDED
    assert verdict.rule.startswith("owner.")
    assert line in verdict.message
    assert f"{recommended.after['memory_mb']}" in verdict.message


IMAGE = version(package_type="Image")


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.APPROVE, Mode.AUTO])
@pytest.mark.parametrize(
    ("tags", "line"),
    [
        ({}, "container image; change its MemorySize to {} MB where the image is deployed"),
        (
            {"aws:cloudformation:stack-name": "shop", "aws:cloudformation:logical-id": "Orders"},
            "MemorySize: {} of Orders",
        ),
    ],
)
def test_size_of_a_container_image_is_only_recommended(tags: dict[str, str], line: str, mode: Mode) -> None:
    """A team can deploy its image with another size, so it is told which; a template that owns the size comes first."""
    policy = Policy(mode=mode, memory=Memory(max_slowdown=3.0))
    recommended = memory_of(plan_function(seen(live=live(version=IMAGE, tags=tags)), policy))
    assert isinstance(recommended, Change)
    (verdict,) = guardrails.check([recommended], policy, Account(targets=10, unreserved_concurrency=1000), NOW)
    assert verdict.verdict is Decision.RECOMMENDED
    assert line.format(recommended.after["memory_mb"]) in verdict.message


def kept_size(after_mb: int, planned_on: str, *values: int) -> Replaced:
    """The record that a kept change set this size, and that these sizes were replaced."""
    change = memory_of(plan_function(seen(), Policy(memory=Memory(max_slowdown=3.0))))
    assert isinstance(change, Change)
    change = replace(change, before={"memory_mb": 2048, "version": planned_on}, after={"memory_mb": after_mb})
    return Replaced(change, frozenset(map(str, values)), NOW, str(after_mb))


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.APPROVE, Mode.AUTO])
def test_size_that_somebody_sets_again_is_only_recommended(mode: Mode) -> None:
    """Whatever deploys the function would overwrite the size at each deployment, whether it has left a tag or not."""
    policy = Policy(mode=mode, memory=Memory(max_slowdown=3.0))
    recommended = memory_of(plan_function(seen(replaced=kept_size(512, "5", 1024, 2048)), policy))
    assert isinstance(recommended, Change)
    (verdict,) = guardrails.check([recommended], policy, Account(targets=10, unreserved_concurrency=1000), NOW)
    assert (verdict.verdict, verdict.rule) == (Decision.RECOMMENDED, "owner.elsewhere")
    assert "1024 MB is set again, though 512 MB was kept on" in verdict.message
    assert f"set {recommended.after['memory_mb']} MB there" in verdict.message


@pytest.mark.parametrize(
    ("replaced", "why"),
    [
        (kept_size(1024, "5", 2048), "the size that was kept is in place"),
        (kept_size(512, "7", 1024), "the team has rolled a deployment back to the version before the change"),
        (kept_size(512, "9", 1024), "or to an older one"),
    ],
)
def test_other_sizes_in_place_say_nothing_of_an_owner(replaced: Replaced, why: str) -> None:
    policy = Policy(mode=Mode.AUTO, memory=Memory(max_slowdown=3.0))
    change = memory_of(plan_function(seen(replaced=replaced), policy))
    assert isinstance(change, Change)
    (verdict,) = guardrails.check([change], policy, Account(targets=10, unreserved_concurrency=1000), NOW)
    assert verdict.verdict is Decision.AUTOMATIC, why


WITHOUT_ALIAS = live(alias=LATEST, alias_version=LATEST, version=version(LATEST))


def test_function_without_alias_is_changed_at_once() -> None:
    """Without an alias there is no canary: only a size that is expected to be within the limits is applied."""
    policy = Policy(memory=Memory(max_slowdown=3.0, min_savings_usd_month=0))
    change = memory_of(plan_function(seen(live=WITHOUT_ALIAS), policy))
    assert isinstance(change, Change)
    assert change.evidence["canary_weight"] == 0
    assert change.before["content"] == "content"
    assert change.evidence["duration_ratio"] <= change.evidence["max_duration_ratio"]


def test_function_without_alias_is_not_provisioned() -> None:
    proposal = provisioned_of(plan_function(seen(live=WITHOUT_ALIAS, busy=3.0), Policy()))
    assert isinstance(proposal, NoChange)
    assert "without an alias" in proposal.reason


def test_function_short_of_memory_gets_more() -> None:
    change = memory_of(plan_function(seen(used_mb=1000), Policy()))
    assert isinstance(change, Change)
    assert change.after["memory_mb"] >= 1000 * 1.3


def test_every_goal_of_the_policy_is_known() -> None:
    for goal in ("cost", "cost_guarded", "balanced"):
        assert plan_function(seen(), Policy(memory=Memory(goal=goal)))


def test_environment_is_held_only_above_the_break_even() -> None:
    assert worth_holding(Demand(np.full(1440, 0.55)), X86, 512, GENEROUS) == 0
    assert worth_holding(Demand(np.full(1440, 0.65)), X86, 512, GENEROUS) == 1
    assert worth_holding(Demand(np.full(1440, 2.7)), ARM, 512, GENEROUS) == 3


def test_latency_is_bought_where_the_policy_accepts_it() -> None:
    assert worth_holding(Demand(np.full(1440, 0.3)), X86, 512, replace(GENEROUS, min_utilisation=0.2)) == 1


@pytest.mark.parametrize(
    "limits",
    [
        ProvisionedConcurrency(max_per_function=0),
        ProvisionedConcurrency(max_usd_day=0.0),
        ProvisionedConcurrency(max_usd_month=0.0),
    ],
)
def test_limit_of_zero_means_no_environment(limits: ProvisionedConcurrency) -> None:
    assert worth_holding(Demand(np.full(1440, 9.0)), X86, 512, limits) == 0


def test_provisioned_concurrency_that_pays_is_proposed() -> None:
    """The proposal tells its savings and its utilisation."""
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    change = provisioned_of(plan_function(seen(busy=1.8), policy))
    assert isinstance(change, Change)
    assert change.after == {"environments": 2}
    assert change.effect.usd_month is not None
    assert change.effect.usd_month.estimate < 0
    assert change.evidence["utilisation"] == 0.9


def test_scaling_target_keeps_its_largest_size() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    owned = seen(busy=1.8, live=live(scaling=Scaling(1, 10)))
    change = provisioned_of(plan_function(owned, policy))
    assert isinstance(change, Change)
    assert change.before == {"environments": 10, "min": 1, "max": 10}
    assert change.after == {"environments": 10, "min": 2, "max": 10}


def test_environments_stay_down_to_the_most_ever_needed() -> None:
    """Environments that the team bought for latency stay, down to the most that were ever needed."""
    held = live(provisioned=ProvisionedConfig(9, "READY"))
    policy = Policy(memory=Memory(min_invocations=10**6))
    change = provisioned_of(plan_function(seen(busy=0.1, live=held, need_most=4), policy))
    assert isinstance(change, Change)
    assert change.after == {"environments": 4}


def test_reserved_concurrency_is_never_used_up() -> None:
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(min_invocations=10**6))
    proposal = provisioned_of(plan_function(seen(busy=1.8, live=live(reserved=2)), policy))
    assert isinstance(proposal, NoChange)
    assert "reserved" in proposal.reason


def sets_asked() -> list[frozenset[Tuner]]:
    """Every set of tuners that a run can be started for."""
    return [frozenset(some) for size in range(1, 6) for some in combinations(Tuner, size)]


@pytest.mark.parametrize("asked", sets_asked(), ids=lambda asked: "+".join(sorted(asked)))
def test_planner_speaks_for_the_tuners_that_were_asked(asked: frozenset[Tuner]) -> None:
    """What was looked at for another tuner stays evidence: earlier changes are measured by it."""
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(max_slowdown=3.0))
    facts = seen(busy=1.8)
    proposals = plan_function(facts, policy, asked)
    assert [proposal.tuner for proposal in proposals] == [tuner for tuner in TUNERS if tuner in asked]
    alone = {proposal.tuner: proposal for proposal in plan_function(facts, policy)}
    assert all(proposal == alone[proposal.tuner] for proposal in proposals)
    assert set(evidence_of(facts, asked)) == set(TUNERS) - asked
    if Tuner.MEMORY not in asked:
        assert evidence_of(facts, asked)["memory"]["sizes"]["1024"]["calls"] == 1000


@pytest.mark.parametrize("asked", sets_asked(), ids=lambda asked: "+".join(sorted(asked)))
@pytest.mark.parametrize(("memory", "provisioned"), list(product(Mode, repeat=2)))
def test_neither_waits_for_one_that_does_not_come(asked: frozenset[Tuner], memory: Mode, provisioned: Mode) -> None:
    """Both would pay. A function gets at most one of the two, and only where both may really change does one wait: the
    one that asks people for the one that is automatic, otherwise the one that saves less. Nothing is blocked."""
    policy = Policy(
        provisioned_concurrency=replace(GENEROUS, mode=provisioned),
        memory=Memory(mode=memory, max_slowdown=3.0),
        run=RunLimits(max_changes_share=1.0),
    )
    changes = [p for p in plan_function(seen(busy=1.8), policy, asked) if isinstance(p, Change)]
    assert {change.tuner for change in changes} == asked.intersection(TUNERS)
    account = Account(targets=1, unreserved_concurrency=900)
    verdicts = {v.change_id: v for v in guardrails.check(changes, policy, account, NOW)}
    found = {change.tuner: verdicts[change.id].verdict for change in changes}
    modes = {Tuner.MEMORY: memory, Tuner.PROVISIONED_CONCURRENCY: provisioned}
    by_mode = {Mode.AUTO: Decision.AUTOMATIC, Mode.APPROVE: Decision.ASK, Mode.RECOMMEND: Decision.RECOMMENDED}
    expected = {tuner: by_mode[modes[tuner]] for tuner in found}
    if len(found) == 2 and Mode.RECOMMEND not in modes.values():
        # The memory size has a canary, which provisioned concurrency would make impossible.
        only_provisioned_is_automatic = memory is Mode.APPROVE and provisioned is Mode.AUTO
        waits = Tuner.MEMORY if only_provisioned_is_automatic else Tuner.PROVISIONED_CONCURRENCY
        expected[waits] = Decision.POSTPONED
    assert found == expected


@pytest.mark.parametrize("resting", TUNERS)
def test_neither_waits_for_one_that_rests(resting: Tuner) -> None:
    """One of the two was changed lately: it says until when it rests, and the other goes ahead."""
    policy = Policy(
        mode=Mode.AUTO,
        provisioned_concurrency=GENEROUS,
        memory=Memory(max_slowdown=3.0),
        run=RunLimits(max_changes_share=1.0),
    )
    changes = plan_function(seen(busy=1.8), policy)
    assert all(isinstance(change, Change) for change in changes)
    account = Account(1, 900, cool_downs={(ARN, resting): NOW + timedelta(days=5)})
    verdicts = guardrails.check([c for c in changes if isinstance(c, Change)], policy, account, NOW)
    for change, verdict in zip(changes, verdicts, strict=True):
        assert verdict.verdict is (Decision.POSTPONED if change.tuner is resting else Decision.AUTOMATIC)
        assert change.tuner is not resting or "until 2026-11-26 12:00 UTC" in verdict.message


def test_function_under_observation_gets_no_proposal() -> None:
    """Neither a canary of our own is taken for a deployment of the team, nor is the evidence lost."""
    words = "A change is under observation: memory 1024 to 512 MB (memory-1)."
    watched = seen(busy=1.8, observed=words, live=live(weights={"8": 0.1}))
    policy = Policy(provisioned_concurrency=GENEROUS, memory=Memory(max_slowdown=3.0))
    for asked in (TUNERS, TUNERS[:1], TUNERS[1:]):
        proposals = plan_function(watched, policy, asked)
        assert [(p.tuner, p.reason) for p in proposals] == [(tuner, words) for tuner in asked]
        for proposal in proposals:
            assert proposal.evidence == evidence_of(watched, set(TUNERS) - {proposal.tuner})[proposal.tuner]


def test_larger_saving_comes_first_without_a_canary() -> None:
    """Provisioned environments are given back first where that saves more than another memory size."""
    held = live(provisioned=ProvisionedConfig(5, "READY"))
    policy = Policy(mode=Mode.AUTO, memory=Memory(max_slowdown=3.0), run=RunLimits(max_changes_share=1.0))
    changes = [c for c in plan_function(seen(busy=0.3, live=held), policy) if isinstance(c, Change)]
    verdicts = guardrails.check(changes, policy, Account(1, 900), NOW)
    found = {c.tuner: v.verdict for c, v in zip(changes, verdicts, strict=True)}
    assert found.get(Tuner.PROVISIONED_CONCURRENCY) is Decision.AUTOMATIC
    assert found.get(Tuner.MEMORY, Decision.POSTPONED) is Decision.POSTPONED


@given(
    used=st.integers(1, 3000),
    current=st.integers(128, 10240),
    limits=st.builds(
        Memory,
        floor_mb=st.integers(128, 4000),
        ceiling_mb=st.integers(128, 10240),
        sizes_mb=st.lists(st.integers(128, 10240), max_size=6).map(tuple),
        max_step_ratio=st.floats(1.0, 8.0),
        headroom=st.floats(1.0, 3.0),
    ),
)
def test_sizes_are_within_the_guardrails(used: int, current: int, limits: Memory) -> None:
    for size in memory_limits(used, current, limits):
        assert limits.floor_mb <= size <= limits.ceiling_mb
        assert size >= used * limits.headroom
        assert max(size / current, current / size) <= limits.max_step_ratio


@settings(max_examples=examples(40), deadline=None)
@given(
    used=st.integers(20, 1024),
    ms=st.floats(1.0, 5000.0),
    goal=st.sampled_from(["cost", "cost_guarded", "balanced"]),
    slowdown=st.floats(1.0, 3.0),
    gain=st.floats(0.0, 0.5),
    step=st.floats(1.0, 4.0),
)
def test_memory_proposal_passes_the_guardrails(
    used: int, ms: float, goal: str, slowdown: float, gain: float, step: float
) -> None:
    policy = Policy(memory=Memory(goal=goal, max_slowdown=slowdown, min_gain=gain, max_step_ratio=step))
    proposal = memory_of(plan_function(seen(used_mb=used, ms=ms, calls=300), policy))
    if isinstance(proposal, Change):
        assert guardrails.recheck(proposal, memory_guardrail.MemoryState(1024), policy, NOW) is None


def test_try_tells_its_chance_and_its_limit() -> None:
    """A size that is only worth a try tells how likely it is to be kept, and the limit it must meet."""
    change = memory_of(plan_function(seen(), Policy()))
    assert isinstance(change, Change)
    assert 0 < change.evidence["chance_kept"] < 1
    assert change.evidence["duration_ratio"] <= change.evidence["max_duration_ratio"] == Policy().memory.max_slowdown
    assert change.evidence["price_ratio"] <= 1 - Policy().memory.min_gain
    assert f"{change.evidence['chance_kept']:.0%} likely to be kept" in change.reason
    assert "kept if calls take at most" in change.reason
    usd = change.effect.usd_month
    assert usd is not None
    assert usd.low < usd.estimate < 0 == usd.high


def test_size_that_was_rolled_back_is_not_proposed() -> None:
    first = memory_of(plan_function(seen(), Policy()))
    assert isinstance(first, Change)
    tried = first.after["memory_mb"]
    second = memory_of(plan_function(seen(rolled_back={tried}), Policy()))
    assert isinstance(second, NoChange) or second.after["memory_mb"] != tried


def test_canary_with_too_few_calls_is_not_proposed() -> None:
    """A canary that would get too few calls to be judged is not proposed."""
    reason = memory_of(plan_function(seen(calls_day=10.0), Policy(memory=Memory(min_savings_usd_month=0)))).reason
    assert "are needed to judge it" in reason


def test_no_canary_means_no_risky_size() -> None:
    """Without a canary, a size is only proposed where it is expected to be within the limits."""
    held = live(provisioned=ProvisionedConfig(1, "READY"))
    unchanged = memory_of(plan_function(seen(live=held), Policy()))
    assert isinstance(unchanged, NoChange)
    assert "is not tried" in unchanged.reason


def test_memory_candidate_takes_one_belief_one_sampling(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counter[str]()

    def count(owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def counted(*values: Any, **options: Any) -> Any:
            counts[name] += 1
            return original(*values, **options)

        monkeypatch.setattr(owner, name, counted)

    count(memory_model, "choose")
    count(memory_model, "believe")
    count(Belief, "sample")
    sure = replace(Policy().memory, min_chance_kept=1.0)
    assert isinstance(memory_of(plan_function(seen(), Policy(memory=sure))), NoChange)
    candidates = counts["choose"]
    assert candidates > 1
    assert counts == {"choose": candidates, "believe": candidates, "sample": candidates}


@pytest.mark.parametrize(
    ("calls", "read", "changes", "known"),
    [
        (6000, NOW, {}, True),
        (4000, NOW, {}, False),
        (6000, NOW + timedelta(days=9), {}, False),
        (6000, NOW, {"version": version("8")}, False),
        (6000, NOW, {"version": version(memory_mb=512)}, False),
    ],
)
def test_function_is_well_known_by_its_present_version(
    calls: int, read: datetime, changes: dict[str, Any], known: bool
) -> None:
    """A daily run spends nothing on further lines of such a function; the weekly one reads them."""
    lines = [LoggedReport(NOW - timedelta(minutes=n), "7", ReportLine("1", 20, 21, 1024, 90)) for n in range(calls)]
    assert is_well_known(FunctionHistory().add(lines, NOW), live(**changes), read) is known


def test_bill_below_the_least_savings_is_left_alone() -> None:
    """A gain of a few cents a month is not worth a trial on callers."""
    reason = memory_of(plan_function(seen(calls_day=20_000.0), Policy(memory=Memory(max_slowdown=3.0)))).reason
    assert reason.startswith("No change needed: its calls cost $0.")
    assert reason.endswith("a change must gain $1.00 (memory.min_savings_usd_month).")


@settings(max_examples=examples(40))
@given(
    st.sampled_from(["cost", "cost_guarded", "balanced"]),
    st.floats(1e4, 1e8),
    st.sampled_from([0.0, 0.5, 1.0, 5.0, 50.0]),
    st.floats(0.0, 0.3),
)
def test_change_gains_the_share_and_the_dollars_of_the_policy(
    goal: str, calls_day: float, least_usd: float, least_share: float
) -> None:
    limits = Memory(goal=goal, max_slowdown=3.0, min_savings_usd_month=least_usd, min_gain=least_share)
    policy = Policy(mode=Mode.AUTO, memory=limits, run=RunLimits(max_changes_share=1.0))
    proposal = memory_of(plan_function(seen(calls_day=calls_day), policy))
    if isinstance(proposal, NoChange):
        return
    assert proposal.evidence["gain_usd_month"] >= least_usd
    assert (
        1 - proposal.evidence["price_ratio"] * (proposal.evidence["duration_ratio"] if goal == "balanced" else 1.0)
        >= least_share - 1e-3
    )
    stricter = replace(policy, memory=replace(limits, min_savings_usd_month=proposal.evidence["gain_usd_month"] + 0.01))
    (refused,) = guardrails.check([proposal], stricter, Account(targets=1, unreserved_concurrency=1000), NOW)
    assert (refused.verdict, refused.rule) == (Decision.REFUSED, "memory.savings")


def test_size_for_safety_needs_no_savings() -> None:
    """Who uses nearly all of its memory gets more, however small its bill."""
    change = memory_of(plan_function(seen(used_mb=1000, calls_day=1000.0), Policy()))
    assert isinstance(change, Change)
    assert change.after["memory_mb"] == 1536
    assert change.evidence["gain_usd_month"] is None
