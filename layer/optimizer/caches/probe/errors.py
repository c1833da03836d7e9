"""Why a cache could not be looked at."""

from optimizer.core import OptimizerError


class CacheFailed(OptimizerError):
    """A cache that could not be looked at; the message names it and says why."""


class NotUnderstood(CacheFailed):
    """The server answered with something else than it should."""
