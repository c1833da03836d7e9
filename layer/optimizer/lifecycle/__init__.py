"""The life of one change, the same for every tuner: apply, poll, verify, keep, roll back."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.lifecycle.lifecycle import FIELDS as FIELDS
    from optimizer.lifecycle.lifecycle import Answer as Answer
    from optimizer.lifecycle.lifecycle import Objection as Objection
    from optimizer.lifecycle.lifecycle import answer as answer
    from optimizer.lifecycle.lifecycle import applied_at as applied_at
    from optimizer.lifecycle.lifecycle import ended as ended
    from optimizer.lifecycle.lifecycle import look_number as look_number
    from optimizer.lifecycle.lifecycle import take as take
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "lifecycle": (
                "Answer",
                "FIELDS",
                "Objection",
                "answer",
                "applied_at",
                "ended",
                "look_number",
                "take",
            ),
        },
    )
