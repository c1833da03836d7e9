from optimizer.caches.change import TtlHooks as TtlHooks
from optimizer.caches.planner import CachePlanner as CachePlanner
from optimizer.caches.propose import MB as MB, OVERHEAD_BYTES as OVERHEAD_BYTES
