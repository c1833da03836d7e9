"""Forecast traffic: calls per hour and environments per minute. Pure."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "demand": (
            "Levels",
            "Reals",
            "kept_warm",
            "level_factors",
        ),
        "hours": (
            "TooLittleHistory",
            "forecast_hours",
        ),
        "mixture": (
            "PastDayTables",
            "day_tables",
            "fitted_weights",
            "mean_tables",
        ),
        "recency": (
            "chance_alive",
            "since_last_time",
        ),
    },
)
