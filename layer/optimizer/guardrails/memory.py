"""Guardrails of one memory change. Each rule gives a Refusal or None."""

from collections.abc import Callable
from dataclasses import dataclass

from optimizer.core import Change
from optimizer.guardrails.verdict import Refusal, number, optional_number
from optimizer.policy import Memory


@dataclass(frozen=True, slots=True)
class MemoryState:
    """The function as it is just before the change."""

    memory_mb: int


def floor(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Not below the policy's floor."""
    memory_mb = number(change.after, "memory_mb")
    if memory_mb < limits.floor_mb:
        return Refusal("memory.floor", f"{memory_mb:g} MB is below the floor of {limits.floor_mb} MB.")
    return None


def ceiling(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Not above the policy's ceiling."""
    memory_mb = number(change.after, "memory_mb")
    if memory_mb > limits.ceiling_mb:
        return Refusal("memory.ceiling", f"{memory_mb:g} MB is above the ceiling of {limits.ceiling_mb} MB.")
    return None


def step(change: Change, live: MemoryState, limits: Memory) -> Refusal | None:
    """Not more than the largest factor up or down at once."""
    before, after = float(live.memory_mb), number(change.after, "memory_mb")
    if min(before, after) <= 0 or max(after / before, before / after) > limits.max_step_ratio:
        return Refusal(
            "memory.step",
            f"From {before:g} to {after:g} MB is a larger step than a factor of {limits.max_step_ratio:g}.",
        )
    return None


def samples(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """The evidence rests on enough invocations."""
    count = number(change.evidence, "samples")
    if count < limits.min_invocations:
        return Refusal(
            "memory.samples", f"{count:g} invocations were seen; {limits.min_invocations} are needed to decide."
        )
    return None


def headroom(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Never below the most memory ever used times the headroom."""
    used, after = number(change.evidence, "max_memory_used_mb"), number(change.after, "memory_mb")
    if used <= 0 or after < used * limits.headroom:
        return Refusal(
            "memory.headroom",
            f"{after:g} MB is less than {limits.headroom:g} times the {used:g} MB that were used at most.",
        )
    return None


def gain(change: Change, live: MemoryState, limits: Memory) -> Refusal | None:
    """Worth it. A function that runs with less than its headroom may be given more for safety alone."""
    after, price = number(change.after, "memory_mb"), number(change.evidence, "price_ratio")
    used = number(change.evidence, "max_memory_used_mb")
    if after > live.memory_mb and live.memory_mb < used * limits.headroom:
        return None
    balanced = limits.goal == "balanced"
    saved = 1 - price * (number(change.evidence, "duration_ratio") if balanced else 1.0)
    if saved < limits.min_gain:
        what = "price times duration" if balanced else "the price"
        return Refusal(
            "memory.gain", f"It would save {saved:.1%} of {what}; {limits.min_gain:.1%} is the least worth a change."
        )
    return None


def slowdown(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Not slower than the policy bears, neither on average nor at the 95th percentile."""
    mean, p95 = number(change.evidence, "duration_ratio"), optional_number(change.evidence, "p95_ratio")
    slower = max(mean, p95 or 0.0)
    if slower > limits.max_slowdown:
        return Refusal(
            "memory.slowdown",
            f"Calls would take {slower:.2f} times as long; {limits.max_slowdown:g} times is the most allowed.",
        )
    return None


def p95(change: Change, _live: MemoryState, limits: Memory) -> Refusal | None:
    """Within the latency that the policy promises, if it names one."""
    if limits.max_p95_ms is None:
        return None
    p95_ms = number(change.evidence, "p95_ms")
    if p95_ms > limits.max_p95_ms:
        return Refusal(
            "memory.p95", f"The 95th percentile would be {p95_ms:g} ms; {limits.max_p95_ms:g} ms is the most allowed."
        )
    return None


RULES: tuple[Callable[[Change, MemoryState, Memory], Refusal | None], ...] = (
    floor,
    ceiling,
    step,
    samples,
    headroom,
    slowdown,
    p95,
    gain,
)
