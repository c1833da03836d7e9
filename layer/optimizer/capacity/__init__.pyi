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
