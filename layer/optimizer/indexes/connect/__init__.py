"""Connections to the team's databases."""

from typing import TYPE_CHECKING

from optimizer.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from optimizer.indexes.connect.drivers import (
        AccessDenied as AccessDenied,
        Address as Address,
        DatabaseUnreachable as DatabaseUnreachable,
        Login as Login,
        close as close,
        connect as connect,
    )
    from optimizer.indexes.connect.pool import from_environment as from_environment
    from optimizer.indexes.connect.slots import TooManyConnections as TooManyConnections
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "drivers": (
                "AccessDenied",
                "Address",
                "DatabaseUnreachable",
                "Login",
                "close",
                "connect",
            ),
            "pool": ("from_environment",),
            "slots": ("TooManyConnections",),
        },
    )
