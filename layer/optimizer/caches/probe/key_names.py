"""Which namespace a key belongs to, told from the names alone. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

OTHER = "_other"
UNNAMED = "_unnamed"

_SEPARATOR = re.compile(r"[:/|]")
# The client library's own: prefix, namespace, version of the namespace, key; and where the version itself is kept.
_CLIENT = re.compile(r"oc:(?P<namespace>.+?):(?:[0-9a-f]{12}:|version$)")
# A part of a name with more values than this tells one thing from another, with fewer one kind from another.
_KINDS = 10
_KEYS_A_KIND = 10
_DEEPEST = 3


def is_version_key(name: str) -> bool:
    """Whether the key is the client library's own record of a namespace's version, which has no TTL on purpose."""
    found = _CLIENT.match(name)
    return found is not None and found.end() == len(name) and name.endswith(":version")


def namespaces(names: Iterable[str], prefixes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Namespace of each name.

    prefixes: namespaces that the team names, each with what its keys begin with; the longest that fits decides. Then
    come the client library's keys. In what is left, the parts before a separator (`:`, `/`, `|`) are a namespace as
    long as they have few values with many keys each: `user:1:cart` is `user`, `shop:price:1` is `shop:price` where
    there are other kinds of `shop`. Names of one part are `_unnamed`. Braces around a hash tag do not count.
    """
    by_length = sorted((prefixes or {}).items(), key=lambda item: -len(item[1]))
    found: dict[str, str] = {}
    rest: list[tuple[str, Sequence[str]]] = []
    for name in names:
        named = next((space for space, prefix in by_length if name.startswith(prefix)), None)
        client = _CLIENT.match(name)
        if named is not None:
            found[name] = named
        elif client is not None:
            found[name] = client["namespace"]
        else:
            rest.append((name, [part.strip("{}") for part in _SEPARATOR.split(name)][:-1]))
    _split(rest, 0, found)
    return found


def _split(keys: Sequence[tuple[str, Sequence[str]]], depth: int, found: dict[str, str]) -> None:
    """Give the keys, whose first `depth` parts are equal, the namespace of these, or go one part deeper."""
    deeper: dict[str, list[tuple[str, Sequence[str]]]] = defaultdict(list)
    here = []
    for key in keys:
        if len(key[1]) > depth:
            deeper[key[1][depth]].append(key)
        else:
            here.append(key)
    kinds = len(deeper) <= _KINDS and sum(map(len, deeper.values())) >= _KEYS_A_KIND * len(deeper)
    if depth and (depth == _DEEPEST or not kinds):
        here, deeper = list(keys), {}
    for name, parts in here:
        found[name] = ":".join(parts[:depth]) if depth else UNNAMED
    for group in deeper.values():
        _split(group, depth + 1, found)
