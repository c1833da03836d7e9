"""Errors of a probe, by cause.

CacheFailed
├── CacheUnreachable
├── LoginRefused
├── NotReady
└── NotUnderstood
UnusableEndpoint
"""

from optimizer.core import OptimizerError


class CacheFailed(OptimizerError):
    """The cache could not be read; the message names it and says why."""


class CacheUnreachable(CacheFailed):
    """The server does not answer in time, or not in this protocol."""


class LoginRefused(CacheFailed):
    """The server wants another user, password or token."""


class NotReady(CacheFailed):
    """The server answers without data: it is loading, it lost its primary, or its cluster is down."""


class NotUnderstood(CacheFailed):
    """The server answered with something other than expected."""


class UnusableEndpoint(OptimizerError, ValueError):
    """The address or the log-in cannot work; the message says why."""
