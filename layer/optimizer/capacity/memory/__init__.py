"""Memory sizes: the model, the proposal, and the steps of a memory change."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "model": (
            "NothingObserved",
            "SizeSeen",
            "UnknownGoal",
            "choose",
        ),
        "propose": ("plan_memory",),
    },
)
