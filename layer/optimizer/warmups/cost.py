"""Compute the price of warm-up pings in US dollars, without free tiers.

The prices of Lambda are in `optimizer.prices`; the source of the scheduler's is
https://aws.amazon.com/eventbridge/pricing/.
"""

from decimal import Decimal

from optimizer.prices import aws_lambda

SCHEDULE_USD = Decimal("0.000001")
# The memory and architecture with which template.yaml deploys warm_function.
_WARMER_MEMORY_MB = 256
_WARMER_ARCHITECTURE = "arm64"
# warm_function runs longer than the hold: it sends the calls and waits for the answers.
_OVERHEAD_MS = 50.0


def pings_usd(
    *, architecture: str, memory_mb: int, schedules: int, calls: int, cold_calls: float, hold_ms: float, init_ms: float
) -> float:
    """Return the price of `schedules` pings with `calls` calls in total, of which `cold_calls` start an environment."""
    warm_call = aws_lambda.call_usd(architecture, memory_mb, hold_ms)
    init = aws_lambda.call_usd(architecture, memory_mb, hold_ms, init_ms) - warm_call
    warmer = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, hold_ms + _OVERHEAD_MS)
    wait = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, init_ms) - aws_lambda.REQUEST_USD
    # warm_function waits for INIT at most once a ping, however many environments the ping starts.
    waits = Decimal(min(float(schedules), cold_calls))
    return float(schedules * (SCHEDULE_USD + warmer) + calls * warm_call + Decimal(cold_calls) * init + waits * wait)
