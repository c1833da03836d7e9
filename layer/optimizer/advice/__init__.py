"""Advice on functions from the metrics and REPORT lines that runs read anyway. It changes nothing."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "model": (
            "Advice",
            "Setup",
            "Signals",
            "Subject",
        ),
        "month": (
            "Month",
            "month_of",
        ),
        "rules": ("advise",),
        "snap_start": (
            "can_have_snap_start",
            "snap_start_usd_month",
        ),
    },
)
