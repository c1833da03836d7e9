"""The mistakes of a caller that the library refuses, each with the remedy in its message.

ValueError
├── UnusableClient
│   ├── NoTimeout
│   ├── DecodesReplies
│   └── OtherKindOfClient
└── UnusableKey
LookupError
└── UnknownNamespace
"""

from collections.abc import Iterable


class UnusableClient(ValueError):
    """The client cannot be used for a cache."""


class NoTimeout(UnusableClient):
    """The client has no socket_timeout, so no call could be sure of an answer in time."""


class DecodesReplies(UnusableClient):
    """The client decodes replies to text, and entries are bytes."""


class OtherKindOfClient(UnusableClient):
    """The client is of a kind that this class does not work with."""


class UnusableKey(ValueError):
    """The key is no text."""

    def __init__(self, key: object) -> None:
        super().__init__(f"a key must be text, not {type(key).__name__}: pass str(...) or a text of your own")


class UnknownNamespace(LookupError):
    """The namespace was not declared."""

    def __init__(self, name: object, declared: Iterable[str]) -> None:
        names = sorted(declared)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        super().__init__(f"the namespace {name!r} is not declared; declared are: {shown or 'none'}")
