"""Functions whose results are read through a cache."""

import functools
from collections.abc import Callable
from types import MethodType
from typing import Any

from optimizer_cache.errors import UnusableKey

KeyOf = Callable[..., str]
_PLAIN = (str, int, float, bool, type(None))


def default_key(*args: Any, **kwargs: Any) -> str:
    """Return a key of plain arguments. Raises UnusableKey for others, whose text may differ between processes."""
    for value in (*args, *kwargs.values()):
        if type(value) not in _PLAIN:
            raise UnusableKey(value)
    return ",".join([*map(repr, args), *(f"{name}={kwargs[name]!r}" for name in sorted(kwargs))])


def decorator[**P, V](
    read: Callable[[str, str, Callable[[], V]], V], forget: Callable[[str, str], Any], namespace: str, key: KeyOf | None
) -> "Callable[[Callable[P, V]], Cached[P, V]]":
    """Return what makes a function one that is read through `read` of a cache; of a coroutine function V is awaited."""

    def decorate(function: Callable[P, V]) -> Cached[P, V]:
        in_space = functools.partial(read, namespace), functools.partial(forget, namespace)
        return Cached(function, key or default_key, *in_space)

    return decorate


class Cached[**P, V]:
    """A function whose results are read through a cache; `forget` drops the result of some arguments."""

    def __init__(
        self,
        function: Callable[P, V],
        key_of: KeyOf,
        read: Callable[[str, Callable[[], V]], V],
        forget: Callable[[str], Any],
    ) -> None:
        self._function, self._key_of, self._read, self._forget = function, key_of, read, forget
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> V:
        return self._read(self.key(*args, **kwargs), lambda: self._function(*args, **kwargs))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def key(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """Return the key of these arguments."""
        return self._key_of(*args, **kwargs)

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Drop the result of these arguments, as `forget` of the cache does."""
        return self._forget(self.key(*args, **kwargs))
