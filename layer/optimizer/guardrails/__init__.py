"""The rules of the policy for each change and for the run. Pure; docs/architecture.md gives the order."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "cache_ttls": (
            "CacheTtlState",
            "cache_name",
        ),
        "calendar": (
            "WindowWait",
            "wait_for_window",
        ),
        "check_all": (
            "check",
            "recheck",
            "still_allowed",
        ),
        "indexes": (
            "ALTERS",
            "IndexState",
            "MIB",
            "table_of",
        ),
        "run": (
            "Account",
            "is_new_plan",
            "needs_account",
        ),
        "totals": (
            "Held",
            "raised_usd_month",
        ),
        "verdict": (
            "Decision",
            "PASSES",
            "Refusal",
            "Verdict",
        ),
        "warmups": ("WarmupState",),
    },
)
