"""Probe a cache server slowly and read-only, and advise on its settings and keys."""

from optimizer.lazy_exports import lazy_exports

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
            "ServerFacts",
            "ServerUse",
            "Stopped",
        ),
        "server": (
            "Endpoint",
            "IamLogin",
        ),
    },
)
