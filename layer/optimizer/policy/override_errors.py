"""Errors of a policy's overrides that the schema cannot tell."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from optimizer.core import FUNCTION_TUNERS, Tuner, canonical_json, short_json
from optimizer.policy.consistency import items_of, limit_errors, objects_at
from optimizer.policy.errors import PolicyError
from optimizer.policy.model import Policy
from optimizer.policy.overrides import SAME, settings_of_function

# Limits of all functions together, and keys that choose functions themselves: no entry may have them.
TOTALS: Final[Mapping[Tuner, frozenset[str]]] = {
    Tuner.WARMUPS: frozenset({"max_environments_total", "max_usd_day", "max_usd_month"}),
    Tuner.MEMORY: frozenset({"max_usd_month"}),
    Tuner.PROVISIONED_CONCURRENCY: frozenset({"max_total", "max_usd_day", "max_usd_month", "account_concurrency_free"}),
}
CHOOSES: Final[Mapping[Tuner, frozenset[str]]] = {
    Tuner.WARMUPS: frozenset(
        {"ready_tag", "holidays", "events", "days", "never", "always", "exclude", "include_consumers"}
    ),
    Tuner.MEMORY: frozenset(),
    Tuner.PROVISIONED_CONCURRENCY: frozenset(),
}


def override_errors(document: Mapping[str, Any]) -> Iterator[PolicyError]:
    """Yield what no entry may say, what contradicts the rest of the policy, and what an earlier entry always hides."""
    entries = list(objects_at(document, "overrides"))
    base = {(error.path, error.message) for error in limit_errors(document)}
    for number, (path, entry) in enumerate(entries):
        for tuner in FUNCTION_TUNERS:
            settings = entry.get(tuner.value)
            if not isinstance(settings, dict) or not settings:
                continue
            for key, why in _not_allowed(tuner, settings):
                yield PolicyError(f"{path}.{tuner.value}.{key}", why)
            whole = {**document, tuner.value: _under(document.get(tuner.value), settings)}
            for error in limit_errors(whole):
                if (error.path, error.message) not in base:
                    yield PolicyError(f"{path}.{error.path}", error.message)
            yield from _hidden(entries[:number], path, entry, tuner, settings)


def _under(section: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a part of the policy with other settings; the worth of a cold start is given once."""
    twice = {SAME[key] for key in settings if key in SAME}
    given = section.items() if isinstance(section, dict) else ()
    return {**{key: value for key, value in given if key not in twice}, **settings}


def _hidden(
    earlier: Sequence[tuple[str, Mapping[str, Any]]],
    path: str,
    entry: Mapping[str, Any],
    tuner: Tuner,
    settings: Mapping[str, Any],
) -> Iterator[PolicyError]:
    for at, before in earlier:
        given = before.get(tuner.value)
        if not isinstance(given, dict) or not _covers(before, entry):
            continue
        for key, value in settings.items():
            if key in given and given[key] != value:
                yield PolicyError(
                    f"{path}.{tuner.value}.{key}",
                    f"never holds: {at} comes first, fits the same functions, and says {short_json(given[key])}.",
                )


def _covers(before: Mapping[str, Any], entry: Mapping[str, Any]) -> bool:
    """Return True if the earlier entry fits every function that the later one fits."""
    names, later = (items_of(one.get("functions", ["*"])) for one in (before, entry))
    tags, later_tags = (one.get("tags", {}) for one in (before, entry))
    if not isinstance(tags, dict) or not isinstance(later_tags, dict):
        return False
    return ("*" in names or all(name in names for name in later)) and tags.items() <= later_tags.items()


def contradictions_of(policy: Policy, function_name: str, tags: Mapping[str, str]) -> list[PolicyError]:
    """Return the limits of one function that contradict each other because several entries fit it."""
    before = {(error.path, error.message) for error in limit_errors(canonical_json.plain(policy))}
    after = limit_errors(canonical_json.plain(settings_of_function(policy, function_name, tags)))
    return [error for error in after if (error.path, error.message) not in before]


def _not_allowed(tuner: Tuner, settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that no entry may have, and why."""
    for key in settings:
        if key in TOTALS[tuner]:
            yield key, "is a limit of all functions together; budgets has such limits for some functions."
        elif key in CHOOSES[tuner]:
            yield key, f"names its functions itself: say it in {tuner.value}.{key}."
