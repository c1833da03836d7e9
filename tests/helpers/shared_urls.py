"""Keep the URLs that moto puts together again for every request: S3 even reloads a module for them.

That serves accounts whose addresses change while they run; those of the tests do not.
"""

from typing import Any

from moto.core.base_backend import BaseBackend


def share_urls() -> None:
    """Let moto put together the URLs of each service once in this process."""
    base: Any = BaseBackend
    put_together = base.urls.fget
    known: dict[type[BaseBackend], Any] = {}

    def urls(backend: BaseBackend) -> Any:
        kind = type(backend)
        if kind not in known:
            known[kind] = put_together(backend)
        return known[kind]

    base.urls = property(urls)
