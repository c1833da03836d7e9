"""The capacity tuners: memory size and provisioned concurrency of Lambda functions."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.capacity.backtest import (
        MemoryBacktestRow as MemoryBacktestRow,
        Try as Try,
        document as document,
        month_of_days as month_of_days,
        rows_of as rows_of,
        together as together,
    )
    from optimizer.capacity.change import CapacityHooks as CapacityHooks
    from optimizer.capacity.lambda_account import LambdaAccount as LambdaAccount
    from optimizer.capacity.live_function import LiveFunction as LiveFunction
    from optimizer.capacity.measure import Measure as Measure
    from optimizer.capacity.planner import CapacityPlanner as CapacityPlanner
    from optimizer.capacity.progress import CapacityProgress as CapacityProgress
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "backtest": (
                "MemoryBacktestRow",
                "Try",
                "document",
                "month_of_days",
                "rows_of",
                "together",
            ),
            "change": ("CapacityHooks",),
            "lambda_account": ("LambdaAccount",),
            "live_function": ("LiveFunction",),
            "measure": ("Measure",),
            "planner": ("CapacityPlanner",),
            "progress": ("CapacityProgress",),
        },
    )
