from optimizer.traffic.forecast.demand import (
    Levels as Levels,
    Reals as Reals,
    kept_warm as kept_warm,
    level_factors as level_factors,
)
from optimizer.traffic.forecast.hours import TooLittleHistory as TooLittleHistory, forecast_hours as forecast_hours
from optimizer.traffic.forecast.mixture import (
    PastDayTables as PastDayTables,
    day_tables as day_tables,
    fitted_weights as fitted_weights,
    mean_tables as mean_tables,
)
from optimizer.traffic.forecast.recency import chance_alive as chance_alive, since_last_time as since_last_time
