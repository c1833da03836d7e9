"""One run of the state machine: start, check, health, and leaving the account."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "account_usage": ("read_usage",),
        "check": ("check_run",),
        "glance": ("Glance",),
        "health": ("run_health",),
        "leave": (
            "Leaving",
            "Left",
        ),
        "request": ("RunRequest",),
        "start": ("start_run",),
        "targets": (
            "BATCH",
            "Targets",
            "choose_targets",
            "tagged_functions",
        ),
        "unchanged": ("glance_at",),
    },
)
