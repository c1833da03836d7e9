"""What is wrong with the caches of a policy although each of their fields is right alone."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard
from urllib.parse import urlsplit

from optimizer.core import short
from optimizer.policy.errors import PolicyError

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")


def of_caches(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """The errors; what is of the wrong type is the schema's to report."""
    part = document.get("cache_ttls")
    caches = part.get("caches") if isinstance(part, dict) else None
    names: set[str] = set()
    published: set[str] = set()
    logged: dict[tuple[str, str], str] = {}
    for n, cache in enumerate(caches if isinstance(caches, list) else ()):
        if not isinstance(cache, dict):
            continue
        path, name = f"cache_ttls.caches[{n}]", cache.get("name")
        if isinstance(name, str):
            if name in names:
                yield PolicyError(f"{path}.name", f"{short(name)} is the name of another cache too.")
            names.add(name)
        yield from _delivery(cache, path, published)
        yield from _endpoint(cache, path)
        yield from _namespaces(cache, path, logged)


def _delivery(cache: Mapping[str, Any], path: str, published: set[str]) -> Iterator[PolicyError]:
    parameter, app_config = cache.get("parameter", ""), cache.get("app_config")
    if isinstance(parameter, str) and bool(parameter) == isinstance(app_config, dict):
        yield PolicyError(path, "needs either parameter (SSM) or app_config, and not both.")
    where = str(app_config if isinstance(app_config, dict) else parameter)
    if parameter or app_config:
        if where in published:
            yield PolicyError(path, "publishes its TTLs where another cache does; each needs a place of its own.")
        published.add(where)


def _endpoint(cache: Mapping[str, Any], path: str) -> Iterator[PolicyError]:
    endpoint = cache.get("endpoint", "")
    if not isinstance(endpoint, str) or not endpoint:
        return
    try:
        parts = urlsplit(endpoint)
        host, has_password, _ = parts.hostname, parts.password is not None, parts.port
    except ValueError:
        host, has_password, parts = None, False, urlsplit("")
    if parts.scheme not in ("redis", "rediss") or not host:
        # What stands before an @ may be a password, and errors are sent to people and kept.
        shown = short(endpoint.rpartition("@")[2])
        yield PolicyError(f"{path}.endpoint", f"must be a URL such as rediss://HOST:6379, not {shown}.")
    elif has_password:
        yield PolicyError(f"{path}.endpoint", "holds a password; a policy is no place for one.")
    elif parts.scheme == "redis" and host not in _THIS_MACHINE:
        yield PolicyError(f"{path}.endpoint", "must be rediss:// (TLS), unless the server is on this machine.")


def _namespaces(cache: Mapping[str, Any], path: str, logged: dict[tuple[str, str], str]) -> Iterator[PolicyError]:
    spaces, groups = cache.get("namespaces"), cache.get("log_groups")
    texts = [group for group in groups if isinstance(group, str)] if isinstance(groups, list) else []
    for n, space in enumerate(spaces if isinstance(spaces, list) else ()):
        if not isinstance(space, dict):
            continue
        at, name = f"{path}.namespaces[{n}]", space.get("name")
        least = space.get("min_ttl_s")
        for field in ("max_ttl_s", "max_age_s"):
            most = space.get(field)
            if _is_number(least) and _is_number(most) and least > most:
                yield PolicyError(f"{at}.min_ttl_s", f"{short(least)} is more than {field}, which is {short(most)}.")
        if isinstance(name, str):
            # The client's records name the namespace, not the cache.
            other = next((logged[group, name] for group in dict.fromkeys(texts) if (group, name) in logged), None)
            if other is not None:
                yield PolicyError(f"{at}.name", f"{short(name)} is logged to the same group by {other}.")
            logged.update({(group, name): at for group in texts})


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
