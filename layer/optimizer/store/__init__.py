"""The application's own table and bucket: runs, changes, approvals, pings, plans, documents."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.store.documents import Documents as Documents
    from optimizer.store.documents import NoSuchDocument as NoSuchDocument
    from optimizer.store.index_builds import ActingRecords as ActingRecords
    from optimizer.store.pings import Ping as Ping
    from optimizer.store.pings import PingLog as PingLog
    from optimizer.store.proposals import Proposals as Proposals
    from optimizer.store.runs import Judged as Judged
    from optimizer.store.runs import NoSuchChange as NoSuchChange
    from optimizer.store.runs import NoSuchRun as NoSuchRun
    from optimizer.store.runs import Overtaken as Overtaken
    from optimizer.store.runs import RunStore as RunStore
    from optimizer.store.runs import StoredChange as StoredChange
    from optimizer.store.warmup_plans import KeptWarm as KeptWarm
    from optimizer.store.warmup_plans import PlansInPlace as PlansInPlace
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "documents": (
                "Documents",
                "NoSuchDocument",
            ),
            "index_builds": ("ActingRecords",),
            "pings": (
                "Ping",
                "PingLog",
            ),
            "proposals": ("Proposals",),
            "runs": (
                "Judged",
                "NoSuchChange",
                "NoSuchRun",
                "Overtaken",
                "RunStore",
                "StoredChange",
            ),
            "warmup_plans": (
                "KeptWarm",
                "PlansInPlace",
            ),
        },
    )
