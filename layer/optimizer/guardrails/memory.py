"""Guardrails of one memory change. Each rule returns a `Refusal`, or None if the change passes."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number, optional_number
from optimizer.policy import Memory

# The share of the function's own Timeout that its slowest calls may take at a smaller size.
_NEAR_TIMEOUT = 0.8


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The function just before the change."""

    memory_mb: int


def floor(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a size below the policy's floor."""
    memory_mb = number(change.after, "memory_mb")
    if memory_mb < limits.floor_mb:
        return Refusal("memory.floor", f"{memory_mb:g} MB is below memory.floor_mb ({limits.floor_mb} MB).")
    return None


def ceiling(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a size above the policy's ceiling."""
    memory_mb = number(change.after, "memory_mb")
    if memory_mb > limits.ceiling_mb:
        return Refusal("memory.ceiling", f"{memory_mb:g} MB is above memory.ceiling_mb ({limits.ceiling_mb} MB).")
    return None


def step(change: Change, live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a step, up or down, by more than the largest allowed factor."""
    before, after = float(live.memory_mb), number(change.after, "memory_mb")
    if min(before, after) <= 0 or max(after / before, before / after) > limits.max_step_ratio:
        return Refusal(
            "memory.step",
            f"{before:g} to {after:g} MB is more than the factor of {limits.max_step_ratio:g} that "
            "memory.max_step_ratio allows.",
        )
    return None


def samples(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a change that rests on too few invocations."""
    count = number(change.evidence, "samples")
    if count < limits.min_invocations:
        return Refusal(
            "memory.samples",
            f"{count:g} invocations were observed; memory.min_invocations requires {limits.min_invocations}.",
        )
    return None


def headroom(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a size below the peak usage times the headroom."""
    used, after = number(change.evidence, "max_memory_used_mb"), number(change.after, "memory_mb")
    if used <= 0 or after < used * limits.headroom:
        return Refusal(
            "memory.headroom",
            f"{after:g} MB is below the required {used * limits.headroom:g} MB "
            f"({limits.headroom:g} x the peak usage of {used:g} MB).",
        )
    return None


def gain(change: Change, live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a change that saves too little. A function below its headroom may get more memory for safety alone, at
    any price, known or not."""
    after = number(change.after, "memory_mb")
    used = number(change.evidence, "max_memory_used_mb")
    if after > live.memory_mb and live.memory_mb < used * limits.headroom:
        return None
    if after > live.memory_mb and change.evidence.get("against_timeouts"):
        return None
    balanced = limits.goal == "balanced"
    saved = 1 - number(change.evidence, "price_ratio") * (
        number(change.evidence, "duration_ratio") if balanced else 1.0
    )
    if saved < limits.min_gain:
        what = "price x duration" if balanced else "the price"
        return Refusal(
            "memory.gain", f"It would save {saved:.1%} of {what}; memory.min_gain requires {limits.min_gain:.1%}."
        )
    # Not known without the number of calls, nor in records of earlier versions.
    usd = optional_number(change.evidence, "gain_usd_month")
    if usd is not None and usd < limits.min_savings_usd_month:
        return Refusal(
            "memory.savings",
            f"It would gain {usd:.2f} USD a month; memory.min_savings_usd_month requires "
            f"{limits.min_savings_usd_month:.2f} USD.",
        )
    return None


def slowdown(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a change that slows calls down too much, on average or at the 95th percentile."""
    mean, p95 = number(change.evidence, "duration_ratio"), optional_number(change.evidence, "p95_ratio")
    slower = max(mean, p95 or 0.0)
    if slower > limits.max_slowdown:
        return Refusal(
            "memory.slowdown",
            f"Calls would take {slower - 1:.1%} longer; memory.max_slowdown allows {limits.max_slowdown - 1:.1%}.",
        )
    return None


def p95(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Block a 95th percentile above the limit that the policy sets, if it sets one."""
    if limits.max_p95_ms is None:
        return None
    p95_ms = number(change.evidence, "p95_ms")
    if p95_ms > limits.max_p95_ms:
        return Refusal(
            "memory.p95",
            f"The 95th percentile would be {p95_ms:g} ms; memory.max_p95_ms allows {limits.max_p95_ms:g} ms.",
        )
    return None


def timeout(change: Change, live: MemoryState, _limits: Memory) -> Refusal | None:
    """Block a smaller size whose slowest calls come near the function's own Timeout."""
    timeout_ms = optional_number(change.evidence, "timeout_ms")
    slowest_ms = optional_number(change.evidence, "slowest_ms")
    smaller = number(change.after, "memory_mb") < live.memory_mb
    if not smaller or timeout_ms is None or slowest_ms is None or slowest_ms <= _NEAR_TIMEOUT * timeout_ms:
        return None
    return Refusal(
        "memory.timeout",
        f"The slowest calls would take {slowest_ms:g} ms; {_NEAR_TIMEOUT:.0%} of the function's Timeout of "
        f"{timeout_ms:g} ms is allowed.",
    )


RULES: tuple[Callable[[Change, MemoryState, Memory], Refusal | None], ...] = (
    floor,
    ceiling,
    step,
    samples,
    headroom,
    slowdown,
    p95,
    timeout,
    gain,
)
