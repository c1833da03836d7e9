"""What a function's own REPORT lines say for its warm-ups: how long INIT takes, how often it happens, how long an idle
environment lives. Pure."""

from dataclasses import dataclass
from typing import Any

from optimizer.function_logs import LONGEST_MINUTES, FunctionHistory, IdleTrials

# An idle environment is counted on for as long as so many of them live.
ALIVE_SHARE = 0.9
# With fewer than 8 the rule of succession cannot reach that share, even if all lived.
FEWEST_TRIALS = 10


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """Minutes that an idle environment is counted on. learnt: whether the function's own lines say so, and not the
    policy; trials: how many idle times they told of."""

    minutes: int
    learnt: bool
    trials: int


@dataclass(frozen=True, slots=True)
class LearntFacts:
    """None: the lines do not say. cold_share: cold starts per call."""

    keep_alive: KeepAlive
    init_ms: float | None = None
    cold_share: float | None = None

    def evidence(self) -> dict[str, Any]:
        """For the Change."""
        return {
            "keep_alive_minutes": self.keep_alive.minutes,
            "keep_alive_from": "report_lines" if self.keep_alive.learnt else "policy",
            "keep_alive_trials": self.keep_alive.trials,
            "cold_share_seen": None if self.cold_share is None else round(self.cold_share, 6),
        }


def learn_from_reports(history: FunctionHistory, memory_mb: int, policy_minutes: int) -> LearntFacts:
    """From all that is kept of the function; INIT at its present size where it was seen, else at all sizes."""
    sizes = list(history.sizes.values())
    calls, inits = sum(size.calls for size in sizes), sum(size.inits.count for size in sizes)
    here = history.sizes.get(memory_mb)
    if here is not None and here.inits.count:
        init_ms: float | None = here.inits.mean
    else:
        init_ms = sum(size.inits.total for size in sizes) / inits if inits else None
    return LearntFacts(
        keep_alive=keep_alive(history.idle, policy_minutes),
        init_ms=round(init_ms, 3) if init_ms else None,
        cold_share=inits / calls if calls else None,
    )


def keep_alive(trials: IdleTrials, policy_minutes: int) -> KeepAlive:
    """The policy's value as far as it lies between the longest gap that enough environments outlived and the shortest
    that too few did.

    Trials of current status: what is alive after a longer gap was alive before, so the share alive after `m` minutes
    is at least that among the trials of gaps from `m` on; of these the FEWEST_TRIALS with the shortest gaps are
    taken, by the rule of succession. Where fewer are left, nothing is said.
    """
    minutes = sorted({*trials.survived, *trials.died})
    alive, dead = 0, LONGEST_MINUTES + 1
    for place, minute in enumerate(minutes):
        survived = total = 0
        for later in minutes[place:]:
            survived += trials.survived.get(later, 0)
            total += trials.survived.get(later, 0) + trials.died.get(later, 0)
            if total >= FEWEST_TRIALS:
                break
        else:
            break
        if (survived + 1) / (total + 2) < ALIVE_SHARE:
            dead = minute
            break
        alive = minute
    kept = max(1, min(max(policy_minutes, alive), dead - 1))
    said = alive >= policy_minutes or dead <= policy_minutes
    return KeepAlive(kept, said, sum(trials.survived.values()) + sum(trials.died.values()))
