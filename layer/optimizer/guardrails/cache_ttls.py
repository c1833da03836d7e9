"""Guardrails of one change of a cache's TTLs. Each rule returns a `Refusal`, or None if the change passes. Pure."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from optimizer.core import Change, MalformedChange, data_size
from optimizer.guardrails.verdict import MissingNumber, Refusal, number
from optimizer.policy import Cache, CacheNamespace, CacheTtls

# TTLs are rounded to a few decimals; rounding alone does not make a step too large.
_ROUNDING = 1 + 1e-6
_MB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class CacheTtlState:
    """The TTLs just before the change, in seconds by namespace."""

    ttl_s: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Step:
    """The TTL of one namespace, before and after the change."""

    space: CacheNamespace
    before_s: float
    after_s: float

    @property
    def name(self) -> str:
        """Return the name of the namespace."""
        return self.space.name

    def approaches(self, bound_s: float) -> bool:
        """Return True if the change moves the TTL towards a bound that it violates; a step may be too short for it."""
        return (self.before_s < self.after_s <= bound_s) or (self.before_s > self.after_s >= bound_s)


def live_before(change: Change) -> CacheTtlState:
    """Return the TTLs that the change was planned on. Raise MissingNumber or MalformedChange if they are unusable."""
    return CacheTtlState(_ttls(change.before))


def cache_name(target: str) -> str:
    """Return the cache's name in the target `cache/NAME`. Raise MalformedChange for any other target."""
    kind, _, name = target.partition("/")
    if kind != "cache" or not name:
        raise MalformedChange(f"{target!r} is not of the form cache/NAME")
    return name


def known(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a change of namespaces that the policy does not name, of none at all, or that drops a TTL."""
    cache = limits.cache(cache_name(change.target))
    if cache is None:
        return Refusal("cache_ttls.known", f"cache_ttls.caches does not name {change.target}.")
    names = {space.name for space in cache.namespaces}
    before, after = live.ttl_s, _ttls(change.after)
    dropped = sorted(set(before) - set(after))
    if dropped:
        return Refusal("cache_ttls.known", f"It would drop the published TTL of {', '.join(dropped)}.")
    unknown = sorted(name for name in set(after) - names if before.get(name) != after[name])
    if unknown:
        return Refusal("cache_ttls.known", f"The policy does not name {', '.join(unknown)} in {change.target}.")
    if not list(_steps(change, live, cache)):
        return Refusal("cache_ttls.known", "It changes no TTL.")
    return None


def sliding(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block to tune a TTL that reads prolong, because it does not bound the age of a value."""
    for step in _steps_of(change, live, limits):
        if step.space.sliding:
            return Refusal(
                "cache_ttls.sliding", f"{step.name}: reads prolong its entries (sliding); such a TTL is never tuned."
            )
    return None


def bounds(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a TTL outside its bounds, unless the change moves it towards them."""
    for step in _steps_of(change, live, limits):
        low, high = step.space.min_ttl_s, step.space.max_ttl_s
        if step.after_s < low and not step.approaches(low):
            return Refusal("cache_ttls.floor", f"{step.name}: {step.after_s:g} s is below min_ttl_s ({low:g} s).")
        if step.after_s > high and not step.approaches(high):
            return Refusal("cache_ttls.ceiling", f"{step.name}: {step.after_s:g} s is above max_ttl_s ({high:g} s).")
    return None


def freshness(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a TTL that allows values older than `max_age_s`, unless the change moves it towards that limit."""
    for step in _steps_of(change, live, limits):
        oldest = step.space.max_age_s
        if oldest is not None and step.after_s > oldest and not step.approaches(oldest):
            return Refusal(
                "cache_ttls.freshness",
                f"{step.name}: a TTL of {step.after_s:g} s allows values older than max_age_s ({oldest:g} s).",
            )
    return None


def step_ratio(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a step, up or down, by more than the largest allowed factor."""
    for step in _steps_of(change, live, limits):
        ratio = max(step.after_s / step.before_s, step.before_s / step.after_s)
        if ratio > limits.max_step_ratio * _ROUNDING:
            return Refusal(
                "cache_ttls.step",
                f"{step.name}: {step.before_s:g} to {step.after_s:g} s is more than the factor of "
                f"{limits.max_step_ratio:g} that cache_ttls.max_step_ratio allows.",
            )
    return None


def memory(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a change that needs more than the cache's `memory_mb`, unless it lowers the need."""
    cache = _cache(change, limits)
    budget = cache.memory_mb * _MB
    before, after = (number(change.evidence, f"memory_bytes_{when}") for when in ("before", "after"))
    grows = any(step.after_s > step.before_s for step in _steps(change, live, cache))
    if after > budget and (grows or after >= before):
        return Refusal(
            "cache_ttls.memory",
            f"{data_size(after)} of entries exceed the cache's memory_mb ({cache.memory_mb:g} MiB).",
        )
    return None


def seen(change: Change, live: CacheTtlState, limits: CacheTtls) -> Refusal | None:
    """Block a TTL of a namespace without observed reads. Raise MissingNumber if its evidence is incomplete."""
    spaces = change.evidence.get("namespaces")
    for step in _steps_of(change, live, limits):
        numbers = spaces.get(step.name) if isinstance(spaces, Mapping) else None
        if not isinstance(numbers, Mapping):
            raise MissingNumber(f"the guardrails need the evidence for {step.name}; the proposal has none")
        for name in ("hit_ratio_before", "hit_ratio_after"):
            number(numbers, name)
        if number(numbers, "reads") <= 0:
            return Refusal("cache_ttls.reads", f"{step.name}: no reads were observed.")
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
        raise MissingNumber(f"the guardrails need ttl_s by namespace; the proposal has {found!r}")
    ttls = {str(name): number(found, name) for name in found}
    for name, ttl_s in ttls.items():
        if ttl_s <= 0:
            raise MissingNumber(f"a TTL must be above 0 s; that of {name} is {ttl_s:g} s")
    return ttls


def _cache(change: Change, limits: CacheTtls) -> Cache:
    cache = limits.cache(cache_name(change.target))
    if cache is None:
        raise MissingNumber(f"cache_ttls.caches does not name {change.target}")
    return cache


def _steps_of(change: Change, live: CacheTtlState, limits: CacheTtls) -> Iterator[_Step]:
    return _steps(change, live, _cache(change, limits))


def _steps(change: Change, live: CacheTtlState, cache: Cache) -> Iterator[_Step]:
    """Yield the TTLs of the policy's namespaces that the change alters. Raise MissingNumber if one is not known."""
    after = _ttls(change.after)
    for space in cache.namespaces:
        if space.name not in after or after[space.name] == live.ttl_s.get(space.name):
            continue
        if space.name not in live.ttl_s:
            raise MissingNumber(f"the current TTL of {space.name} is not known")
        yield _Step(space, live.ttl_s[space.name], after[space.name])
