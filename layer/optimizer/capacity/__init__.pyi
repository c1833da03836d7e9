from optimizer.capacity.backtest import (
    MemoryBacktestRow as MemoryBacktestRow,
    Try as Try,
    document as document,
    month_of_days as month_of_days,
    rows_of as rows_of,
    together as together,
)
from optimizer.capacity.change import CapacityHooks as CapacityHooks
from optimizer.capacity.function_facts import FunctionFacts as FunctionFacts
from optimizer.capacity.lambda_account import LambdaAccount as LambdaAccount, version_of as version_of
from optimizer.capacity.live_function import (
    LATEST as LATEST,
    LiveFunction as LiveFunction,
    Placed as Placed,
    ProvisionedConfig as ProvisionedConfig,
    Scaling as Scaling,
    Version as Version,
)
from optimizer.capacity.measure import Measure as Measure
from optimizer.capacity.obstacles import obstacle as obstacle
from optimizer.capacity.planner import CapacityPlanner as CapacityPlanner
from optimizer.capacity.progress import CapacityProgress as CapacityProgress
from optimizer.capacity.propose import plan_function as plan_function
from optimizer.capacity.provisioned.best_week import level_ahead as level_ahead
from optimizer.capacity.provisioned.load import Demand as Demand, provisioned_usd_month as provisioned_usd_month
from optimizer.capacity.provisioned.local_days import LocalDays as LocalDays
from optimizer.capacity.remembered import Remembered as Remembered
from optimizer.capacity.signals import cold_start_usd as cold_start_usd, signals_of as signals_of
