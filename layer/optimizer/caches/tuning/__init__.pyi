from optimizer.caches.tuning.allocate import (
    BudgetTooSmall as BudgetTooSmall,
    Space as Space,
    allocate_ttls as allocate_ttls,
)
from optimizer.caches.tuning.backtest import (
    TtlBacktestRow as TtlBacktestRow,
    backtest_ttls as backtest_ttls,
)
from optimizer.caches.tuning.check_records import UnusableRecord as UnusableRecord
from optimizer.caches.tuning.curves import hit_curve as hit_curve, ttl_grid as ttl_grid
from optimizer.caches.tuning.effect import expected_effect as expected_effect
from optimizer.caches.tuning.forecast import add_reserve as add_reserve, outlooks as outlooks
from optimizer.caches.tuning.limits import TtlLimits as TtlLimits
from optimizer.caches.tuning.read_log import RecordLog as RecordLog, RecordsUnreadable as RecordsUnreadable
from optimizer.caches.tuning.records import (
    SampledReads as SampledReads,
    merge_samples as merge_samples,
)
from optimizer.caches.tuning.replay import Accesses as Accesses, NoAccesses as NoAccesses
from optimizer.caches.tuning.sample import KeySample as KeySample
from optimizer.caches.tuning.tune import NamespaceState as NamespaceState, Prices as Prices
from optimizer.caches.tuning.usage import NamespaceUsage as NamespaceUsage, sum_usage as sum_usage
