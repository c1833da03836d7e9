"""The team's policy: what may be looked at, what may be changed, how much, when, and who approves it."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.policy.check import InvalidPolicy as InvalidPolicy
    from optimizer.policy.check import policy_schema as policy_schema
    from optimizer.policy.check import read_policy as read_policy
    from optimizer.policy.errors import PolicyError as PolicyError
    from optimizer.policy.model import AppConfigProfile as AppConfigProfile
    from optimizer.policy.model import Cache as Cache
    from optimizer.policy.model import CacheNamespace as CacheNamespace
    from optimizer.policy.model import CacheTtls as CacheTtls
    from optimizer.policy.model import Database as Database
    from optimizer.policy.model import Indexes as Indexes
    from optimizer.policy.model import Memory as Memory
    from optimizer.policy.model import Mode as Mode
    from optimizer.policy.model import Permission as Permission
    from optimizer.policy.model import Policy as Policy
    from optimizer.policy.model import ProvisionedConcurrency as ProvisionedConcurrency
    from optimizer.policy.model import RunLimits as RunLimits
    from optimizer.policy.model import Warmups as Warmups
    from optimizer.policy.model import Window as Window
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "check": (
                "InvalidPolicy",
                "policy_schema",
                "read_policy",
            ),
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
        },
    )
