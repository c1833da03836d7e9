"""The facts that the log tells of a function's sizes. Pure."""

from typing import Any

from optimizer.capacity.function_facts import FunctionFacts
from optimizer.core import Interval


def memory_facts(facts: FunctionFacts) -> dict[str, Any]:
    """Return what the log tells of the function's sizes: the evidence of every proposal, and of earlier changes."""
    sizes = {
        str(mb): {
            "calls": size.calls,
            "mean_ms": round(size.durations.mean, 3),
            "mean_interval_ms": _bounds(size.durations.mean_interval()),
            "p95_ms": round(size.durations.quantile(0.95), 3),
            "max_memory_used_mb": size.max_memory_used_mb,
            "cold_share": round(size.cold_share, 5),
            "init_ms": round(size.inits.mean, 3),
            "timeouts": size.timeouts,
            "out_of_memory": size.out_of_memory,
            "errors": size.errors,
        }
        for mb, size in facts.history.sizes.items()
        if size.durations.count
    }
    return {
        "architecture": facts.live.version.architecture,
        "sizes": sizes,
        "max_memory_used_mb": facts.history.max_memory_used_mb,
        "versions_of_this_code": list(facts.history.versions),
        "unread_hours": facts.unread_hours,
        "older_code_counts": bool(facts.history.earlier) and not facts.history.is_proven,
        "log_scan": dict(facts.scan),
        **({"prices": facts.rates.document()} if facts.rates else {}),
    }


def _bounds(interval: Interval) -> list[float]:
    return [round(interval.low, 3), round(interval.high, 3)]
