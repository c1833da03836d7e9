"""The team's policy: what may be looked at, what may be changed, how much, when, and who is asked."""

from optimizer.policy.model import (
    CacheTtls,
    Freeze,
    Functions,
    Indexes,
    Memory,
    Mode,
    Policy,
    ProvisionedConcurrency,
    RunLimits,
    Warmups,
    Window,
)

__all__ = [
    "CacheTtls",
    "Freeze",
    "Functions",
    "Indexes",
    "Memory",
    "Mode",
    "Policy",
    "ProvisionedConcurrency",
    "RunLimits",
    "Warmups",
    "Window",
]
