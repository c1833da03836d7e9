"""The sums and groups of an assessment that its page shows. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from optimizer.assess.application_bill import total_usd_month, usual_use
from optimizer.assess.model import Assessment, Finding, FunctionRow
from optimizer.core import Interval, Tuner

# For each rule of a hindrance: what is in the way, and what removes it.
REMEDIES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "alias.none": ("no alias, only $LATEST is called", "publish a version and call it by an alias"),
        "alias.name": ("its alias has another name", "tag the function optimizer:alias=NAME"),
        "alias.latest": ("its alias points at $LATEST", "point the alias at a version"),
        "deploy.weights": ("a deployment shifts its traffic", "wait until it has ended"),
        "deploy.unreleased": ("$LATEST was not released yet", "publish and release it, or wait"),
        "deploy.updating": ("it is being updated", "look again later"),
        "kind.image": ("container image", "change MemorySize where the image is deployed"),
        "kind.snap_start": ("SnapStart", "none: it excludes provisioned concurrency"),
        "kind.durable": ("durable function", "none: its calls may last for days"),
        "kind.tenants": ("tenant isolation", "none: it excludes provisioned concurrency"),
        "kind.managed_instances": ("managed instances", "none: they are priced differently"),
        "owner.cloudformation": ("a CloudFormation stack owns it", "change the template as recommended"),
        "owner.terraform": ("Terraform owns it", "change the configuration as recommended"),
        "data.few_calls": ("too few calls seen", "wait, or raise --max-usd to read more of its log"),
        "data.no_log": ("its log could not be read", "see the missing rights, or give it a log group"),
        "data.shared_log": ("its log group is shared", "give it a log group of its own"),
        "data.small_bill": ("its bill is too small to read its log for", "none: there is little to save"),
        "data.not_scanned": ("its log was not read, to limit the cost", "raise --max-usd"),
        "data.no_metrics": ("its metrics could not be read", "see the missing rights, or look again later"),
    }
)
_WARMUPS = Tuner.WARMUPS.value
# Less than half a cent a month is nothing.
_LEAST_USD = 0.005


@dataclass(frozen=True, slots=True)
class Group:
    """Functions with the same hindrance. saved: the savings that it stops, USD a month."""

    rule: str
    label: str
    remedy: str
    functions: tuple[str, ...]
    saved: float


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums. saved: potential savings of a month. cold_starts: fewer a month, and the USD that their pings cost."""

    functions: int
    idle: int
    assessed: int
    bill_usd_month: float | None
    idle_share: float
    saved: Interval
    savers: tuple[FunctionRow, ...]
    cold_starts: Interval
    warmups_usd_month: float
    warmers: tuple[FunctionRow, ...]
    faster: tuple[FunctionRow, ...]
    unsafe: tuple[FunctionRow, ...]
    groups: tuple[Group, ...]
    opted_in: int

    @property
    def saved_share(self) -> float | None:
        """The savings as a share of the bill; None where the bill is not known."""
        return self.saved.estimate / self.bill_usd_month if self.bill_usd_month else None


def totals_of(assessment: Assessment) -> Totals:
    """Return the sums of an assessment.

    Low and high ends are added, too: that is wider than needed if the errors are independent, which nobody has shown.
    """
    rows = assessment.functions
    bills = [row.bill_usd_month for row in rows if row.bill_usd_month is not None]
    savers = [row for row in rows if row.saved_usd_month.estimate >= _LEAST_USD]
    savers.sort(key=lambda row: -row.saved_usd_month.estimate)
    warm = [(row, found) for row in rows if (found := finding_of(row, _WARMUPS)) and found.cold_starts_month]
    idle = sum(row.is_idle for row in rows)
    return Totals(
        functions=len(rows),
        idle=idle,
        assessed=sum(row.is_assessed for row in rows),
        bill_usd_month=sum(bills) if bills else None,
        idle_share=idle / len(rows) if rows else 0.0,
        saved=_sum(row.saved_usd_month for row in savers),
        savers=tuple(savers),
        cold_starts=_negated(_sum(found.cold_starts_month for _, found in warm if found.cold_starts_month)),
        warmups_usd_month=sum(found.usd_month.estimate for _, found in warm if found.usd_month),
        warmers=tuple(row for row, _ in sorted(warm, key=lambda pair: _cold(pair[1]))),
        faster=tuple(row for row in rows if (memory := finding_of(row, Tuner.MEMORY.value)) and _is_faster(memory)),
        unsafe=tuple(row for row in rows if any(found.safety for found in row.findings)),
        groups=_groups(rows),
        opted_in=sum(row.opted_in for row in rows),
    )


def finding_of(row: FunctionRow, tuner: str) -> Finding | None:
    """Return the finding of a tuner, or None."""
    return next((found for found in row.findings if found.tuner == tuner), None)


def own_usd_month(assessment: Assessment) -> float:
    """Return what the application itself would cost a month, for the functions that are called."""
    known = [row.kind for row in assessment.servers if row.is_supported]
    called = sum(not row.is_idle for row in assessment.functions)
    return total_usd_month(usual_use(called, known.count("database"), known.count("cache")))


def label_of(rule: str) -> str:
    """Return a rule in a few words."""
    return REMEDIES[rule][0] if rule in REMEDIES else rule.replace(".", ": ").replace("_", " ")


def _is_faster(found: Finding) -> bool:
    return found.latency_ms is not None and found.latency_ms.high < 0


def _cold(found: Finding) -> float:
    return found.cold_starts_month.estimate if found.cold_starts_month else 0.0


def _groups(rows: Iterable[FunctionRow]) -> tuple[Group, ...]:
    by_rule: dict[str, list[FunctionRow]] = {}
    for row in rows:
        for hindrance in row.hindrances:
            by_rule.setdefault(hindrance.rule, []).append(row)
    groups = [
        Group(
            rule,
            *REMEDIES.get(rule, (label_of(rule), "see the function")),
            tuple(row.name for row in found),
            sum(row.saved_usd_month.estimate for row in found),
        )
        for rule, found in by_rule.items()
    ]
    return tuple(sorted(groups, key=lambda group: (-group.saved, -len(group.functions), group.rule)))


def _sum(intervals: Iterable[Interval]) -> Interval:
    known = list(intervals)
    return Interval(*(sum(getattr(one, part) for one in known) for part in ("estimate", "low", "high")))


def _negated(interval: Interval) -> Interval:
    return Interval(-interval.estimate, -interval.high, -interval.low)
