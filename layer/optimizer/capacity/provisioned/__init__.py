"""Provisioned concurrency: amounts, timetables, proposals, and the steps of a change."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "amount": ("held",),
        "load": (
            "Demand",
            "usd_month",
        ),
        "scheduled_step": ("HoldMinimum",),
        "timetable": (
            "DAYS",
            "Timetable",
        ),
        "timetable_schedules": ("PlacedTimetables",),
    },
)
