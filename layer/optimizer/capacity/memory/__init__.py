"""Memory sizes: the model, the proposal, and the steps of a memory change."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.capacity.memory.model import NothingObserved as NothingObserved
    from optimizer.capacity.memory.model import SizeSeen as SizeSeen
    from optimizer.capacity.memory.model import UnknownGoal as UnknownGoal
    from optimizer.capacity.memory.model import choose as choose
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
