"""Cache TTLs: hit ratios replayed from an access sample, TTLs within a memory budget, and their guards. All pure."""
