"""The facts about one function on which its capacity is decided."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from optimizer.advice import Signals
from optimizer.capacity.live_function import LiveFunction
from optimizer.capacity.obstacles import Obstacle
from optimizer.capacity.provisioned import Amount, Demand, LocalDays, held
from optimizer.core import Change, NoChange, Replaced
from optimizer.function_logs import CodeHistory
from optimizer.prices import FREE_STORAGE_MB, NoPrice, Rates, no_price
from optimizer.traffic import Floats

type Proposal = Change | NoChange


@dataclass(frozen=True, slots=True)
class FunctionFacts:
    """The facts about one function.

    calls_day: None where not known. need_most: the most environments ever needed at once, None where not known. scan:
    cost of reading its log, for the evidence. rates: what its account pays, None where not known. rolled_back: sizes
    that were rolled back. replaced: sizes that kept changes replaced, None without any. days: the traffic by local day,
    None where not known. holidays: days that count as Sundays.

    level_ahead: the forecast level as a multiple of that traffic. in_place: the Change whose
    timetable is in place, None without one or where its record is not known. observed: the sentence about an earlier
    change of the function that is under observation, empty without one. unread_hours: hours of the week with calls of
    which no line was read yet. log_scan_mb: what one reading of the log may scan, None where the policy alone says it.
    signals: what advice is given from, None where nobody asks for it. need: environments by the minute, None without a
    goal of latency.
    """

    run_id: str
    target: str
    live: LiveFunction
    history: CodeHistory
    demand: Demand
    calls_day: float | None
    need_most: int | None
    scan: Mapping[str, Any]
    rates: Rates | None
    rolled_back: Collection[int] = ()
    replaced: Replaced | None = None
    timezone: str = "UTC"
    days: LocalDays | None = None
    level_ahead: float = 1.0
    holidays: frozenset[date] = frozenset()
    in_place: Change | None = None
    observed: str = ""
    # What a cold start less is worth, with its INIT.
    cold_start_usd: float = 0.0
    unread_hours: int = 0
    log_scan_mb: int | None = None
    signals: Signals | None = None
    need: Floats | None = None

    @property
    def known_rates(self) -> Rates:
        """The prices that the account pays; raise NoPrice where that is not known."""
        if self.rates is None:
            raise NoPrice(self.unpriced())
        return self.rates

    def unpriced(self, *, provisioned: bool = False, so: str = "no savings are estimated") -> str:
        """Return the sentence that a price is missing; empty if all are known. provisioned: those of its concurrency
        are needed, too. so: what follows from that."""
        version = self.live.version
        if self.rates is None:
            return no_price(self.target.split(":")[3], version.architecture, so=so)
        if provisioned and not self.rates.has_provisioned:
            return no_price(self.rates.region, version.architecture, "provisioned concurrency", so)
        if version.storage_mb > FREE_STORAGE_MB and self.rates.storage_usd is None:
            return no_price(self.rates.region, version.architecture, "ephemeral storage", so)
        return ""

    @property
    def amount(self) -> Amount:
        """The provisioned concurrency held now: of the timetable in place where its change is known, else live."""
        return Amount.in_place(self.in_place, self.live) if self.in_place else held(self.live)


def owner_facts(owner: Obstacle | None) -> dict[str, str]:
    """Return the evidence that a template owns the setting."""
    return {"owner": owner.rule, "template_line": owner.message} if owner else {}


def bill_words(usd_month: float) -> str:
    """Return `saves about $0.62 a month` for -0.62, and `adds about $0.62 a month` for 0.62."""
    if abs(usd_month) < 0.005:
        return "changes the bill by less than $0.01 a month"
    return f"{'saves' if usd_month < 0 else 'adds'} about ${abs(usd_month):,.2f} a month"
