"""One run of the state machine: start, check, health, and leaving the account."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.run.check import check_run as check_run
    from optimizer.run.leave import Leaving as Leaving
    from optimizer.run.leave import Left as Left
    from optimizer.run.targets import Targets as Targets
    from optimizer.run.targets import choose as choose
    from optimizer.run.targets import tagged_functions as tagged_functions
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "check": ("check_run",),
            "leave": (
                "Leaving",
                "Left",
            ),
            "targets": (
                "Targets",
                "choose",
                "tagged_functions",
            ),
        },
    )
