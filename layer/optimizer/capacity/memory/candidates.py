"""Choose the memory size to try: one that is likely enough to be kept. Pure."""

from dataclasses import dataclass, replace

from optimizer.capacity.function_facts import FunctionFacts
from optimizer.capacity.memory import model as memory_model
from optimizer.capacity.memory.bounds import (
    GOALS,
    Bounds,
    TrialOutcome,
    bounds_of,
    earlier_sizes,
    observed_sizes,
    outcome_of,
)
from optimizer.capacity.memory.failures import HELPS, Failures
from optimizer.capacity.provisioned import held
from optimizer.core import OptimizerError, figure
from optimizer.function_logs import SizeHistory
from optimizer.policy import Memory

# Sizes tried beside the first one before the best of those run so far is final.
_TRIES = 3


class NoProposal(OptimizerError):
    """Nothing is proposed; the message is the reason."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A size that is likely enough to be kept. weight: the canary's share of the calls, 0 without a canary."""

    decision: memory_model.MemoryDecision
    bounds: Bounds
    outcome: TrialOutcome
    weight: float

    @property
    def after_mb(self) -> int:
        """The size, in MB."""
        return self.decision.memory_mb


def candidate_of_known_hours(
    facts: FunctionFacts, limits: Memory, now: SizeHistory, allowed: list[int], weight: float, *, safety: bool
) -> Candidate:
    """Return the best size; a smaller one only where lines of every hour of the week with calls were read."""
    if not facts.unread_hours or safety:
        return _candidate(facts, limits, now, allowed, weight, safety=safety)
    larger = [mb for mb in allowed if mb >= now.memory_mb]
    try:
        return _candidate(facts, limits, now, larger, weight, safety=safety)
    except NoProposal as why:
        if len(larger) == len(allowed):
            raise
        hours = "hour" if facts.unread_hours == 1 else "hours"
        raise NoProposal(
            f"{why} A smaller size waits until REPORT lines of every hour of the week with calls were read: "
            f"{facts.unread_hours} {hours} are left (memory.max_log_scan_mb)."
        ) from why


def _candidate(
    facts: FunctionFacts, limits: Memory, now: SizeHistory, allowed: list[int], weight: float, *, safety: bool
) -> Candidate:
    """Return the best size that is likely enough to be kept: a try is a burden on the calls that it gets."""
    unlikely = ""
    while True:
        decision = _choose(facts, limits, now, allowed)
        after_mb = decision.memory_mb
        if after_mb == now.memory_mb:
            raise NoProposal(unlikely or f"No change needed: {decision.reason}")
        failures = failures_of(facts, now)
        if after_mb < now.memory_mb and failures.comes_near(decision.predicted[after_mb]):
            unlikely = unlikely or failures.near_words(after_mb, decision.predicted[after_mb])
            allowed = [mb for mb in allowed if mb != after_mb]
            if not allowed:
                raise NoProposal(unlikely)
            continue
        bounds = bounds_of(facts, limits, now, after_mb, safety=safety)
        outcome = outcome_of(decision, now, bounds, canary=weight > 0)
        if outcome is not None and (safety or outcome.chance_kept >= limits.min_chance_kept):
            return Candidate(decision, bounds, outcome, weight)
        unlikely = unlikely or _unlikely(decision, outcome, limits, bounds.most * now.durations.mean, weight)
        allowed = [mb for mb in allowed if mb != after_mb]
        if not allowed:
            raise NoProposal(unlikely)


def faster_candidate(
    facts: FunctionFacts, limits: Memory, failures: Failures, allowed: list[int], weight: float
) -> Candidate:
    """Return the smallest larger size that should make calls faster; raise the advice where none does.

    It is kept only if it does: the price does not matter here, and the slowdown must be a gain."""
    if failures.hang:
        raise NoProposal(failures.hang)
    decision = _choose(facts, limits, failures.now, allowed)
    after_mb = failures.larger(allowed, decision.predicted)
    if after_mb is None:
        raise NoProposal(failures.no_help)
    decision, bounds = replace(decision, memory_mb=after_mb), Bounds(limits.max_slowdown, HELPS)
    found = outcome_of(decision, failures.now, bounds, canary=weight > 0)
    if found is None or found.chance_kept < limits.min_chance_kept:
        raise NoProposal(failures.no_help)
    return Candidate(decision, bounds, found, weight)


def failures_of(facts: FunctionFacts, now: SizeHistory) -> Failures:
    """Return what the calls of the current code tell of timeouts and memory."""
    timeout_s = facts.live.version.timeout_s
    return Failures(facts.history.sizes, now, None if timeout_s is None else timeout_s * 1000)


def _unlikely(
    decision: memory_model.MemoryDecision,
    outcome: TrialOutcome | None,
    limits: Memory,
    most_ms: float,
    weight: float,
) -> str:
    after_mb = decision.memory_mb
    if not weight:
        return (
            f"{after_mb} MB is expected to take {figure(decision.predicted[after_mb].estimate)} ms, and "
            f"{figure(most_ms)} ms is the limit; without a canary it is not tried."
        )
    return (
        f"{after_mb} MB is {outcome.chance_kept if outcome else 0.0:.0%} likely to be kept; "
        f"{limits.min_chance_kept:.0%} is needed for a try (memory.min_chance_kept)."
    )


def _choose(facts: FunctionFacts, limits: Memory, now: SizeHistory, allowed: list[int]) -> memory_model.MemoryDecision:
    used_mb = facts.history.max_memory_used_mb
    if not allowed:
        raise NoProposal(
            f"No size that the policy allows within one step reaches the required {used_mb * limits.headroom:.0f} MB "
            f"({limits.headroom:g} x the peak usage of {used_mb} MB); see memory.sizes_mb, memory.ceiling_mb and "
            f"memory.max_step_ratio."
        )
    observed = observed_sizes(facts.history.sizes)
    if unpriced_words(facts):
        # Only a size that safety demands gets here.
        return memory_model.smallest(observed, allowed, earlier_sizes(facts.history))
    goal, guarded = GOALS.get(limits.goal, ("cost", True))
    decision = memory_model.choose(
        observed,
        facts.known_rates,
        allowed,
        now.memory_mb,
        goal,
        limits.max_slowdown if guarded else None,
        max(0, _TRIES + 1 - len(observed)),
        earlier_sizes(facts.history),
        facts.live.version.storage_mb,
    )
    if now.memory_mb >= used_mb * limits.headroom:
        return decision
    return replace(decision, memory_mb=max(decision.memory_mb, allowed[0]))


def unpriced_words(facts: FunctionFacts, **words: str) -> str:
    """Return why amounts of money are not known; empty if they are. words: as of FunctionFacts.unpriced."""
    return facts.unpriced(provisioned=bool(held(facts.live).environments), **words)
