"""The team's policy: what may be looked at, what may be changed, how much, when, and who is asked."""

from optimizer.policy.model import (
    CacheTtls,
    Database,
    Freeze,
    Functions,
    IndexActions,
    Indexes,
    Memory,
    Mode,
    Permission,
    Policy,
    ProvisionedConcurrency,
    RunLimits,
    Warmups,
    Window,
)

__all__ = [
    "CacheTtls",
    "Database",
    "Freeze",
    "Functions",
    "IndexActions",
    "Indexes",
    "Memory",
    "Mode",
    "Permission",
    "Policy",
    "ProvisionedConcurrency",
    "RunLimits",
    "Warmups",
    "Window",
]
