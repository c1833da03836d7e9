"""`optimizer plan ttl`: hit ratios of TTLs, and TTLs for a memory budget, from recorded accesses."""

import math
from typing import Any, TypeGuard

from optimizer.caches.tuning import (
    Accesses,
    BudgetTooSmall,
    KeySample,
    NoAccesses,
    Space,
    add_reserve,
    allocate_ttls,
    hit_curve,
    outlooks,
    ttl_grid,
)

from optimizer_cli.json_lines import UnusableRequest


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the hit ratio of each of `ttls_s` (`predict`) or a TTL for each namespace (`allocate`).

    Raises UnusableRequest.
    """
    kind = request.get("kind")
    if kind == "predict":
        return _predict(request)
    if kind == "allocate":
        return _allocate(request)
    raise UnusableRequest(f"kind is predict or allocate, not {kind!r}")


def _predict(request: dict[str, Any]) -> dict[str, Any]:
    ttls = request.get("ttls_s")
    if not isinstance(ttls, list) or not ttls:
        raise UnusableRequest("ttls_s is a list of at least one TTL in seconds")
    seconds = [_positive(ttl, f"ttls_s[{i}]") for i, ttl in enumerate(ttls)]
    accesses = _accesses(request.get("accesses"), "accesses")
    curve = hit_curve(accesses, seconds, sample=_sample(request))
    by_ttl = dict(zip(curve.ttl_s, curve.hit_ratio, strict=True))
    return {
        "hit_ratio": {str(ttl): by_ttl[s] for ttl, s in zip(ttls, seconds, strict=True)},
        "reachable_hit_ratio": curve.reachable_hit_ratio,
    }


def _allocate(request: dict[str, Any]) -> dict[str, Any]:
    namespaces = request.get("namespaces")
    if not isinstance(namespaces, dict) or not namespaces:
        raise UnusableRequest("namespaces is an object of at least one namespace")
    budget = _positive(request.get("memory_entries"), "memory_entries")
    shortest = _positive(request.get("min_ttl_s", 1), "min_ttl_s")
    longest = _positive(request.get("max_ttl_s"), "max_ttl_s")
    if shortest > longest:
        raise UnusableRequest(f"min_ttl_s {shortest} is above max_ttl_s {longest}")
    reads = {name: _accesses(rows, f"namespaces.{name}") for name, rows in namespaces.items() if rows}
    if not reads:
        return {"ttl_s": dict.fromkeys(namespaces, shortest)}
    span = min(r.start_s for r in reads.values()), max(r.end_s for r in reads.values())
    grid = ttl_grid(shortest, longest)
    spaces = {}
    for name, namespace in reads.items():
        ahead = outlooks(namespace, span, grid)
        spaces[name] = Space(add_reserve(hit_curve(namespace, grid, span_s=span), ahead), shortest, longest)
    try:
        chosen = allocate_ttls(spaces, budget).ttl_s
    except BudgetTooSmall:
        chosen = dict.fromkeys(reads, shortest)
    return {"ttl_s": {name: chosen.get(name, shortest) for name in namespaces}}


def _accesses(rows: Any, field: str) -> Accesses:
    if not isinstance(rows, list):
        raise UnusableRequest(f"{field} is a list of [time_s, key]")
    pairs = []
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != 2 or not _is_number(row[0]):
            raise UnusableRequest(f"{field}[{i}] is [time_s, key]")
        pairs.append((row[0], str(row[1])))
    try:
        return Accesses.of(pairs)
    except NoAccesses as error:
        raise UnusableRequest(f"{field}: {error}") from error


def _sample(request: dict[str, Any]) -> KeySample | None:
    document = request.get("sample")
    if document is None:
        return None
    if not isinstance(document, dict) or not isinstance(document.get("exact_keys", []), list):
        raise UnusableRequest("sample is {rate, exact_keys} or null")
    total = _positive(request.get("total_accesses"), "total_accesses")
    try:
        return KeySample(
            rate=_positive(document.get("rate"), "sample.rate"),
            exact_keys=frozenset(str(key) for key in document.get("exact_keys", [])),
            total_accesses=int(total),
        )
    except ValueError as error:
        raise UnusableRequest(f"sample: {error}") from error


def _positive(value: Any, field: str) -> float:
    if not _is_number(value) or value <= 0:
        raise UnusableRequest(f"{field} is a number above 0, not {value!r}")
    return float(value)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
