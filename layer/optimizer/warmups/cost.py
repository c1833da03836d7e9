"""What warm-up pings cost. Lambda prices: `optimizer.capacity.prices`; the scheduler's:
https://aws.amazon.com/eventbridge/pricing/, in US dollars, without free tiers."""

from decimal import Decimal

from optimizer.prices import aws_lambda

SCHEDULE_USD = Decimal("0.000001")
# warm_function's own memory and architecture, as template.yaml deploys it.
_WARMER_MEMORY_MB = 256
_WARMER_ARCHITECTURE = "arm64"
# The environment is held while the last of the calls is on its way, and the answer takes its time.
_OVERHEAD_MS = 50.0


def pings_usd(
    *, architecture: str, memory_mb: int, schedules: int, calls: int, cold_calls: float, hold_ms: float, init_ms: float
) -> float:
    """`schedules` pings with together `calls` calls, of which `cold_calls` start an environment."""
    warm_call = aws_lambda.call_usd(architecture, memory_mb, hold_ms)
    init = aws_lambda.call_usd(architecture, memory_mb, hold_ms, init_ms) - warm_call
    warmer = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, hold_ms + _OVERHEAD_MS)
    waits = aws_lambda.call_usd(_WARMER_ARCHITECTURE, _WARMER_MEMORY_MB, init_ms) - aws_lambda.REQUEST_USD
    each = SCHEDULE_USD + warmer
    return float(
        schedules * each + calls * warm_call + Decimal(cold_calls) * init + _at_most(schedules, cold_calls) * waits
    )


def _at_most(schedules: int, cold_calls: float) -> Decimal:
    """Pings that wait for at least one cold start."""
    return Decimal(min(float(schedules), cold_calls))
