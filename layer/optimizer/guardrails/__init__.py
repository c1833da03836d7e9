"""The rules of the policy for each change and for the run. Pure; docs/architecture.md gives the order."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.guardrails.cache_ttls import CacheTtlState as CacheTtlState
    from optimizer.guardrails.cache_ttls import cache_name as cache_name
    from optimizer.guardrails.check_all import check as check
    from optimizer.guardrails.check_all import recheck as recheck
    from optimizer.guardrails.check_all import still_allowed as still_allowed
    from optimizer.guardrails.indexes import ALTERS as ALTERS
    from optimizer.guardrails.indexes import MIB as MIB
    from optimizer.guardrails.indexes import IndexState as IndexState
    from optimizer.guardrails.indexes import table_of as table_of
    from optimizer.guardrails.run import Account as Account
    from optimizer.guardrails.run import Held as Held
    from optimizer.guardrails.verdict import Decision as Decision
    from optimizer.guardrails.verdict import Refusal as Refusal
    from optimizer.guardrails.verdict import Verdict as Verdict
    from optimizer.guardrails.warmups import WarmupState as WarmupState
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "cache_ttls": (
                "CacheTtlState",
                "cache_name",
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
                "Held",
            ),
            "verdict": (
                "Decision",
                "Refusal",
                "Verdict",
            ),
            "warmups": ("WarmupState",),
        },
    )
