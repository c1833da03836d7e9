"""The life of one change, the same for every tuner: apply, poll, verify, keep, roll back."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "handler": (
            "Setting",
            "handle",
        ),
        "hooks": (
            "Applied",
            "Blocked",
            "End",
            "Failed",
            "Finished",
            "Hooks",
            "Keep",
            "Look",
            "LookAgain",
            "Observation",
            "Outdated",
            "Pending",
            "Ready",
            "RollBack",
            "RolledBack",
            "WatchOn",
            "rest_until",
        ),
        "lifecycle": (
            "FIELDS",
            "Lifecycle",
        ),
        "progress": (
            "ChangeProgress",
            "Recorder",
            "document_of",
        ),
    },
)
