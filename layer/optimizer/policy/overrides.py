"""Merges the overrides of a policy for one function. Pure.

For each setting the first entry of `overrides` that fits the function and has the setting counts. Within an entry the
mode of a tuner's own part comes before the mode of the entry. What no entry has is as in the rest of the policy.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from optimizer import core
from optimizer.core import FUNCTION_TUNERS, MalformedChange, Tuner, canonical_json, function_name
from optimizer.policy.model import Memory, Mode, Override, Policy, ProvisionedConcurrency, Warmups

# Keys that say the same in two units: the entry that has either of them decides.
SAME: Final = {
    "usd_per_cold_start": "idle_minutes_per_cold_start",
    "idle_minutes_per_cold_start": "usd_per_cold_start",
}
_SECTIONS: Final[Mapping[Tuner, Any]] = {
    Tuner.WARMUPS: Warmups,
    Tuner.MEMORY: Memory,
    Tuner.PROVISIONED_CONCURRENCY: ProvisionedConcurrency,
}
# The key of a proposal's evidence that says that nobody waits for the function: a queue or stream calls it.
NOBODY_WAITS = "nobody_waits"
# The key of a proposal's evidence with the tags of its function that the policy names.
TAGS = "tags"


def settings_of_function(policy: Policy, name: str, tags: Mapping[str, str]) -> Policy:
    """Return the policy with the settings of one function."""
    parts = {}
    for tuner in FUNCTION_TUNERS:
        settings = {key: value for key, (_, value) in entries_of(policy, name, tags, tuner).items()}
        if settings:
            parts[tuner.value] = merged(getattr(policy, tuner), tuner, settings)
    return replace(policy, **parts) if parts else policy


def merged(section: Any, tuner: Tuner, settings: Mapping[str, Any]) -> Any:
    """Return a tuner's part of the policy with other settings. Raise KeyError for a key that it does not have."""
    read = canonical_json.read(_SECTIONS[tuner], settings, strict=True)
    values = {key: getattr(read, key) for key in settings}
    if "usd_per_cold_start" in values:
        values["idle_minutes_per_cold_start"] = None
    return replace(section, **values)


def settings_of_change(policy: Policy, change: "core.Change") -> Policy:
    """Return the policy with the settings of the function that a change is planned for, by the tags that it had then.

    A change of another resource, or of no function at all, has the policy's own settings."""
    if change.evidence.get(NOBODY_WAITS):
        policy = without_promises(policy)
    if not policy.overrides or change.tuner not in FUNCTION_TUNERS:
        return policy
    try:
        name = function_name(change.target)
    except MalformedChange:
        return policy
    return settings_of_function(policy, name, change.evidence.get(TAGS) or {})


def without_promises(policy: Policy) -> Policy:
    """Return the policy for a function that nobody waits for: without promises of latency, and at the least price."""

    def settings(given: Mapping[str, Any]) -> dict[str, Any]:
        goal = {"goal": "cost_guarded"} if given.get("goal") == "balanced" else {}
        return {key: value for key, value in {**given, **goal}.items() if key != "max_p95_ms"}

    memory = policy.memory
    goal = "cost_guarded" if memory.goal == "balanced" else memory.goal
    overrides = tuple(replace(entry, memory=settings(entry.memory)) for entry in policy.overrides)
    return replace(policy, memory=replace(memory, goal=goal, max_p95_ms=None), overrides=overrides)


def modes_of(policy: Policy, tuner: Tuner | str) -> frozenset[Mode]:
    """Return the modes that a tuner has for some function."""
    found = {policy.mode_of(tuner)}
    for one in policy.overrides if tuner in FUNCTION_TUNERS else ():
        own = getattr(one, tuner)
        mode = own.get("mode") if "mode" in own else one.mode
        if mode is not None:
            found.add(Mode(mode))
        elif "mode" in own:
            found.add(policy.mode)
    return frozenset(found)


def entries_of(policy: Policy, name: str, tags: Mapping[str, str], tuner: Tuner) -> dict[str, tuple[int, Any]]:
    """Return each setting with the number of the entry that it is from, and its value."""
    found: dict[str, tuple[int, Any]] = {}
    for number, entry in enumerate(policy.overrides):
        if not entry.fits(name, tags):
            continue
        given = given_by(entry, tuner)
        for key, value in given.items():
            other = SAME.get(key, "")
            if key not in found and (other not in found or found[other][0] == number):
                found[key] = number, value
    return found


def given_by(entry: Override, tuner: Tuner) -> dict[str, Any]:
    """Return the settings of a tuner that an entry has."""
    mode = {"mode": entry.mode.value} if entry.mode is not None else {}
    return {**mode, **getattr(entry, tuner)}
