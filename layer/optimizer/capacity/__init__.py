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
        "function_facts": ("FunctionFacts",),
        "lambda_account": (
            "LambdaAccount",
            "version_of",
        ),
        "live_function": (
            "LATEST",
            "LiveFunction",
            "Placed",
            "ProvisionedConfig",
            "Scaling",
            "Version",
        ),
        "measure": ("Measure",),
        "obstacles": ("obstacle",),
        "planner": ("CapacityPlanner",),
        "progress": ("CapacityProgress",),
        "propose": ("plan_function",),
        "provisioned.best_week": ("level_ahead",),
        "provisioned.load": (
            "Demand",
            "provisioned_usd_month",
        ),
        "provisioned.local_days": ("LocalDays",),
        "remembered": ("Remembered",),
        "signals": (
            "cold_start_usd",
            "signals_of",
        ),
    },
)
