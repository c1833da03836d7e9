"""The warm-up proposal for one function: a Change that puts a day's pings in place, or why there is none."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.changes import Change, Effect, Interval, NoChange, Risk, Tuner
from optimizer.policy.model import Warmups
from optimizer.traffic.history import Floats, History
from optimizer.traffic.minutes import moment_of
from optimizer.traffic.need import environments_needed
from optimizer.traffic.summary import FunctionTraffic
from optimizer.warmups.cost import pings_usd
from optimizer.warmups.past_days import Pings, past_days
from optimizer.warmups.simple_plan import usual_pings

ACTION = "schedule_warmups"
# Calls of one ping are sent within this time or warm_function holds them longer in a second round.
HOLD_MS = 200
# Of an ordinary managed runtime with its dependencies, where the function's own is not known.
ASSUMED_INIT_MS = 500.0
_DAYS_A_MONTH = 365 / 12


@dataclass(frozen=True, slots=True)
class Live:
    """What the function is now. schedules: pings already in place, of `plans` (their marks)."""

    memory_mb: int
    architecture: str
    warmup_ready: bool
    schedules: int
    plans: tuple[str, ...]


def propose(
    run_id: str, traffic: FunctionTraffic, history: History, live: Live, policy: Warmups, now_minute: int
) -> Change | NoChange:
    """Decide. `history`: settled. Pings start in the minute after the next one."""
    reason = _why_not(traffic, policy)
    if reason:
        return NoChange(run_id, Tuner.WARMUPS, traffic.function_arn, reason)
    zone = ZoneInfo(traffic.timezone)
    need = environments_needed(history.minutes)
    first = now_minute + 2
    pings = usual_pings(
        need,
        history.minutes.start,
        first,
        first + policy.horizon_hours * 60,
        zone,
        keep_alive_minutes=policy.keep_alive_minutes,
        lead_minutes=policy.lead_minutes,
        idle_minutes_per_cold_start=policy.idle_minutes_per_cold_start,
        most_environments=policy.max_environments_per_function,
    )
    if not pings:
        return NoChange(
            run_id,
            Tuner.WARMUPS,
            traffic.function_arn,
            "no minute of the day ahead makes a ping worth its idle time",
            {"pattern": traffic.pattern, "idle_minutes_per_cold_start": policy.idle_minutes_per_cold_start},
        )
    return _change(run_id, traffic, history, need, live, policy, pings)


def _why_not(traffic: FunctionTraffic, policy: Warmups) -> str:
    if not traffic.days:
        return "no metrics: CloudWatch knows no call of the function"
    if traffic.days < 1:
        return f"only {traffic.days * 24:.0f} hours of history; a pattern needs at least a day"
    if policy.max_environments_per_function <= 0:
        return "the policy allows no environment to be kept warm (warmups.max_environments_per_function is 0)"
    return ""


def _change(
    run_id: str,
    traffic: FunctionTraffic,
    history: History,
    need: Floats,
    live: Live,
    policy: Warmups,
    pings: Pings,
) -> Change | NoChange:
    days = past_days(
        need,
        history.minutes.start,
        pings,
        ZoneInfo(traffic.timezone),
        policy.horizon_hours * 60,
        policy.keep_alive_minutes,
    )
    init_ms = traffic.init_ms or ASSUMED_INIT_MS
    calls = sum(environments for _, environments in pings)
    horizon_days = policy.horizon_hours / 24
    usd_day = (
        pings_usd(
            architecture=live.architecture,
            memory_mb=live.memory_mb,
            schedules=len(pings),
            calls=calls,
            cold_calls=float(np.mean(days.cold_pings)),
            hold_ms=HOLD_MS,
            init_ms=init_ms,
        )
        / horizon_days
    )
    avoided = (days.cold_without - days.cold_with) / horizon_days
    evidence = {
        "cold_starts_avoided": round(float(avoided.mean()), 2),
        "cold_starts_day_without": round(float(days.cold_without.mean() / horizon_days), 2),
        "cold_starts_day_with": round(float(days.cold_with.mean() / horizon_days), 2),
        "idle_minutes_day": round(float(days.idle.mean() / horizon_days), 1),
        "replayed_days": len(days.cold_without),
        "usd_day": usd_day,
        "usd_month": usd_day * _DAYS_A_MONTH,
        "pattern": traffic.pattern,
        "peaks": [{"at": peak.at, "environments": peak.environments} for peak in traffic.peaks],
        "init_ms": init_ms,
        "init_ms_assumed": traffic.init_ms is None,
        "memory_mb": live.memory_mb,
        "architecture": live.architecture,
        "history_key": traffic.history_key,
        "errors_share": traffic.errors_share,
    }
    if avoided.mean() <= 0:
        return NoChange(
            run_id, Tuner.WARMUPS, traffic.function_arn, "the pings would have avoided no cold start in the past days",
            evidence,
        )  # fmt: skip
    if not live.warmup_ready:
        return NoChange(
            run_id,
            Tuner.WARMUPS,
            traffic.function_arn,
            f"about {avoided.mean():.1f} cold starts a day could be avoided for ${usd_day:.4f}, but the function is "
            f"not tagged {policy.ready_tag}=ready: decorate its handler first",
            evidence,
        )
    first = pings[0][0]
    most = max(environments for _, environments in pings)
    return Change(
        run_id=run_id,
        tuner=Tuner.WARMUPS,
        action=ACTION,
        target=traffic.function_arn,
        before={"schedules": live.schedules, "plans": list(live.plans)},
        after={
            "pings": calls,
            "most_environments": most,
            "usd_day": usd_day,
            "alias": traffic.alias,
            "timezone": traffic.timezone,
            "hold_ms": HOLD_MS,
            "from": moment_of(first).isoformat(),
            "schedule": [[minute - first, environments] for minute, environments in pings],
        },
        reason=_reason(traffic, pings, most, float(avoided.mean()), float(days.cold_without.mean() / horizon_days)),
        undo={"action": "delete_schedules", "schedules": len(pings)},
        risk=Risk.LOW,
        evidence=evidence,
        effect=_effect(avoided, usd_day, init_ms, traffic),
    )


def _effect(avoided: Floats, usd_day: float, init_ms: float, traffic: FunctionTraffic) -> Effect:
    mean, low, high = float(avoided.mean()), float(avoided.min()), float(avoided.max())
    per_call = init_ms / traffic.invocations_day if traffic.invocations_day else 0.0
    usd_month = usd_day * _DAYS_A_MONTH
    return Effect(
        cold_starts_month=_negative(mean, low, high, _DAYS_A_MONTH),
        latency_ms=_negative(mean, low, high, per_call),
        usd_month=Interval(usd_month, 0.8 * usd_month, 1.2 * usd_month),
    )


def _negative(mean: float, low: float, high: float, factor: float) -> Interval:
    return Interval(-mean * factor, -max(high, mean) * factor, -min(low, mean) * factor)


def _reason(traffic: FunctionTraffic, pings: Pings, most: int, avoided: float, without: float) -> str:
    share = min(1.0, avoided / without) if without else 0.0
    peak = f", first rise about {traffic.peaks[0].at[11:16]}" if traffic.peaks else ""
    return (
        f"{traffic.function_name}: pattern {traffic.pattern}{peak}; {len(pings)} pings of up to {most} environments "
        f"would have avoided {share:.0%} of {without:.1f} cold starts a day"
    )
