"""Provisioned concurrency: amounts, timetables, proposals, and the steps of a change."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.capacity.provisioned.amount import held as held
    from optimizer.capacity.provisioned.load import Demand as Demand, usd_month as usd_month
    from optimizer.capacity.provisioned.scheduled_step import HoldMinimum as HoldMinimum
    from optimizer.capacity.provisioned.timetable import DAYS as DAYS, Timetable as Timetable
    from optimizer.capacity.provisioned.timetable_schedules import PlacedTimetables as PlacedTimetables
else:
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
