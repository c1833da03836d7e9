"""The life of one change, the same for every tuner: apply, poll, verify, keep, roll back."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.lifecycle.former import applied_at as applied_at
    from optimizer.lifecycle.former import look_number as look_number
    from optimizer.lifecycle.former import take as take
    from optimizer.lifecycle.handler import Setting as Setting
    from optimizer.lifecycle.handler import handle as handle
    from optimizer.lifecycle.hooks import Applied as Applied
    from optimizer.lifecycle.hooks import Blocked as Blocked
    from optimizer.lifecycle.hooks import End as End
    from optimizer.lifecycle.hooks import Failed as Failed
    from optimizer.lifecycle.hooks import Finished as Finished
    from optimizer.lifecycle.hooks import Hooks as Hooks
    from optimizer.lifecycle.hooks import Keep as Keep
    from optimizer.lifecycle.hooks import Look as Look
    from optimizer.lifecycle.hooks import LookAgain as LookAgain
    from optimizer.lifecycle.hooks import Objection as Objection
    from optimizer.lifecycle.hooks import Observation as Observation
    from optimizer.lifecycle.hooks import Outdated as Outdated
    from optimizer.lifecycle.hooks import Pending as Pending
    from optimizer.lifecycle.hooks import Ready as Ready
    from optimizer.lifecycle.hooks import RollBack as RollBack
    from optimizer.lifecycle.hooks import RolledBack as RolledBack
    from optimizer.lifecycle.hooks import WatchOn as WatchOn
    from optimizer.lifecycle.lifecycle import FIELDS as FIELDS
    from optimizer.lifecycle.lifecycle import Lifecycle as Lifecycle
    from optimizer.lifecycle.outcomes import Answer as Answer
    from optimizer.lifecycle.outcomes import answer as answer
    from optimizer.lifecycle.outcomes import ended as ended
    from optimizer.lifecycle.progress import ChangeProgress as ChangeProgress
    from optimizer.lifecycle.progress import Recorder as Recorder
    from optimizer.lifecycle.progress import read_time as read_time
    from optimizer.lifecycle.progress import shared_fields as shared_fields
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "former": (
                "applied_at",
                "look_number",
                "take",
            ),
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
                "Objection",
                "Observation",
                "Outdated",
                "Pending",
                "Ready",
                "RollBack",
                "RolledBack",
                "WatchOn",
            ),
            "lifecycle": (
                "FIELDS",
                "Lifecycle",
            ),
            "outcomes": (
                "Answer",
                "answer",
                "ended",
            ),
            "progress": (
                "ChangeProgress",
                "Recorder",
                "read_time",
                "shared_fields",
            ),
        },
    )
