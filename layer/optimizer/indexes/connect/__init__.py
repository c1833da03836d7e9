"""Connections to the team's databases."""

from optimizer.lazy_exports import lazy_exports

__getattr__ = lazy_exports(
    __name__,
    {
        "data_api": (
            "DataApiConnection",
            "StillRunning",
        ),
        "drivers": (
            "AccessDenied",
            "Connection",
            "DatabaseUnreachable",
            "LoginRefused",
            "close",
            "connect",
        ),
        "login": (
            "Address",
            "Login",
        ),
        "pool": ("from_environment",),
        "slots": ("TooManyConnections",),
    },
)
