"""Propose the warm-ups of one function: a change that schedules its pings, or the reason why none is needed. Pure."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.core import Change, Effect, Interval, NoChange, Risk, Tuner, moment_of
from optimizer.policy import USUAL_INIT_MS, Warmups
from optimizer.prices import NoPrice, no_price
from optimizer.traffic import (
    HOUR_METRICS,
    MINUTE_METRICS,
    Floats,
    FunctionTraffic,
    History,
    Series,
    empty_series,
    environments_needed,
)
from optimizer.warmups.already_provisioned import ProvisionedHours
from optimizer.warmups.init_times import LearntFacts
from optimizer.warmups.occasions import Occasions
from optimizer.warmups.plan import WarmupPlan, WarmupRequest, plan_warmups
from optimizer.warmups.plan_value import HOLD_MS, PingRates, ping_prices, pings_usd
from optimizer.warmups.sending.ping_rows import pack
from optimizer.warmups.sending.room import room_in_reservation

if TYPE_CHECKING:
    from optimizer.warmups.effect.verified_effect import VerifiedEffect, VerifiedPlans
    from optimizer.warmups.simulation.play import Pings

ACTION = "schedule_warmups"
# For a function whose configuration is not known.
USUAL_ADVICE = "decorate its handler, then set the tag"
_DAYS_A_MONTH = 365 / 12
# The usual WarmupScheduleExpression of the stack.
RENEWED_AFTER_HOURS = 6
_UNPRICED = "the price of its pings is not known"


@dataclass(frozen=True, slots=True)
class WarmupFacts:
    """The live state of a function."""

    memory_mb: int
    architecture: str
    # What its pings cost; None where that is not known.
    rates: PingRates | None
    # True if the function is tagged as ready for pings.
    warmup_ready: bool
    # The number of scheduled pings, and the marks of their plans.
    schedules: int
    plans: tuple[str, ...]
    # None if unknown.
    provisioned: ProvisionedHours | None = None
    # Why pings make no sense for it; empty if they do.
    refuses_pings: str = ""
    # What its owner does so that it receives pings.
    ping_advice: str = USUAL_ADVICE
    # Its reserved concurrency; None without one.
    reserved: int | None = None
    # Pings of the last minutes and of the next one: (minute since 1970, environments).
    sent: "Pings" = ()

    def need(self, minutes: Series, hours_ahead: int) -> Floats:
        """Return the environments needed in each minute that will not be provisioned at its time of day."""
        need = environments_needed(minutes)
        return need if self.provisioned is None else self.provisioned.unmet_need(need, minutes.start, hours_ahead)

    def all_served(self, minutes: Series, hours_ahead: int) -> str:
        """Return the words that provisioned concurrency leaves nothing to warm; empty if it does."""
        if self.provisioned is None or not np.nansum(environments_needed(minutes)):
            return ""
        if np.nansum(self.need(minutes, hours_ahead)):
            return ""
        most = max(self.provisioned.hours)
        serve = "environment serves" if most == 1 else "environments serve"
        return f"{'up to ' if len(set(self.provisioned.hours)) > 1 else ''}{most} provisioned {serve} all its calls"

    @property
    def known_rates(self) -> PingRates:
        """The prices of its pings; raise NoPrice where they are not known."""
        if self.rates is None:
            raise NoPrice(_UNPRICED)
        return self.rates

    def function(self, init_ms: float) -> "WarmedFunction":
        """Return the facts that prices depend on; raise NoPrice where they are not known."""
        return WarmedFunction(self.memory_mb, self.known_rates, init_ms)


@dataclass(frozen=True, slots=True)
class WarmedFunction:
    """The facts that the price of pings and of cold starts depends on."""

    memory_mb: int
    rates: PingRates
    init_ms: float


def propose_warmups(
    run_id: str,
    traffic: FunctionTraffic,
    history: History,
    live: WarmupFacts,
    policy: Warmups,
    now_minute: int,
    learnt: LearntFacts,
    occasions: Occasions | None = None,
    verified: "VerifiedPlans | None" = None,
) -> Change | NoChange:
    """Propose a change, or none with the reason.

    history: settled. The plan begins in the minute after the next one. Facts learnt about the function replace the
    assumptions of the policy. Pings that are verified to avoid less than they cost are stopped.
    """
    if live.rates is None:
        region = traffic.function_arn.split(":")[3]
        return _without(run_id, traffic, live, policy, no_price(region, live.architecture).rstrip("."), {})
    function = live.function(learnt.init_ms or USUAL_INIT_MS)
    policy = adjust_policy(policy, learnt.keep_alive.minutes, function)
    if live.reserved is not None:
        # The rest is for callers; at each ping it is counted what they need then.
        room = room_in_reservation(live.reserved, 0).environments
        policy = replace(policy, max_environments_per_function=min(policy.max_environments_per_function, room))
    first = now_minute + 2
    unknown = _unknown(traffic)
    is_asked = occasions is not None and occasions.asks_for_any(first, policy.horizon_hours, traffic.timezone)
    reason = live.refuses_pings or _obstacle(policy) or ("" if is_asked else unknown)
    if reason:
        return _without(run_id, traffic, live, policy, reason, {})
    init_usd = ping_prices(live.rates, live.memory_mb, function.init_ms).init_usd
    useless = verified and verified.below_cost(policy.usd_per_cold_start + init_usd)
    if useless and not is_asked:
        reason = f"its pings cost more than what they avoid is worth; {useless.words()}"
        return _without(run_id, traffic, live, policy, reason, _known(traffic, live, policy, learnt, useless))
    known = history.before(first) if len(history.minutes) else _no_history(first)
    request = warmup_request(known, traffic.timezone, policy, function, live.provisioned, occasions)
    sent = tuple((minute - first, environments) for minute, environments in live.sent if minute < first)
    renewed = min(RENEWED_AFTER_HOURS, policy.horizon_hours)
    planned = plan_warmups(replace(request, lives=learnt.lives, sent=sent, renewed_after_hours=renewed))
    minutes = known.minutes
    if not planned.pings:
        reason = live.all_served(minutes, policy.horizon_hours) or planned.reason
        return _without(run_id, traffic, live, policy, reason, _known(traffic, live, policy, learnt))
    pings = tuple((first + minute, environments) for minute, environments in planned.pings)
    effect = verified.recent if verified else None
    return _change(run_id, traffic, minutes, live, policy, planned, pings, learnt, effect)


def adjust_policy(policy: Warmups, keep_alive_minutes: int, function: WarmedFunction) -> Warmups:
    """Return the policy for one function: its keep-alive time, and the worth of its cold starts, which is in
    proportion to its INIT time."""
    worth = policy.usd_per_cold_start
    if policy.idle_minutes_per_cold_start is not None:
        worth = worth_of_idle_minutes(policy.idle_minutes_per_cold_start, function, keep_alive_minutes)
    return replace(
        policy,
        keep_alive_minutes=keep_alive_minutes,
        usd_per_cold_start=worth * function.init_ms / USUAL_INIT_MS,
        idle_minutes_per_cold_start=None,
    )


def worth_of_idle_minutes(idle_minutes: float, function: WarmedFunction, keep_alive_minutes: int) -> float:
    """Return the price, in USD, of pings that hold one warm environment for so many minutes."""
    prices = ping_prices(function.rates, function.memory_mb, function.init_ms)
    return idle_minutes * (prices.ping_usd + prices.environment_usd) / keep_alive_minutes


def warmup_request(
    known: History,
    timezone: str,
    policy: Warmups,
    function: WarmedFunction,
    provisioned: ProvisionedHours | None = None,
    occasions: Occasions | None = None,
) -> WarmupRequest:
    """Return the request to `plan_warmups` for the time that begins where the minutes of `known` end.

    known: its hours end with the last whole hour of its minutes, as those of `History.before` do. occasions: of the
    function; None: the holidays of all functions.
    """
    said = occasions or Occasions(holidays=frozenset(policy.holidays))
    minutes, hours = known.minutes, known.hours
    calls, duration_ms = minutes.values["invocations"], minutes.values["duration_ms"]
    timed = ~np.isnan(duration_ms) & (calls > 0)
    return WarmupRequest(
        start=moment_of(minutes.end),
        hours_ahead=policy.horizon_hours,
        time_zone=timezone,
        duration_ms=float(np.average(duration_ms[timed], weights=calls[timed])) if timed.any() else 0.0,
        init_ms=function.init_ms,
        memory_mb=function.memory_mb,
        rates=function.rates,
        keep_alive_minutes=policy.keep_alive_minutes,
        usd_per_cold_start=policy.usd_per_cold_start,
        minutes=calls,
        hours=hours.values["invocations"],
        hour_peaks=hours.values["concurrency"],
        occasions=said,
        max_environments=policy.max_environments_per_function,
        provisioned=None
        if provisioned is None
        else provisioned.ahead(minutes.end, policy.horizon_hours, said.holidays),
    )


def _no_history(first: int) -> History:
    return History(empty_series(MINUTE_METRICS, first), empty_series(HOUR_METRICS, first // 60))


def _unknown(traffic: FunctionTraffic) -> str:
    """Return the reason why nothing can be planned from past traffic, or an empty string."""
    if not traffic.days:
        return "no metrics: CloudWatch has no calls of the function"
    if traffic.days < 1:
        return f"only {traffic.days * 24:.0f} hours of history are known; a plan needs at least 24"
    return ""


def _obstacle(policy: Warmups) -> str:
    """Return the reason why nothing can be planned at all, or an empty string."""
    if policy.max_environments_per_function <= 0:
        return "the policy allows no environment to be kept warm (warmups.max_environments_per_function is 0)"
    return ""


def _without(
    run_id: str, traffic: FunctionTraffic, live: WarmupFacts, policy: Warmups, reason: str, evidence: dict[str, Any]
) -> Change | NoChange:
    """Propose no pings: no change is needed, unless pings of a former plan are still scheduled."""
    if not live.schedules:
        return NoChange(run_id, Tuner.WARMUPS, traffic.function_arn, reason, evidence)
    return Change(
        run_id=run_id,
        tuner=Tuner.WARMUPS,
        action=ACTION,
        target=traffic.function_arn,
        before={"schedules": live.schedules, "plans": list(live.plans)},
        after=_after(traffic, (), 0.0, policy),
        reason=f"{traffic.function_name}: {live.schedules} scheduled pings are removed, because {reason}",
        undo={"action": "none", "reason": "the next run plans anew"},
        risk=Risk.LOW,
        evidence={**evidence, "cold_starts_avoided": 0.0},
    )


def _change(
    run_id: str,
    traffic: FunctionTraffic,
    minutes: Series,
    live: WarmupFacts,
    policy: Warmups,
    planned: WarmupPlan,
    pings: "Pings",
    learnt: LearntFacts,
    verified: "VerifiedEffect | None",
) -> Change | NoChange:
    # Loaded only where pings are proposed.
    from optimizer.warmups.simulation.past_days import PlayedFunction, play_past_days

    horizon_days = policy.horizon_hours / 24
    need = live.need(minutes, policy.horizon_hours)
    init_ms = learnt.init_ms or USUAL_INIT_MS
    provisioned = None if live.provisioned is None else live.provisioned.ahead(minutes.end, policy.horizon_hours)
    function = PlayedFunction(
        traffic.function_name,
        ZoneInfo(traffic.timezone),
        init_ms,
        policy.keep_alive_minutes,
        None if provisioned is None else provisioned.astype(np.int64),
    )
    past = play_past_days(minutes, pings, function, policy.horizon_hours * 60)
    usd_day = (
        pings_usd(
            rates=live.known_rates,
            memory_mb=live.memory_mb,
            schedules=len(pings),
            calls=sum(environments for _, environments in pings),
            cold_calls=max(float(np.mean(past.cold_pings)), planned.started),
            hold_ms=HOLD_MS,
            init_ms=init_ms,
        )
        / horizon_days
    )
    avoided = (planned.expected_cold_starts_unwarmed - planned.expected_cold_starts) / horizon_days
    evidence = {
        **_known(traffic, live, policy, learnt, verified),
        **({"occasions": list(planned.occasions)} if planned.occasions else {}),
        "cold_starts_avoided": round(avoided, 2),
        "cold_starts_day_unwarmed": round(planned.expected_cold_starts_unwarmed / horizon_days, 2),
        "past_days": {
            "days": past.days,
            "cold_starts_day_without": round(float(past.cold_without.mean()) / horizon_days, 2),
            "cold_starts_day_with": round(float(past.cold_with.mean()) / horizon_days, 2),
            "idle_minutes_day": round(float(past.idle_minutes.mean()) / horizon_days, 1),
        },
        "usd_day": usd_day,
        "usd_month": usd_day * _DAYS_A_MONTH,
    }
    if not live.warmup_ready:
        reason = (
            f"{''.join(f'{words}; ' for words in planned.occasions)}pings could avoid about {avoided:.1f} cold starts "
            f"a day for ${usd_day:.4f} a day, but the function is not tagged {policy.ready_tag}=ready; "
            f"{live.ping_advice}"
        )
        return _without(run_id, traffic, live, policy, reason, evidence)
    return Change(
        run_id=run_id,
        tuner=Tuner.WARMUPS,
        action=ACTION,
        target=traffic.function_arn,
        before={"schedules": live.schedules, "plans": list(live.plans)},
        after=_after(traffic, pings, usd_day, policy),
        reason=f"{traffic.function_name}: {planned.reason}{_limit_note(pings, need, policy, live)}"
        f"{f'; {verified.words()}' if verified else ''}",
        undo={"action": "delete_schedules", "schedules": len(pings)},
        risk=Risk.LOW,
        evidence=evidence,
        effect=_effect(avoided, (past.cold_without - past.cold_with) / horizon_days, usd_day, init_ms, traffic),
    )


def _limit_note(pings: "Pings", need: Floats, policy: Warmups, live: WarmupFacts) -> str:
    """Return a note if a limit makes the plan smaller, otherwise an empty string."""
    limit, most = policy.max_environments_per_function, int(np.nanmax(need, initial=0))
    if most <= limit or max(environments for _, environments in pings) < limit:
        return ""
    if live.reserved is not None and limit == room_in_reservation(live.reserved, 0).environments:
        return (
            f"; up to {most} environments were needed, but its reserved concurrency of {live.reserved} leaves {limit}"
        )
    return (
        f"; up to {most} environments were needed, but warmups.max_environments_per_function allows {limit} "
        "to be kept warm"
    )


def _known(
    traffic: FunctionTraffic,
    live: WarmupFacts,
    policy: Warmups,
    learnt: LearntFacts,
    verified: "VerifiedEffect | None" = None,
) -> dict[str, Any]:
    return {
        **learnt.evidence(),
        **({"verified": verified.evidence()} if verified else {}),
        "init_ms": learnt.init_ms or USUAL_INIT_MS,
        "init_ms_assumed": learnt.init_ms is None,
        "usd_per_cold_start": policy.usd_per_cold_start,
        "pattern": traffic.pattern,
        "peaks": [{"at": peak.at, "environments": peak.environments} for peak in traffic.peaks],
        "invocations_day": traffic.invocations_day,
        "errors_share": traffic.errors_share,
        **({} if live.reserved is None else {"reserved_concurrency": live.reserved}),
        "memory_mb": live.memory_mb,
        "architecture": live.architecture,
        **({"prices": live.rates.function.document()} if live.rates else {}),
        "history_key": traffic.history_key,
    }


def _after(traffic: FunctionTraffic, pings: "Pings", usd_day: float, policy: Warmups) -> dict[str, Any]:
    first = pings[0][0] if pings else 0
    return {
        "pings": sum(environments for _, environments in pings),
        "most_environments": max((environments for _, environments in pings), default=0),
        "usd_day": usd_day,
        "alias": traffic.alias,
        "timezone": traffic.timezone,
        "hold_ms": HOLD_MS,
        "hours": policy.horizon_hours,
        "from": moment_of(first).isoformat(),
        **({"until": moment_of(pings[-1][0]).isoformat()} if pings else {}),
        "schedule": pack((minute - first, environments) for minute, environments in pings),
    }


def _effect(expected: float, past: Floats, usd_day: float, init_ms: float, traffic: FunctionTraffic) -> Effect:
    """Return the expected effect; its range spans the worst and the best of the past days."""
    low, high = min(expected, float(past.min())), max(expected, float(past.max()))
    per_call = init_ms / traffic.invocations_day if traffic.invocations_day else 0.0
    usd_month = usd_day * _DAYS_A_MONTH
    if traffic.days < 1:
        # Pings for an event: what they avoid is not known before.
        return Effect(usd_month=Interval(usd_month, 0.8 * usd_month, 1.2 * usd_month))
    return Effect(
        cold_starts_month=Interval(-expected * _DAYS_A_MONTH, -high * _DAYS_A_MONTH, -low * _DAYS_A_MONTH),
        latency_ms=Interval(-expected * per_call, -high * per_call, -low * per_call),
        # The cost varies with the number of pings that pay for INIT.
        usd_month=Interval(usd_month, 0.8 * usd_month, 1.2 * usd_month),
    )
