"""Advice on functions whose cold starts SnapStart would shorten. Pure.

SnapStart caches each published version for as long as it exists and restores it at each cold start; both are billed by
the memory size, except for Java. How long a restore takes is not known before it is tried.
"""

from optimizer.advice.errors import present_size
from optimizer.advice.model import Advice, Setup, Signals, Subject
from optimizer.advice.month import month_of
from optimizer.advice.runtimes import FREE_OF_CHARGE, supports_snap_start
from optimizer.core import figure
from optimizer.policy import AdviceLimits
from optimizer.prices import FREE_STORAGE_MB, aws_lambda

_LATEST = "$LATEST"
# Fewer measure no mean, and fewer a month are not worth the attention.
_LEAST_INITS, _LEAST_MONTH = 10, 30.0


def advise_on_snap_start(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where cold starts are long and SnapStart is worth its price; None where not."""
    setup, month, size = signals.setup, month_of(signals), present_size(signals)
    if setup is None or month is None or size is None or not can_have_snap_start(setup, signals.version):
        return None
    init_ms, cold_month = size.inits.mean, size.cold_share * month.calls
    if size.inits.count < _LEAST_INITS or init_ms < limits.snap_start_init_ms or cold_month < _LEAST_MONTH:
        return None
    usd_month = snap_start_usd_month(setup, signals.memory_mb, cold_month)
    shorter_ms = init_ms - limits.snap_start_init_ms
    worth_usd = setup.cold_start_usd * cold_month * shorter_ms / init_ms
    if usd_month is not None and usd_month > worth_usd:
        return None
    init_usd = float(aws_lambda.init_usd(setup.rates, signals.memory_mb, init_ms)) * cold_month if setup.rates else None
    return Advice(
        Subject.SNAP_START,
        f"Its INIT takes {figure(init_ms)} ms (measured in {size.inits.count:,} cold starts, {figure(cold_month)} a "
        f"month); the limit is {figure(limits.snap_start_init_ms)} ms. With restores below that, SnapStart saves more "
        f"than {figure(shorter_ms)} ms of each. {_price_words(setup, usd_month, init_usd)}",
        "Not known: how long its restores take; AWS documents less than a second for most functions.",
        "Look at what INIT makes once: random numbers, connections and temporary files must be made after a restore. "
        "Turn SnapStart on for published versions, and delete old versions, each of which is cached.",
        evidence={
            "init_ms": round(init_ms, 3),
            "inits": size.inits.count,
            "cold_starts_month": round(cold_month, 3),
            "latency_ms": round(-shorter_ms, 3),
            "usd_month_snap_start": None if usd_month is None else round(usd_month, 6),
            "usd_month_init": None if init_usd is None else round(init_usd, 6),
            "worth_usd_month": round(worth_usd, 6),
            "limit_ms": limits.snap_start_init_ms,
            "prices": setup.rates.words if setup.rates else "",
        },
    )


def can_have_snap_start(setup: Setup, version: str) -> bool:
    """Return True if SnapStart can be turned on: not for images, $LATEST, file systems or more storage."""
    held = setup.holds_provisioned or setup.snap_start or setup.has_file_system
    is_usual = setup.package_type == "Zip" and setup.storage_mb <= FREE_STORAGE_MB and version != _LATEST
    return is_usual and not held and supports_snap_start(setup.runtime)


def snap_start_usd_month(setup: Setup, memory_mb: int, cold_month: float) -> float | None:
    """Return the price of caching one version and restoring it; None where it is not known."""
    if setup.runtime.startswith(FREE_OF_CHARGE):
        return 0.0
    rates = setup.rates
    if rates is None or rates.snapshot_cache_usd is None or rates.snapshot_restore_usd is None:
        return None
    cached = aws_lambda.SECONDS_A_MONTH * float(rates.snapshot_cache_usd)
    return memory_mb / 1024 * (cached + cold_month * float(rates.snapshot_restore_usd))


def _price_words(setup: Setup, usd_month: float | None, init_usd: float | None) -> str:
    saved = f" INIT alone costs ${init_usd:,.2f} a month now." if init_usd is not None else ""
    if usd_month is None:
        return f"What SnapStart costs in this Region is not known.{saved}"
    if setup.runtime.startswith(FREE_OF_CHARGE):
        return f"For Java it costs nothing.{saved}"
    return f"It costs about ${usd_month:,.2f} a month for one version.{saved}"
