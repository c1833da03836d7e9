"""Price the pings of a plan."""

from optimizer.prices import HOLD_MS as HOLD_MS, PingRates as PingRates, aws_lambda, pings_usd as pings_usd
from optimizer.warmups.ping_plan import PingPrices


def ping_prices(rates: PingRates, memory_mb: int, init_ms: float) -> PingPrices:
    """Return the prices of the pings of one function."""

    def usd(schedules: int, calls: int, cold_calls: int) -> float:
        return pings_usd(
            rates=rates,
            memory_mb=memory_mb,
            schedules=schedules,
            calls=calls,
            cold_calls=cold_calls,
            hold_ms=HOLD_MS,
            init_ms=init_ms,
        )

    ping = usd(1, 0, 0)
    init = float(aws_lambda.init_usd(rates.function, memory_mb, init_ms))
    return PingPrices(ping, usd(1, 1, 0) - ping, init)
