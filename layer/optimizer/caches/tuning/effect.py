"""Estimate the effect of a change of TTLs on latency and on the bill. Pure."""

from collections.abc import Mapping
from typing import Any

from optimizer.core import Effect, Interval
from optimizer.policy import CacheTtls

_MONTH_S = 365 / 12 * 86_400
_GB = 1e9


def expected_effect(namespaces: Mapping[str, Mapping[str, Any]], limits: CacheTtls) -> Effect:
    """Return the expected effect, from the evidence of each namespace that changes.

    `latency_ms` is the change of a read's latency, over all reads of these namespaces. The interval spans two standard
    errors of the sampled hit ratio to each side. Without a price in the policy, its part of the bill is left out.
    """
    parts = [_of(numbers) for numbers in namespaces.values()]
    reads_per_s = sum(part["reads_per_s"] for part in namespaces.values())
    latency = None
    if reads_per_s and all(numbers["miss_ms"] is not None for numbers in namespaces.values()):
        latency = _sum(
            [
                _scaled(misses, n["miss_ms"] / reads_per_s)
                for (misses, _), n in zip(parts, namespaces.values(), strict=True)
            ]
        )
    priced = []
    if limits.usd_million_misses is not None:
        priced += [_scaled(misses, limits.usd_million_misses / 1e6 * _MONTH_S) for misses, _ in parts]
    if limits.usd_gb_month is not None:
        priced += [_scaled(memory, limits.usd_gb_month / _GB) for _, memory in parts]
    return Effect(latency_ms=latency, usd_month=_sum(priced) if priced else None)


def _of(numbers: Mapping[str, Any]) -> tuple[Interval, Interval]:
    """Return the change in misses a second and in bytes."""
    per_s, error = numbers["reads_per_s"], 2 * numbers["hit_ratio_error"]
    misses = (numbers["hit_ratio_before"] - numbers["hit_ratio_after"]) * per_s
    memory = numbers["memory_bytes_after"] - numbers["memory_bytes_before"]
    return Interval(misses, misses - error * per_s, misses + error * per_s), Interval(memory, memory, memory)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.estimate * factor, interval.low * factor, interval.high * factor)


def _sum(intervals: list[Interval]) -> Interval:
    low, high = sum(i.low for i in intervals), sum(i.high for i in intervals)
    # Rounding must not put the estimate outside its own interval.
    return Interval(min(high, max(low, sum(i.estimate for i in intervals))), low, high)
