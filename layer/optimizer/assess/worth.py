"""Warnings about a policy that could cost more than it saves. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from optimizer.assess.application_bill import DAILY_RUNS, WEEKLY_RUNS, Use, own_bill
from optimizer.core import OptimizerError, Tuner
from optimizer.policy import Mode, Policy, log_scan_mb, modes_of
from optimizer.prices import aws_lambda
from optimizer.report import dollars

# Few functions save more than this a month.
_MUCH_A_FUNCTION_USD = 0.25
# The tuners whose changes save money; warm-ups buy latency.
_SAVING = (Tuner.MEMORY, Tuner.PROVISIONED_CONCURRENCY)


class UnreadableAssessment(OptimizerError, ValueError):
    """The document is not what `optimizer assess --json` prints."""


@dataclass(frozen=True, slots=True)
class Worth:
    """An assessment as far as the worth of a policy depends on it. saved: the most that may be saved, USD a month."""

    functions: int
    databases: int
    caches: int
    saved: float

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Worth":
        """Read what `optimizer assess --json` prints; raise UnreadableAssessment for anything else."""
        try:
            totals, kinds = document["totals"], [row["kind"] for row in document["servers"] if row["is_supported"]]
            return cls(
                int(totals["functions"]) - int(totals["idle"]),
                kinds.count("database"),
                kinds.count("cache"),
                float(totals["saved_usd_month"]["high"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnreadableAssessment(f"it is not what `optimizer assess --json` prints: {error!r}") from error


def worth_warnings(policy: Policy, found: Worth | None = None) -> list[str]:
    """Return a sentence for each way in which the policy could cost more than it saves. found: from an assessment,
    without which only the policy itself can tell."""
    return [*_nothing_applied(policy), *_log_scans(policy), *(_bill(policy, found) if found else ())]


def _nothing_applied(policy: Policy) -> Iterator[str]:
    acts = any(modes_of(policy, tuner) != {Mode.RECOMMEND} for tuner in Tuner)
    if acts and (policy.run.max_changes == 0 or policy.run.max_changes_share == 0):
        limit = "max_changes" if policy.run.max_changes == 0 else "max_changes_share"
        fixed = sum(own_bill(Use(0)).values())
        yield (
            f"run.{limit} is 0, so no change is ever applied: the application costs at least {dollars(fixed)} a month "
            "and saves nothing. Raise the limit, or set mode to recommend."
        )


def _log_scans(policy: Policy) -> Iterator[str]:
    usd = _log_usd_month(policy)
    if usd > _MUCH_A_FUNCTION_USD:
        yield (
            f"Reading logs may cost {dollars(usd)} a month for each function (memory.max_log_scan_mb is "
            f"{log_scan_mb(policy.memory)}), which is more than most functions can save. Lower it."
        )


def _log_usd_month(policy: Policy) -> float:
    """Return the most that the logs of one function cost a month."""
    scan_usd = float(aws_lambda.log_scan_usd(log_scan_mb(policy.memory) * 1e6))
    return scan_usd * (DAILY_RUNS + WEEKLY_RUNS)


def _bill(policy: Policy, found: Worth) -> Iterator[str]:
    warm = modes_of(policy, Tuner.WARMUPS) != {Mode.RECOMMEND}
    own = sum(own_bill(Use(found.functions, found.databases, found.caches, warmup_runs=warm)).values())
    pings = policy.warmups.max_usd_month if warm else 0.0
    if own > found.saved:
        yield (
            f"The application costs about {dollars(own)} a month for {found.functions} functions, and the assessment "
            f"found at most {dollars(found.saved)} to save. Deploy it for what it makes faster, or for more functions."
        )
    elif own + pings > found.saved:
        yield (
            f"Warm-ups may spend up to {dollars(pings)} a month (warmups.max_usd_month) beside the {dollars(own)} of "
            f"the application; together that is more than the {dollars(found.saved)} that the assessment found to "
            "save. They buy latency, not money: lower the limit if that is not wanted."
        )
    if found.saved > 0 and all(modes_of(policy, tuner) == {Mode.RECOMMEND} for tuner in _SAVING):
        yield (
            f"memory and provisioned_concurrency only recommend, so the {dollars(found.saved)} a month that the "
            "assessment found are saved only by what people apply themselves."
        )
