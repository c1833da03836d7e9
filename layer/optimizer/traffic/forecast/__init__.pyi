from optimizer.traffic.forecast.bursts import group_sizes as group_sizes
from optimizer.traffic.forecast.cold_starts import (
    ColdStartForecast as ColdStartForecast,
    KnownTraffic as KnownTraffic,
    forecast_cold_starts as forecast_cold_starts,
    past_cold_starts as past_cold_starts,
)
from optimizer.traffic.forecast.day_kinds import DayKinds as DayKinds
from optimizer.traffic.forecast.day_levels import at_levels as at_levels
from optimizer.traffic.forecast.demand import Reals as Reals
from optimizer.traffic.forecast.hours import TooLittleHistory as TooLittleHistory, forecast_hours as forecast_hours
from optimizer.traffic.forecast.lives import Lives as Lives
from optimizer.traffic.forecast.peaks import poisson as poisson
