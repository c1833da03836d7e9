"""Use of a timetable's environments since it was applied: read from CloudWatch, compared with the plan."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.aws import CloudWatchClient, MetricQuery, read_complete
from optimizer.capacity.canary import CanaryHealth
from optimizer.capacity.provisioned.timetable import Timetable

PERIOD_S = 300
_STATISTICS = {
    "calls": ("Invocations", "Sum"),
    "mean_ms": ("Duration", "Average"),
    "provisioned_calls": ("ProvisionedConcurrencyInvocations", "Sum"),
    "spilled_calls": ("ProvisionedConcurrencySpilloverInvocations", "Sum"),
    "in_use": ("ProvisionedConcurrentExecutions", "Average"),
    "utilisation": ("ProvisionedConcurrencyUtilization", "Average"),
}
_DAY = timedelta(days=1)
_DAYS = 7
# Fewer calls in the hours to be held prove nothing.
_LEAST_CALLS = 20


@dataclass(frozen=True, slots=True)
class Period:
    """Five minutes of an alias.

    held: environment-minutes that the timetable holds. in_use, utilisation: of the provisioned environments, None
    without the metric, which is where none existed.
    """

    held: float
    calls: float
    mean_ms: float
    provisioned_calls: float
    spilled_calls: float
    in_use: float | None
    utilisation: float | None


@dataclass(frozen=True, slots=True)
class MeasuredUse:
    """The use in a window.

    held_hours, busy_hours, paid_hours: environment-hours to be held, busy, and paid for (None where the metrics do not
    show it). calls: in periods to be held. provisioned_calls: on the environments. spilled_calls: spilled over.
    """

    held_hours: float
    busy_hours: float
    paid_hours: float | None
    calls: float
    provisioned_calls: float
    spilled_calls: float

    @property
    def utilisation(self) -> float:
        """The share of the time to be held that was busy (0 to 1)."""
        return self.busy_hours / self.held_hours if self.held_hours else 0.0

    def words(self) -> str:
        """Return the use as a phrase for people."""
        paid = "" if self.paid_hours is None else f", {self.paid_hours:.1f} were paid for"
        served = self.provisioned_calls + self.spilled_calls
        spilled = f", {self.spilled_calls / served:.1%} of the calls spilled over" if served else ""
        return f"busy {self.utilisation:.0%} of {self.held_hours:.1f} environment-hours{paid}{spilled}"


def measured(periods: Sequence[Period]) -> MeasuredUse:
    """Return the use over all periods."""
    holding = [period for period in periods if period.held]
    # In a period without calls CloudWatch has no utilisation, but the held environments were paid for.
    paid = [
        period.in_use / period.utilisation * PERIOD_S / 60
        if period.in_use is not None and period.utilisation
        else period.held
        for period in holding
    ]
    is_reported = any(period.utilisation for period in holding)
    return MeasuredUse(
        held_hours=sum(period.held for period in holding) / 60,
        busy_hours=sum(period.provisioned_calls * period.mean_ms for period in holding) / 3_600_000,
        paid_hours=sum(paid) / 60 if is_reported else None,
        calls=sum(period.calls for period in holding),
        provisioned_calls=sum(period.provisioned_calls for period in holding),
        spilled_calls=sum(period.spilled_calls for period in holding),
    )


def judge_use(use: MeasuredUse, *, least: float, worst_day: float, due: bool) -> CanaryHealth:
    """Return the judgement of a timetable.

    least: the use from which on holding is worth its price (0 to 1). worst_day: the lowest use of the days that it was
    planned on. due: as much as on a mean day was held. Environments that took no call at all count as missing data.
    """
    if use.calls >= _LEAST_CALLS and not use.provisioned_calls:
        return CanaryHealth(False, f"no data: none of {use.calls:.0f} calls ran on the environments to be held")
    if not due:
        return CanaryHealth(True, use.words())
    # Below even the worst of the days that it was planned on, the traffic has changed.
    if use.utilisation < min(least, worst_day):
        return CanaryHealth(
            False, f"{use.words()}; {least:.0%} is worth its price, and {worst_day:.0%} was the worst day planned on"
        )
    return CanaryHealth(True, use.words(), enough=True)


def days_to_observe(timetable: Timetable, applied_at: datetime) -> int:
    """Return the whole days until as much was held as on a mean day that holds any.

    A weekend says nothing about a timetable for weekdays.
    """
    hours = timetable.hours()
    per_day = [sum(hours[24 * day : 24 * day + 24]) for day in range(_DAYS)]
    wanted = 60 * sum(per_day) / max(1, sum(held > 0 for held in per_day))
    held = timetable.held_minutes(applied_at, applied_at + _DAYS * _DAY)
    days = range(1, _DAYS + 1)
    return next((day for day in days if sum(held[: day * 1440]) >= 0.95 * wanted), _DAYS)


def read_use(
    cloudwatch: "CloudWatchClient",
    function_name: str,
    alias: str,
    timetable: Timetable,
    start: datetime,
    end: datetime,
) -> MeasuredUse:
    """Return the use in a window, from one GetMetricData call and its pages."""
    first = math.ceil(start.timestamp() / PERIOD_S)
    last = math.floor(end.timestamp() / PERIOD_S)
    if last <= first:
        return measured([])
    held = timetable.held_minutes(_moment(first, start), _moment(last, start))
    points = _read(cloudwatch, function_name, alias, _moment(first, start), _moment(last, start))
    minutes = PERIOD_S // 60
    periods = []
    for n in range(last - first):
        at = first + n
        periods.append(
            Period(
                held=float(sum(held[n * minutes : (n + 1) * minutes])),
                calls=points["calls"].get(at, 0.0),
                mean_ms=points["mean_ms"].get(at, 0.0),
                provisioned_calls=points["provisioned_calls"].get(at, 0.0),
                spilled_calls=points["spilled_calls"].get(at, 0.0),
                in_use=points["in_use"].get(at),
                utilisation=points["utilisation"].get(at),
            )
        )
    return measured(periods)


def _read(
    cloudwatch: "CloudWatchClient", function_name: str, alias: str, start: datetime, end: datetime
) -> Mapping[str, Mapping[int, float]]:
    alias_of_function = {"FunctionName": function_name, "Resource": f"{function_name}:{alias}"}
    queries = [
        MetricQuery(name, "AWS/Lambda", metric, statistic, PERIOD_S, alias_of_function)
        for name, (metric, statistic) in _STATISTICS.items()
    ]
    points = read_complete(cloudwatch, queries, start, end)
    return {
        name: {int(at.timestamp()) // PERIOD_S: value for at, value in found.items()} for name, found in points.items()
    }


def _moment(period: int, like: datetime) -> datetime:
    return datetime.fromtimestamp(period * PERIOD_S, like.tzinfo)
