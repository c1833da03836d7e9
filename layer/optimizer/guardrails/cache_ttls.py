"""Guardrails of one change of a cache's TTLs. Each rule gives a Refusal or None. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from optimizer.core import Change, MalformedChange, data_size
from optimizer.guardrails.verdict import MissingNumber, Refusal, number
from optimizer.policy import Cache, CacheNamespace, CacheTtls

# TTLs are written with few decimals; a step is not larger because of the last one.
_ROUNDING = 1 + 1e-6
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CacheTtlState:
    """The TTLs in force just before the change, by namespace."""

    ttl_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Step:
    """One namespace's TTL, in force and wanted."""

    space: CacheNamespace
    before_s: float
    after_s: float

    @property
    def name(self) -> str:
        """The namespace."""
        return self.space.name

    def nearer(self, bound_s: float) -> bool:
        """Whether the TTL comes nearer to a bound that it passes; a step may be too short to reach it."""
        return (self.before_s < self.after_s <= bound_s) or (self.before_s > self.after_s >= bound_s)


def live_before(change: Change) -> CacheTtlState:
    """What the change was planned on. Raises MissingNumber, MalformedChange."""
    return CacheTtlState(_ttls(change.before))


def cache_name(target: str) -> str:
    """The cache's name in the target `cache/NAME`. Raises MalformedChange."""
    kind, _, name = target.partition("/")
    if kind != "cache" or not name:
        raise MalformedChange(f"{target!r} is no cache/NAME")
    return name


def known(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Only TTLs of namespaces that the policy names, and at least one of them."""
    cache = limits.cache(cache_name(change.target))
    if cache is None:
        return Refusal("cache_ttls.known", f"The policy has no {change.target}.")
    names = {space.name for space in cache.namespaces}
    before, after = live.ttl_s, _ttls(change.after)
    dropped = sorted(set(before) - set(after))
    if dropped:
        return Refusal("cache_ttls.known", f"It would publish no TTL of {', '.join(dropped)}, which has one.")
    strange = sorted(name for name in set(after) - names if before.get(name) != after[name])
    if strange:
        return Refusal("cache_ttls.known", f"The policy does not name {', '.join(strange)} in {change.target}.")
    if not list(_steps(change, live, cache)):
        return Refusal("cache_ttls.known", "It changes no TTL.")
    return None


def sliding(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Never a TTL that reads prolong: it bounds no age."""
    for step in _steps_of(change, live, limits):
        if step.space.sliding:
            return Refusal("cache_ttls.sliding", f"Reads prolong the entries of {step.name}; it is never tuned.")
    return None


def bounds(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Within the bounds, or nearer to them by as much as a step allows."""
    for step in _steps_of(change, live, limits):
        low, high = step.space.min_ttl_s, step.space.max_ttl_s
        if step.after_s < low and not step.nearer(low):
            return Refusal("cache_ttls.floor", f"{step.name}: {step.after_s:g} s is below the floor of {low:g} s.")
        if step.after_s > high and not step.nearer(high):
            return Refusal("cache_ttls.ceiling", f"{step.name}: {step.after_s:g} s is above the ceiling of {high:g} s.")
    return None


def freshness(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """No value older than the policy bears."""
    for step in _steps_of(change, live, limits):
        oldest = step.space.max_age_s
        if oldest is not None and step.after_s > oldest and not step.nearer(oldest):
            return Refusal(
                "cache_ttls.freshness",
                f"{step.name}: with {step.after_s:g} s values could be older than {oldest:g} s.",
            )
    return None


def step_ratio(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Not more than the largest factor up or down at once."""
    for step in _steps_of(change, live, limits):
        ratio = max(step.after_s / step.before_s, step.before_s / step.after_s)
        if ratio > limits.max_step_ratio * _ROUNDING:
            return Refusal(
                "cache_ttls.step",
                f"{step.name}: from {step.before_s:g} to {step.after_s:g} s is a larger step than a factor of "
                f"{limits.max_step_ratio:g}.",
            )
    return None


def memory(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """The memory to plan with stays within the budget of the cache, or at least falls."""
    cache = _cache(change, limits)
    budget = cache.memory_mb * _MB
    before, after = (number(change.evidence, f"memory_bytes_{when}") for when in ("before", "after"))
    grows = any(step.after_s > step.before_s for step in _steps(change, live, cache))
    if after > budget and (grows or after >= before):
        return Refusal(
            "cache_ttls.memory",
            f"{data_size(after)} of entries are more than the {cache.memory_mb:g} MiB of the cache.",
        )
    return None


def seen(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Each TTL rests on what was seen of its namespace. Raises MissingNumber."""
    spaces = change.evidence.get("namespaces")
    for step in _steps_of(change, live, limits):
        numbers = spaces.get(step.name) if isinstance(spaces, Mapping) else None
        if not isinstance(numbers, Mapping):
            raise MissingNumber(f"the guardrails need the evidence for {step.name}, and the proposal has none")
        for name in ("hit_ratio_before", "hit_ratio_after"):
            number(numbers, name)
        if number(numbers, "reads") <= 0:
            return Refusal("cache_ttls.reads", f"{step.name}: no read was seen.")
    return None


RULES: tuple[Callable[[Change, CacheTtlState, CacheTtls], Refusal | None], ...] = (
    known,
    sliding,
    bounds,
    freshness,
    step_ratio,
    seen,
    memory,
)


def _ttls(part: Mapping[str, object]) -> dict[str, float]:
    found = part.get("ttl_s")
    if not isinstance(found, Mapping):
        raise MissingNumber(f"the guardrails need ttl_s by namespace, and the proposal has {found!r}")
    ttls = {str(name): number(found, name) for name in found}
    for name, ttl_s in ttls.items():
        if ttl_s <= 0:
            raise MissingNumber(f"a TTL is above 0, and that of {name} is {ttl_s:g}")
    return ttls


def _cache(change: Change, limits: CacheTtls) -> Cache:
    cache = limits.cache(cache_name(change.target))
    if cache is None:
        raise MissingNumber(f"the policy has no {change.target}")
    return cache


def _steps_of(change: Change, live: CacheTtlState, limits: CacheTtls) -> Iterator[_Step]:
    return _steps(change, live, _cache(change, limits))


def _steps(change: Change, live: CacheTtlState, cache: Cache) -> Iterator[_Step]:
    """The TTLs of the policy's namespaces that differ from those in force. Raises MissingNumber."""
    after = _ttls(change.after)
    for space in cache.namespaces:
        if space.name not in after or after[space.name] == live.ttl_s.get(space.name):
            continue
        if space.name not in live.ttl_s:
            raise MissingNumber(f"the TTL of {space.name} that is in force is not known")
        yield _Step(space, live.ttl_s[space.name], after[space.name])
