"""Verify the plans of one function by its stored REPORT lines and pings, once for each day of lines."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import cast

from optimizer.core import Ping, canonical_json
from optimizer.function_logs import FunctionHistory
from optimizer.policy import USUAL_INIT_MS
from optimizer.store import Documents, NoSuchDocument
from optimizer.traffic import History
from optimizer.warmups.effect.verified_effect import (
    ColdStarts,
    PingedFunction,
    VerifiedPlans,
    hours_seen,
    verify_plans,
    without_pings,
)
from optimizer.warmups.init_times import LearntFacts
from optimizer.warmups.plan_value import HOLD_MS, pings_usd
from optimizer.warmups.propose import WarmupFacts

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Verification:
    """The last verification of a function's plans, as it is stored."""

    read_until: datetime | None = None
    before: ColdStarts = field(default_factory=ColdStarts)
    plans: VerifiedPlans | None = None


@dataclass(frozen=True, slots=True)
class EffectMeasure:
    """Verifies plans. pings_between: `(function name, first minute, end minute)`."""

    documents: Documents
    pings_between: Callable[[str, int, int], Iterable[Ping]]

    def verify(
        self, name: str, live: WarmupFacts, lines: FunctionHistory, history: History, learnt: LearntFacts
    ) -> VerifiedPlans | None:
        """Return what the plans of a function avoided; None if nothing tells.

        Lines that were verified before are not verified again."""
        if not live.warmup_ready or live.rates is None or lines.cold_since is None or lines.read_until is None:
            return None
        key = f"history/warmups/{name}.json"
        known = self._known(key)
        if known.read_until is not None and known.read_until >= lines.read_until:
            return known.plans
        minutes, init_ms = history.minutes, learnt.init_ms or USUAL_INIT_MS
        pings = list(self.pings_between(name, minutes.start, minutes.end))
        hours = -(-len(minutes) // 60)
        provisioned = None if live.provisioned is None else live.provisioned.ahead(minutes.start, hours)
        found = hours_seen(lines, minutes, pings, PingedFunction(name, init_ms, learnt.keep_alive.minutes, provisioned))
        if found is None or not len(found.hours):
            return None
        before = without_pings(found, known.before)
        plans = verify_plans(found, before, partial(_usd, live, init_ms)) if pings else None
        self.documents.write(key, Verification(lines.read_until, before, plans))
        return plans

    def _known(self, key: str) -> Verification:
        try:
            return cast("Verification", canonical_json.read(Verification, self.documents.read(key)))
        except NoSuchDocument:
            return Verification()
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("%s cannot be read, and is written anew: %r", key, error)
            return Verification()


def _usd(live: WarmupFacts, init_ms: float, pings: int, calls: int, cold: int) -> float:
    return pings_usd(
        rates=live.known_rates,
        memory_mb=live.memory_mb,
        schedules=pings,
        calls=calls,
        cold_calls=cold,
        hold_ms=HOLD_MS,
        init_ms=init_ms,
    )
