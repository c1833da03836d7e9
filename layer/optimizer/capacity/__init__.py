"""The capacity tuners: memory size and provisioned concurrency of Lambda functions."""

from optimizer.lazy_exports import lazy_exports

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
