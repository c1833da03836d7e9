from optimizer.traffic.analyze import analyze_batch as analyze_batch
from optimizer.traffic.by_alias import read_anew as read_anew
from optimizer.traffic.cloudwatch_history import MetricsUnavailable as MetricsUnavailable
from optimizer.traffic.concurrency import (
    busy_on_average as busy_on_average,
    environments_needed as environments_needed,
    littles_law as littles_law,
)
from optimizer.traffic.history import (
    DAY_MINUTES as DAY_MINUTES,
    HOUR_METRICS as HOUR_METRICS,
    HOURS_KEPT as HOURS_KEPT,
    MINUTE_METRICS as MINUTE_METRICS,
    MINUTES_KEPT as MINUTES_KEPT,
    Floats as Floats,
    History as History,
    Ints as Ints,
    Series as Series,
    empty_series as empty_series,
    hours_from_minutes as hours_from_minutes,
    local_hours as local_hours,
    offsets_minutes as offsets_minutes,
    same_time_on_other_days as same_time_on_other_days,
)
from optimizer.traffic.stored import (
    BatchHistories as BatchHistories,
    history_key as history_key,
    stored_history as stored_history,
    write_batch as write_batch,
)
from optimizer.traffic.summary import FunctionTraffic as FunctionTraffic, summarise as summarise
