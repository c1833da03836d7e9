"""The rules of the policy for each change and for the run. Pure; docs/architecture.md gives the order."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.guardrails.cache_ttls import CacheTtlState as CacheTtlState, cache_name as cache_name
    from optimizer.guardrails.check_all import check as check, recheck as recheck, still_allowed as still_allowed
    from optimizer.guardrails.indexes import (
        ALTERS as ALTERS,
        MIB as MIB,
        IndexState as IndexState,
        table_of as table_of,
    )
    from optimizer.guardrails.run import Account as Account, Held as Held
    from optimizer.guardrails.verdict import (
        PASSES as PASSES,
        Decision as Decision,
        Refusal as Refusal,
        Verdict as Verdict,
    )
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
                "PASSES",
                "Refusal",
                "Verdict",
            ),
            "warmups": ("WarmupState",),
        },
    )
