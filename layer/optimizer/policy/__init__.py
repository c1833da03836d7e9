"""The team's policy: what may be looked at, what may be changed, how much, when, and who approves it."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "check": (
            "InvalidPolicy",
            "policy_schema",
            "read_policy",
        ),
        "country_days": ("with_country_days",),
        "errors": ("PolicyError",),
        "model": (
            "AppConfigProfile",
            "Cache",
            "CacheNamespace",
            "CacheTtls",
            "Database",
            "Indexes",
            "Memory",
            "Mode",
            "Permission",
            "Policy",
            "ProvisionedConcurrency",
            "RunLimits",
            "Warmups",
            "Window",
        ),
        "windows": (
            "window_errors",
            "window_warnings",
        ),
    },
)
