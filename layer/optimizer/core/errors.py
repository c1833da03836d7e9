"""The root of the application's own errors."""


class OptimizerError(Exception):
    """An error that the application raises itself.

    Each room names the conditions it can meet as small classes of this root. They also derive from the built-in
    exception that fits (`LookupError`, `ValueError`, `RuntimeError`), so that callers may catch either.
    """


class MalformedChange(OptimizerError, ValueError):
    """A stored or received record is not a Change; the message names the field."""
