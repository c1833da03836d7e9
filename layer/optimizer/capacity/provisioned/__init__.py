"""Provisioned concurrency: amounts, timetables, proposals, and the steps of a change."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "amount": (
            "Amount",
            "change_id_of",
            "held",
            "is_held",
            "mark_of",
        ),
        "best_week": ("level_ahead",),
        "hours_ahead": (
            "ProvisionedAhead",
            "provision_ahead",
        ),
        "load": (
            "DAYS_A_MONTH",
            "Demand",
            "usd_month",
            "worth_holding",
        ),
        "local_days": ("LocalDays",),
        "proposal": ("held_facts",),
        "propose": ("plan_provisioned",),
        "scheduled_step": ("HoldMinimum",),
        "timetable": (
            "DAYS",
            "READY_MINUTES",
            "Timetable",
        ),
        "timetable_schedules": ("PlacedTimetables",),
        "use": (
            "MeasuredUse",
            "days_to_observe",
            "judge_use",
            "read_use",
        ),
    },
)
