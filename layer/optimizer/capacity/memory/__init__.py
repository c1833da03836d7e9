"""Memory sizes: the model, the proposal, and the steps of a memory change."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.capacity.memory.model import (
        NothingObserved as NothingObserved,
        SizeSeen as SizeSeen,
        UnknownGoal as UnknownGoal,
        choose as choose,
    )
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "model": (
                "NothingObserved",
                "SizeSeen",
                "UnknownGoal",
                "choose",
            ),
        },
    )
