"""Advice on functions that would cost less on arm64. Pure."""

from optimizer.advice.model import Advice, Signals, Subject
from optimizer.advice.month import month_of
from optimizer.advice.runtimes import supports_arm64
from optimizer.advice.shares import percent
from optimizer.core import figure
from optimizer.policy import AdviceLimits
from optimizer.prices import aws_lambda


def advise_on_arm64(signals: Signals, limits: AdviceLimits) -> Advice | None:
    """Return advice where the same calls cost clearly less on arm64; None where they do not, or no price is known."""
    setup, month = signals.setup, month_of(signals)
    if setup is None or month is None or setup.architecture != "x86_64":
        return None
    is_image = setup.package_type == "Image"
    now, then = setup.rates, setup.arm_rates
    if now is None or then is None or not (is_image or supports_arm64(setup.runtime)):
        return None
    gb_s = float(aws_lambda.gb_seconds(signals.memory_mb, month.mean_ms)) * month.calls
    before_usd, after_usd = (gb_s * float(rates.gb_second_usd) for rates in (now, then))
    saved_usd = before_usd - after_usd
    if saved_usd < max(limits.arm64_savings_usd_month, 0.005):
        return None
    ratio = float(now.gb_second_usd / then.gb_second_usd)
    apart = " Its provisioned concurrency is not counted." if setup.holds_provisioned else ""
    what = "its image" if is_image else "its native libraries, layers and extensions"
    return Advice(
        Subject.ARM64,
        f"On arm64 a GB-second costs {percent(1 - 1 / ratio)} less: its {figure(month.calls)} calls a month would cost "
        f"${after_usd:,.2f} at the same duration instead of ${before_usd:,.2f} on x86_64, which saves about "
        f"${saved_usd:,.2f} a month.{apart}",
        f"Not known: its duration on arm64. It costs less up to {figure(ratio)} times the present "
        f"{figure(month.mean_ms)} ms.",
        f"See whether {what} can be built for arm64, publish a version there, and give it a part of the calls first.",
        evidence={
            "calls_month": round(month.calls, 3),
            "mean_ms": round(month.mean_ms, 3),
            "memory_mb": signals.memory_mb,
            "usd_month_x86_64": round(before_usd, 6),
            "usd_month_arm64": round(after_usd, 6),
            "usd_month": round(-saved_usd, 6),
            "break_even_ratio": round(ratio, 6),
            "limit_usd_month": limits.arm64_savings_usd_month,
            "prices": f"{now.words}; arm64: {then.words}",
        },
    )
