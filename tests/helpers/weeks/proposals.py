"""Propose changes of every tuner in every run: another value each time, so that there is always something to decide."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from optimizer.core import Change, Effect, Interval, Risk, Tuner

from tests.helpers.rates import PRICED

FUNCTIONS = ("orders", "items", "users")
_MIB = 1 << 20
_TTLS = {"price": 60.0}


def arn(name: str) -> str:
    return f"arn:aws:lambda:eu-west-1:123456789012:function:{name}"


TARGETS = {
    Tuner.WARMUPS: tuple(map(arn, FUNCTIONS)),
    Tuner.MEMORY: tuple(map(arn, FUNCTIONS)),
    Tuner.PROVISIONED_CONCURRENCY: tuple(map(arn, FUNCTIONS)),
    Tuner.INDEXES: ("shop/public.orders.i",),
    Tuner.CACHE_TTLS: ("cache/shop",),
}


def propose(run_id: str, tuner: Tuner, target: str, state: Mapping[str, Any], now: datetime) -> Change:
    """Return a change from the live state to another one that every guardrail allows."""
    action, before, after, evidence = _OF_TUNER[tuner](run_id, state, now)
    effect = Effect(usd_month=Interval(-3.0, -4.0, -2.0))
    return Change(
        run_id, tuner, action, target, before, after, f"{target}: it is better.", before, Risk.LOW, evidence, effect
    )


type _Parts = tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]


def _warmups(run_id: str, state: Mapping[str, Any], now: datetime) -> _Parts:
    after = {"pings": 40, "most_environments": 2, "usd_day": 0.01, "hours": 24, "plan": run_id}
    after |= {"from": (now + timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=23)).isoformat()}
    return "schedule_warmups", {"schedules": 0, "plan": state.get("plan", "")}, after, {}


def _memory(_run_id: str, state: Mapping[str, Any], _now: datetime) -> _Parts:
    size = state.get("memory_mb", 1024)
    evidence = {"max_memory_used_mb": 300, "samples": 5000, "price_ratio": 0.8, "duration_ratio": 1.02}
    return "set_memory", {"memory_mb": size}, {"memory_mb": 768 if size == 1024 else 1024}, evidence


def _provisioned(_run_id: str, state: Mapping[str, Any], _now: datetime) -> _Parts:
    environments = state.get("environments", 2)
    wanted = 1 if environments == 2 else 2
    evidence = {"usd_month": 8.0 * wanted, "usd_month_before": 8.0 * environments, "utilisation": 0.8, **PRICED}
    return "set_provisioned_concurrency", {"environments": environments}, {"environments": wanted}, evidence


def _indexes(run_id: str, state: Mapping[str, Any], _now: datetime) -> _Parts:
    before = {"database": "shop", "schema": "public", "table": "orders", "index": "i", "size_bytes": 9 * _MIB}
    return "analyze", {**before, "by": state.get("by", "")}, {"by": run_id}, {}


def _ttls(_run_id: str, state: Mapping[str, Any], _now: datetime) -> _Parts:
    ttl_s = state.get("ttl_s", _TTLS)
    wanted = {"price": 100.0 if ttl_s["price"] == 60.0 else 60.0}
    seen = {"hit_ratio_before": 0.7, "hit_ratio_after": 0.8, "reads": 5000}
    sizes = {"memory_bytes_before": 10 * _MIB, "memory_bytes_after": 20 * _MIB}
    return "set_ttls", {"ttl_s": ttl_s}, {"ttl_s": wanted}, {**sizes, "namespaces": {"price": seen}}


_OF_TUNER = {
    Tuner.WARMUPS: _warmups,
    Tuner.MEMORY: _memory,
    Tuner.PROVISIONED_CONCURRENCY: _provisioned,
    Tuner.INDEXES: _indexes,
    Tuner.CACHE_TTLS: _ttls,
}
