"""Probe a cache server slowly and read-only, and advise on its settings and keys."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.caches.probe.advice import Advice as Advice, Weight as Weight, advise as advise
    from optimizer.caches.probe.errors import CacheFailed as CacheFailed, UnusableEndpoint as UnusableEndpoint
    from optimizer.caches.probe.login import Keys as Keys
    from optimizer.caches.probe.probe import (
        ProbeProgress as ProbeProgress,
        probe_cache as probe_cache,
        read_use as read_use,
    )
    from optimizer.caches.probe.reader import ProbeLimits as ProbeLimits
    from optimizer.caches.probe.result import (
        NamespaceProbe as NamespaceProbe,
        NodeProbe as NodeProbe,
        ProbeResult as ProbeResult,
        Stopped as Stopped,
    )
    from optimizer.caches.probe.server import Endpoint as Endpoint, IamLogin as IamLogin
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "advice": (
                "Advice",
                "Weight",
                "advise",
            ),
            "errors": (
                "CacheFailed",
                "UnusableEndpoint",
            ),
            "login": ("Keys",),
            "probe": (
                "ProbeProgress",
                "probe_cache",
                "read_use",
            ),
            "reader": ("ProbeLimits",),
            "result": (
                "NamespaceProbe",
                "NodeProbe",
                "ProbeResult",
                "Stopped",
            ),
            "server": (
                "Endpoint",
                "IamLogin",
            ),
        },
    )
