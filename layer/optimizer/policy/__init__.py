"""The team's policy: what may be looked at, what may be changed, how much, when, and who approves it."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "check": (
            "InvalidPolicy",
            "find_errors",
            "policy_schema",
            "read_policy",
        ),
        "country_days": ("with_country_days",),
        "errors": ("PolicyError",),
        "log_scans": ("log_scan_mb",),
        "model": (
            "AdviceLimits",
            "AlwaysWarm",
            "AppConfigProfile",
            "Budget",
            "Cache",
            "CacheNamespace",
            "CacheTtls",
            "Chosen",
            "Database",
            "Indexes",
            "LatencyGoal",
            "Memory",
            "Mode",
            "NeverWarm",
            "Override",
            "Permission",
            "Policy",
            "ProvisionedConcurrency",
            "RunLimits",
            "USUAL_INIT_MS",
            "UnusualDay",
            "WEEKDAYS",
            "Warmups",
            "Window",
        ),
        "override_errors": ("contradictions_of",),
        "override_words": ("with_overrides_named",),
        "overrides": (
            "modes_of",
            "settings_of_change",
            "settings_of_function",
            "without_promises",
        ),
        "windows": (
            "window_errors",
            "window_warnings",
        ),
    },
)
