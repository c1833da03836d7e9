"""Learn from a function's REPORT lines how long INIT takes, how often it happens, and how long an idle environment
lives. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from optimizer.function_logs import LONGEST_MINUTES, FunctionHistory, IdleTrials
from optimizer.traffic.forecast import Lives

# A plan counts on an idle environment as long as this share of them lives.
ALIVE_SHARE = 0.9
# With fewer than 8 trials the rule of succession cannot reach ALIVE_SHARE, even if all environments lived.
FEWEST_TRIALS = 10
# The assumption of the policy counts as so many trials of a gap of each length.
_ASSUMED_TRIALS = 0.2
# The spread that is shown: the minutes that nine, five and one in ten environments live.
_SPREAD = (0.9, 0.5, 0.1)


@dataclass(frozen=True, slots=True)
class KeepAlive:
    """The time for which a plan counts on an idle environment."""

    minutes: int
    # True if the function's own lines decided, False if the policy did.
    learnt: bool
    # The number of idle times in the lines.
    trials: int


@dataclass(frozen=True, slots=True)
class LearntFacts:
    """The facts that REPORT lines tell about a function; None if they do not."""

    keep_alive: KeepAlive
    init_ms: float | None = None
    # Cold starts per call.
    cold_share: float | None = None
    # How lives differ; pings keep a margin that follows from it. None means that all end at once.
    lives: Lives | None = None

    def evidence(self) -> dict[str, Any]:
        """Return the facts as evidence of a change."""
        lives = self.lives or Lives.of_minutes(self.keep_alive.minutes)
        return {
            "keep_alive_minutes": self.keep_alive.minutes,
            "keep_alive_from": "report_lines" if self.keep_alive.learnt else "policy",
            "keep_alive_trials": self.keep_alive.trials,
            "keep_alive_spread": [lives.minutes(share) for share in _SPREAD],
            "cold_share_seen": None if self.cold_share is None else round(self.cold_share, 6),
        }


def learn_from_reports(history: FunctionHistory, memory_mb: int, policy_minutes: int) -> LearntFacts:
    """Learn from the stored history of a function.

    INIT is taken at the present memory size if a cold start was seen there, otherwise at all sizes.
    """
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
        lives=learn_lives(history.idle, policy_minutes),
    )


def keep_alive(trials: IdleTrials, policy_minutes: int) -> KeepAlive:
    """Return the policy's value, limited by the longest gap that enough environments survived and the shortest gap
    that too few survived.

    An environment that is alive after a longer gap was alive before. So the share that is alive after `m` minutes is
    at least the share among the trials of gaps from `m` on. The FEWEST_TRIALS trials with the shortest of these gaps
    decide, by the rule of succession. Gaps with fewer trials decide nothing.
    """
    minutes = sorted({*trials.survived, *trials.died})
    alive, dead = 0, LONGEST_MINUTES + 1
    for index, minute in enumerate(minutes):
        survived = total = 0
        for later in minutes[index:]:
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
    learnt = alive >= policy_minutes or dead <= policy_minutes
    return KeepAlive(kept, learnt, sum(trials.survived.values()) + sum(trials.died.values()))


def learn_lives(trials: IdleTrials, policy_minutes: int) -> Lives:
    """Return the share of environments that is alive after each idle time.

    Each trial tells only if one environment lived longer than its gap. The estimate is the one of all shares that never
    rise under which the trials are most likely (Ayer and others, 1955: pooling of neighbours that would rise), with the
    policy's assumption as a few trials more.
    """
    assumed = np.array(Lives.of_minutes(policy_minutes).alive)
    pooled: list[tuple[float, float, int]] = []
    for minute in range(1, LONGEST_MINUTES + 1):
        alive = float(assumed[minute]) if minute < len(assumed) else 0.0
        survived = trials.survived.get(minute, 0) + _ASSUMED_TRIALS * alive
        total = trials.survived.get(minute, 0) + trials.died.get(minute, 0) + _ASSUMED_TRIALS
        length = 1
        while pooled and survived * pooled[-1][1] > pooled[-1][0] * total:
            before = pooled.pop()
            survived, total, length = survived + before[0], total + before[1], length + before[2]
        pooled.append((survived, total, length))
    shares = [survived / total for survived, total, length in pooled for _ in range(length)]
    return Lives.of(np.array([1.0, *shares]))
