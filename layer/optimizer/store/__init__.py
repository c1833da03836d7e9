"""The application's own table and bucket: runs, changes, approvals, pings, plans, documents."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.store.documents import Documents as Documents, NoSuchDocument as NoSuchDocument
    from optimizer.store.errors import NoSuchChange as NoSuchChange, NoSuchRun as NoSuchRun, Overtaken as Overtaken
    from optimizer.store.index_builds import ActingRecords as ActingRecords
    from optimizer.store.pings import PingLog as PingLog
    from optimizer.store.proposals import Proposals as Proposals
    from optimizer.store.run_store import RunStore as RunStore
    from optimizer.store.warmup_plans import KeptWarm as KeptWarm, PlansInPlace as PlansInPlace
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "documents": (
                "Documents",
                "NoSuchDocument",
            ),
            "errors": (
                "NoSuchChange",
                "NoSuchRun",
                "Overtaken",
            ),
            "index_builds": ("ActingRecords",),
            "pings": ("PingLog",),
            "proposals": ("Proposals",),
            "run_store": ("RunStore",),
            "warmup_plans": (
                "KeptWarm",
                "PlansInPlace",
            ),
        },
    )
