"""Forecast traffic: calls per hour and environments per minute. Pure."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "bursts": ("group_sizes",),
        "cold_starts": (
            "ColdStartForecast",
            "KnownTraffic",
            "forecast_cold_starts",
            "past_cold_starts",
        ),
        "day_kinds": ("DayKinds",),
        "day_levels": ("at_levels",),
        "demand": ("Reals",),
        "hours": (
            "TooLittleHistory",
            "forecast_hours",
        ),
        "lives": ("Lives",),
        "peaks": ("poisson",),
    },
)
