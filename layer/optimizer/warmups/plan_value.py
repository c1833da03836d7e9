"""Price pings."""

from decimal import Decimal

from optimizer.prices import aws_lambda
from optimizer.warmups.ping_plan import PingPrices

SCHEDULE_USD = Decimal("0.000001")
# The memory and architecture with which template.yaml deploys warm_function.
_WARMER_MEMORY_MB = 256
_WARMER_ARCHITECTURE = "arm64"
# warm_function runs longer than the hold: most of its calls come minutes apart, so it pays for its own INIT as well.
_OVERHEAD_MS = 1000.0


# The calls of one ping are sent within this time; otherwise warm_function holds them longer in a second round.
HOLD_MS = 200


def ping_prices(architecture: str, memory_mb: int, init_ms: float) -> PingPrices:
    """Return the prices of the pings of one function."""

    def usd(schedules: int, calls: int, cold_calls: int) -> float:
        return pings_usd(
            architecture=architecture,
            memory_mb=memory_mb,
            schedules=schedules,
            calls=calls,
            cold_calls=cold_calls,
            hold_ms=HOLD_MS,
            init_ms=init_ms,
        )

    ping = usd(1, 0, 0)
    init = float(aws_lambda.init_usd(architecture, memory_mb, init_ms))
    return PingPrices(ping, usd(1, 1, 0) - ping, init)


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
