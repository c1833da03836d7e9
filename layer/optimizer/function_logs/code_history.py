"""The history of the code that a function runs now, told apart from that of older code. Pure.

Two versions with the same hash of code and configuration are one code; the memory size is not part of the hash. What a
deploy did to the duration is never taken for an effect of memory, so sizes are compared within one code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import reduce
from operator import add

from optimizer.function_logs.history import FunctionHistory, SizeHistory

_LATEST = "$LATEST"
# A leak shows with the age of an environment and with the number of calls. Lambda replaces environments within hours:
# until code has run for a day and so often, what older code used counts, too.
_PROVEN_FOR, _PROVEN_CALLS = timedelta(days=1), 1000
_PROVEN_ANYWAY = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class CodeHistory:
    """The history of one code at all its memory sizes.

    sizes: by memory size, in the order in which the sizes first ran. versions: with this code. earlier: the sizes of
    each other code that the history knows.
    """

    sizes: Mapping[int, SizeHistory] = field(default_factory=dict)
    versions: tuple[str, ...] = ()
    earlier: tuple[Mapping[int, SizeHistory], ...] = ()

    @property
    def is_proven(self) -> bool:
        """True if the code ran long and often enough to forget what older code used."""
        if not self.sizes:
            return False
        calls = sum(size.calls for size in self.sizes.values())
        span = max(size.last_at for size in self.sizes.values()) - min(size.first_at for size in self.sizes.values())
        return span >= _PROVEN_ANYWAY or (span >= _PROVEN_FOR and calls >= _PROVEN_CALLS)

    @property
    def max_memory_used_mb(self) -> int:
        """The peak memory usage at any size, of older code as well until this code is proven."""
        codes = (self.sizes,) if self.is_proven else (self.sizes, *self.earlier)
        return max((size.max_memory_used_mb for sizes in codes for size in sizes.values()), default=0)


def history_of_code(history: FunctionHistory, version: str) -> CodeHistory:
    """Return the history of the code of a version that the history has met.

    Lines of $LATEST are calls by hand, and count only for a function that is called as $LATEST.
    """
    content = history.contents.get(version)
    names = sorted(history.by_version, key=lambda name: (len(name), name))
    own = tuple(name for name in names if name == version or _has(history, name, content))
    others = [name for name in names if name not in own and (version == _LATEST or _LATEST not in name)]
    by_code: dict[str, list[Mapping[int, SizeHistory]]] = {}
    for name in others:
        by_code.setdefault(history.contents.get(name, name), []).append(history.by_version[name])
    return CodeHistory(
        _merged([history.by_version[name] for name in own]),
        own,
        tuple(_merged(sizes) for sizes in by_code.values()),
    )


def _has(history: FunctionHistory, version: str, content: str | None) -> bool:
    return content is not None and history.contents.get(version) == content


def _merged(parts: list[Mapping[int, SizeHistory]]) -> dict[int, SizeHistory]:
    sizes = {mb for part in parts for mb in part}
    whole = {mb: reduce(add, [part[mb] for part in parts if mb in part]) for mb in sizes}
    return dict(sorted(whole.items(), key=lambda item: item[1].first_at))
