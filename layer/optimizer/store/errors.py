"""Errors of the application's table."""

from optimizer.core import OptimizerError


class NoSuchRun(OptimizerError, LookupError):
    """No run of this id is recorded."""


class NoSuchChange(OptimizerError, LookupError):
    """No change of this id is recorded."""


class DifferentChange(OptimizerError, ValueError):
    """The id is recorded with other content. Content that was shown or approved is never replaced."""


class Overtaken(OptimizerError, RuntimeError):
    """Another call of the same step has written the change's record since this one read it, and continues."""


class LockContended(OptimizerError, RuntimeError):
    """The lock changed hands at every attempt to read it; a later attempt can succeed."""
