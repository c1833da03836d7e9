"""Gather the facts that advice on a function is given from, out of what was read for its capacity. Pure."""

from optimizer.advice import Setup, Signals
from optimizer.capacity.live_function import LiveFunction
from optimizer.function_logs import CodeHistory, FunctionHistory
from optimizer.policy import USUAL_INIT_MS, Warmups
from optimizer.prices import LambdaPrices, Rates, aws_lambda
from optimizer.traffic import Series


def signals_of(
    live: LiveFunction,
    hours: Series,
    lines: FunctionHistory,
    timezone: str,
    prices: LambdaPrices,
    function_arn: str,
    cold_start_usd: float = 0.0,
) -> Signals:
    """Return the facts that the rules of advice look at. cold_start_usd: what a cold start less is worth."""
    version = live.version
    held = live.provisioned is not None or live.scaling is not None or bool(live.plans) or bool(live.held_elsewhere)
    setup = Setup(
        architecture=version.architecture,
        runtime=version.runtime,
        package_type=version.package_type,
        storage_mb=version.storage_mb,
        snap_start=version.snap_start,
        has_file_system=version.has_file_system,
        holds_provisioned=held,
        rates=prices.of_function(function_arn, version.architecture),
        arm_rates=prices.of_function(function_arn, "arm64"),
        cold_start_usd=cold_start_usd,
    )
    # Managed instances have other prices, and neither advice holds for durable functions.
    is_usual = not (version.managed_instances or version.durable)
    return Signals(
        hours=hours,
        lines=lines,
        version=version.name,
        memory_mb=version.memory_mb,
        timezone=timezone,
        timeout_s=version.timeout_s,
        reserved=live.reserved,
        setup=setup if is_usual else None,
    )


def cold_start_usd(history: CodeHistory, live: LiveFunction, limits: Warmups, rates: Rates | None) -> float:
    """Return what a cold start less is worth by the policy, in proportion to its INIT, and the price of its INIT as far
    as it is known."""
    version = live.version
    size = history.sizes.get(version.memory_mb)
    init_ms = size.inits.mean if size is not None and size.inits.count else USUAL_INIT_MS
    # A worth in minutes of pings says what pings may cost, and nothing about provisioned concurrency.
    worth = limits.usd_per_cold_start if limits.idle_minutes_per_cold_start is None else 0.0
    init_usd = float(aws_lambda.init_usd(rates, version.memory_mb, init_ms)) if rates else 0.0
    return worth * init_ms / USUAL_INIT_MS + init_usd
