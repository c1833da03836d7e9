"""Reading PostgreSQL and detecting what its indexes need."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "generic_plan": (
            "explain_generically",
            "is_planned",
            "run_one",
        ),
        "plans": ("total_cost",),
        "reader": (
            "read_only_snapshot",
            "read_roles",
        ),
    },
)
