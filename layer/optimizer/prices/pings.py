"""Price pings: those of a function that is kept warm, by a schedule and warm_function. Pure."""

from dataclasses import dataclass
from decimal import Decimal

from optimizer.prices import aws_lambda
from optimizer.prices.aws_lambda import Rates
from optimizer.prices.lambda_prices import LambdaPrices

SCHEDULE_USD = Decimal("0.000001")
# The memory and architecture with which template.yaml deploys warm_function.
_WARMER_MEMORY_MB = 256
_WARMER_ARCHITECTURE = "arm64"
# warm_function runs longer than the hold: most of its calls come minutes apart, so it pays for its own INIT as well.
_OVERHEAD_MS = 1000.0


# The calls of one ping are sent within this time; otherwise warm_function holds them longer in a second round.
HOLD_MS = 200


@dataclass(frozen=True, slots=True)
class PingRates:
    """The prices of a function and of warm_function, which pings it."""

    function: Rates
    warmer: Rates

    @classmethod
    def of(cls, prices: LambdaPrices, region: str, architecture: str) -> "PingRates | None":
        """Return the rates of pings of a function in a Region; None if one of the two is not known."""
        function, warmer = prices.rates(region, architecture), prices.rates(region, _WARMER_ARCHITECTURE)
        return cls(function, warmer) if function and warmer else None


def pings_usd(
    *, rates: PingRates, memory_mb: int, schedules: int, calls: int, cold_calls: float, hold_ms: float, init_ms: float
) -> float:
    """Return the price of `schedules` pings with `calls` calls in total, of which `cold_calls` start an environment."""
    warm_call = aws_lambda.call_usd(rates.function, memory_mb, hold_ms)
    init = aws_lambda.call_usd(rates.function, memory_mb, hold_ms, init_ms) - warm_call
    warmer = aws_lambda.call_usd(rates.warmer, _WARMER_MEMORY_MB, hold_ms + _OVERHEAD_MS)
    wait = aws_lambda.call_usd(rates.warmer, _WARMER_MEMORY_MB, init_ms) - rates.warmer.request_usd
    # warm_function waits for INIT at most once a ping, however many environments the ping starts.
    waits = Decimal(min(float(schedules), cold_calls))
    return float(schedules * (SCHEDULE_USD + warmer) + calls * warm_call + Decimal(cold_calls) * init + waits * wait)
