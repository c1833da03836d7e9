"""The cost of an assessment, and how its part for logs is spent: functions worth most first. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from optimizer.prices import aws_lambda, services

# Metrics of a function in the overview, and in detail: calls by the minute and by the hour, five more by the hour, and
# for functions with bursts their concurrency by the minute.
OVERVIEW_METRICS, DETAIL_METRICS = 2, 8
# The most that an assessment costs, by default: for each function, and in small accounts.
USD_A_FUNCTION, LEAST_USD = 0.00019, 0.02
_MB = 1_000_000
# Functions whose logs are read make up this share of the bill; the rest has little to save.
COVERED = 0.98
# A bill below this a month has nothing to save.
LEAST_BILL_USD = 0.05


@dataclass(frozen=True, slots=True)
class Estimate:
    """The estimated cost of an assessment, in USD. logs: at most."""

    metrics_usd: float
    logs_usd: float

    @property
    def usd(self) -> float:
        """Both together."""
        return self.metrics_usd + self.logs_usd

    @property
    def log_bytes(self) -> float:
        """The bytes of logs that may be scanned."""
        return self.logs_usd / float(aws_lambda.log_scan_usd(1.0))


def default_usd(functions: int) -> float:
    """Return the most that an assessment of so many functions costs by default."""
    return max(LEAST_USD, USD_A_FUNCTION * functions)


def estimate(functions: int, called: int, max_usd: float) -> Estimate:
    """Return the cost of an assessment of `functions`, of which `called` are called at all, within `max_usd`.

    Metrics come first, because without them nothing is known; logs get the rest.
    """
    metrics = services.METRIC_USD * (OVERVIEW_METRICS * functions + DETAIL_METRICS * called)
    return Estimate(metrics, max(0.0, max_usd - metrics))


def affordable(functions: int, max_usd: float) -> int:
    """Return the number of functions whose metrics can be read in detail within `max_usd`."""
    left = max_usd - services.METRIC_USD * OVERVIEW_METRICS * functions
    return max(0, int(left / (services.METRIC_USD * DETAIL_METRICS) + 1e-9))


def worth_reading(bills: Sequence[float]) -> int:
    """Return the number of functions whose logs are worth reading. bills: USD a month, the largest first."""
    total, seen = sum(bills), 0.0
    for number, bill in enumerate(bills):
        if bill < LEAST_BILL_USD or seen >= COVERED * total:
            return number
        seen += bill
    return len(bills)


def scan_mb(left_bytes: float, functions_left: int, most_mb: int) -> int:
    """Return the MB that the next function's logs may take.

    It is ten times the equal share, so that functions worth most get enough, and at most a quarter of what is left.
    """
    share = left_bytes / max(4.0, functions_left / 10)
    return max(0, min(most_mb, int(share / _MB)))
