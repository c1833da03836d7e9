"""Assign keys to namespaces by their names alone. Pure."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

OTHER = "_other"
UNNAMED = "_unnamed"

_SEPARATOR = re.compile(r"[:/|]")
# A key of the client library has prefix, namespace, version of the namespace and key; another holds the version.
_CLIENT = re.compile(r"oc:(?P<namespace>.+?):(?:[0-9a-f]{12}:|version$)")
# A part of a name with more values than this tells single things apart; with fewer values it tells kinds apart.
_KINDS = 10
_KEYS_A_KIND = 10
_DEEPEST = 3


def is_version_key(name: str) -> bool:
    """Return True for the client library's record of a namespace's version, which has no TTL on purpose."""
    found = _CLIENT.match(name)
    return found is not None and found.end() == len(name) and name.endswith(":version")


def assign_namespaces(names: Iterable[str], prefixes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the namespace of each name.

    `prefixes` maps the namespaces that the team names to the prefix of their keys; the longest that fits decides. The
    client library's keys come next. In the remaining names, the parts before a separator (`:`, `/`, `|`) are a
    namespace as long as they have few values with many keys each: `user:1:cart` is in `user`, and `shop:price:1` is in
    `shop:price` if there are other kinds of `shop`. Names of one part are in `_unnamed`. Braces around a hash tag do
    not count.
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
    """Assign keys with equal first `depth` parts to the namespace of these parts, or go one part deeper."""
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
