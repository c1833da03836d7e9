"""Settings of some functions, chosen by name or tag, and the entry that each of them is from."""

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, strategies as st
from optimizer.core import FUNCTION_TUNERS, Change, NoChange, Risk, Tuner
from optimizer.policy.check import InvalidPolicy, find_errors, policy_schema, read_policy
from optimizer.policy.model import Mode, Override, Policy
from optimizer.policy.override_errors import CHOOSES, TOTALS, contradictions_of
from optimizer.policy.override_words import held, with_overrides_named
from optimizer.policy.overrides import modes_of, settings_of_change, settings_of_function

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:"


def policy(**parts: Any) -> Policy:
    return read_policy(json.dumps({"version": 1, **parts}))


def errors(**parts: Any) -> list[str]:
    try:
        policy(**parts)
    except InvalidPolicy as invalid:
        return [str(error) for error in invalid.errors]
    return []


def no_change(name: str = "orders", **evidence: Any) -> NoChange:
    return NoChange("run-1", Tuner.MEMORY, f"{ARN}{name}", "No change needed.", evidence)


def memory_change(name: str, **evidence: Any) -> Change:
    before, after = {"memory_mb": 1024}, {"memory_mb": 512}
    return Change("run-1", Tuner.MEMORY, "set_memory", f"{ARN}{name}", before, after, "So.", before, Risk.LOW, evidence)


THREE_TEAMS: dict[str, Any] = {
    "memory": {"goal": "cost_guarded", "floor_mb": 256},
    "overrides": [
        {"name": "checkout", "tags": {"team": "checkout"}, "mode": "auto", "memory": {"goal": "balanced"}},
        {"functions": ["search-*"], "memory": {"goal": "cost", "max_p95_ms": 500, "floor_mb": 1024}},
        {"tags": {"team": "billing"}, "memory": {"headroom": 2.0, "mode": "approve"}, "warmups": {"mode": "auto"}},
    ],
}


def test_three_teams_have_three_goals() -> None:
    read = policy(**THREE_TEAMS)
    checkout = settings_of_function(read, "pay", {"team": "checkout"})
    search = settings_of_function(read, "search-web", {})
    billing = settings_of_function(read, "invoices", {"team": "billing"})
    assert [one.memory.goal for one in (checkout, search, billing)] == ["balanced", "cost", "cost_guarded"]
    assert [one.memory.floor_mb for one in (checkout, search, billing)] == [256, 1024, 256]
    assert [one.memory.max_p95_ms for one in (checkout, search, billing)] == [None, 500, None]
    assert [one.mode_of("memory") for one in (checkout, search, billing)] == [Mode.AUTO, Mode.RECOMMEND, Mode.APPROVE]
    assert [one.mode_of("warmups") for one in (checkout, search, billing)] == [Mode.AUTO, Mode.RECOMMEND, Mode.AUTO]
    assert settings_of_function(read, "other", {}) is read


def test_mode_of_a_tuner_in_an_entry_comes_before_the_mode_of_the_entry() -> None:
    read = policy(memory={"mode": "auto"}, overrides=[{"mode": "recommend", "warmups": {"mode": "approve"}}])
    got = settings_of_function(read, "orders", {})
    assert got.mode_of("memory") is Mode.RECOMMEND
    assert got.mode_of("warmups") is Mode.APPROVE
    assert modes_of(read, "warmups") == {Mode.RECOMMEND, Mode.APPROVE}
    assert modes_of(read, "indexes") == {Mode.RECOMMEND}


def test_entry_says_the_worth_of_a_cold_start_in_its_own_unit() -> None:
    in_minutes, in_usd = {"idle_minutes_per_cold_start": 80}, {"usd_per_cold_start": 0.01}
    read = policy(warmups=in_minutes, overrides=[{"functions": ["a"], "warmups": in_usd}])
    assert settings_of_function(read, "a", {}).warmups.idle_minutes_per_cold_start is None
    assert settings_of_function(read, "a", {}).warmups.usd_per_cold_start == 0.01
    both = policy(overrides=[{"warmups": in_minutes}, {"functions": ["a"], "warmups": in_usd}])
    assert settings_of_function(both, "a", {}).warmups.idle_minutes_per_cold_start == 80
    assert list(held(both, "a", {}, Tuner.WARMUPS)) == ["idle_minutes_per_cold_start"]


def _settings(tuner: Tuner) -> st.SearchStrategy[dict[str, Any]]:
    """Return some keys of a tuner that an entry may have, with values that the schema allows."""
    described = policy_schema()["properties"][tuner.value]["properties"]
    keys = sorted(set(described) - TOTALS[tuner] - CHOOSES[tuner] - {"idle_minutes_per_cold_start", "sizes_mb"})

    def value(name: str) -> st.SearchStrategy[Any]:
        one = described[name]
        if "enum" in one:
            return st.sampled_from(one["enum"])
        if one.get("type") == "boolean":
            return st.booleans()
        if one.get("type") == "array":
            return st.just(one["default"])
        least, most = one.get("minimum", 0), min(one.get("maximum", 100), 5000)
        return st.integers(least, most)

    return st.fixed_dictionaries({}, optional={name: value(name) for name in keys})


ENTRIES = st.lists(
    st.fixed_dictionaries(
        {tuner.value: _settings(tuner) for tuner in FUNCTION_TUNERS},
        optional={
            "functions": st.sampled_from([["*"], ["a*"], ["b", "c*"]]),
            "tags": st.sampled_from([{}, {"team": "x"}, {"team": "y", "tier": "1"}]),
            "mode": st.sampled_from([None, "recommend", "approve", "auto"]),
        },
    ),
    max_size=4,
)


@given(
    ENTRIES,
    st.sampled_from(["a", "ab", "b", "cd"]),
    st.sampled_from([{}, {"team": "x"}, {"team": "y", "tier": "1", "z": "2"}]),
)
def test_every_setting_is_of_the_first_entry_that_fits(
    entries: list[dict[str, Any]], name: str, tags: dict[str, str]
) -> None:
    """Of each setting of each tuner, whatever the entries say."""
    read = Policy.from_document({"version": 1, "overrides": entries})
    got = settings_of_function(read, name, tags)
    fitting = [(number, one) for number, one in enumerate(read.overrides) if one.fits(name, tags)]
    for tuner in FUNCTION_TUNERS:
        told = held(read, name, tags, tuner)
        for field in fields(getattr(got, tuner)):
            given_ = ((n, _given(one, tuner)) for n, one in fitting)
            first = next(((n, have[field.name]) for n, have in given_ if field.name in have), None)
            value = getattr(getattr(got, tuner), field.name)
            if first is None:
                assert value == getattr(getattr(read, tuner), field.name)
                assert field.name not in told
            else:
                assert told[field.name] == f"overrides[{first[0]}]"
                assert value == (tuple(first[1]) if isinstance(first[1], list) else first[1])


def _given(entry: Override, tuner: Tuner) -> dict[str, Any]:
    mode = {} if entry.mode is None else {"mode": entry.mode.value}
    return {**mode, **getattr(entry, tuner)}


@pytest.mark.parametrize("tuner", FUNCTION_TUNERS)
def test_entries_may_have_every_key_but_totals_and_choices(tuner: Tuner) -> None:
    described = policy_schema()["properties"][tuner.value]["properties"]
    for key, one in described.items():
        found = errors(overrides=[{tuner.value: {key: one["default"]}}])
        assert bool(found) == (key in TOTALS[tuner] | CHOOSES[tuner]), key
        assert all(f"overrides[0].{tuner.value}.{key}" in error for error in found)


def test_proposal_names_the_entries_that_hold() -> None:
    read = policy(**THREE_TEAMS)
    told = with_overrides_named(no_change(), read, "orders", {"team": "checkout", "cost-centre": "7"})
    assert told.reason == "No change needed. By overrides[0] (checkout): memory.goal, memory.mode."
    assert told.evidence["overrides"] == {"goal": "overrides[0] (checkout)", "mode": "overrides[0] (checkout)"}
    assert told.evidence["tags"] == {"team": "checkout"}
    other = with_overrides_named(no_change(), read, "orders", {"team": "mail"})
    assert other.reason == "No change needed."
    assert "overrides" not in other.evidence
    assert with_overrides_named(no_change(), policy(), "orders", {"team": "x"}) == no_change()


def test_change_is_checked_by_the_tags_that_it_was_planned_with() -> None:
    read = policy(**THREE_TEAMS)
    assert settings_of_change(read, memory_change("pay", tags={"team": "checkout"})).memory.goal == "balanced"
    assert settings_of_change(read, memory_change("search-web")).memory.floor_mb == 1024
    assert settings_of_change(read, memory_change("pay")) is read


def test_contradictions_of_an_entry_are_named() -> None:
    assert errors(overrides=[{"functions": ["a"], "memory": {"floor_mb": 4096}}]) == [
        "overrides[0].memory.floor_mb: 4096 is above memory.ceiling_mb, which is 3008."
    ]
    assert errors(memory={"ceiling_mb": 512}, overrides=[{"memory": {"floor_mb": 256}}, {"memory": {"floor_mb": 1024}}])
    worth = {"usd_per_cold_start": 1, "idle_minutes_per_cold_start": 3}
    assert errors(overrides=[{"warmups": worth}]) == [
        "overrides[0].warmups.idle_minutes_per_cold_start: says the same as warmups.usd_per_cold_start; keep one of "
        "the two."
    ]
    assert errors(overrides=[{"memory": {"watch_minutes": [60, 15]}}]) == [
        "overrides[0].memory.watch_minutes[1]: 15 must be above the 60 before it."
    ]


def test_entry_that_an_earlier_one_always_hides_is_named() -> None:
    goals = [{"tags": {"team": "x"}, "memory": {"goal": goal}} for goal in ("cost", "balanced")]
    assert errors(overrides=goals) == [
        'overrides[1].memory.goal: never holds: overrides[0] comes first, fits the same functions, and says "cost".'
    ]
    narrow = {"functions": ["a"], "tags": {"team": "x", "tier": "1"}, "memory": {"goal": "balanced"}}
    assert errors(overrides=[goals[0], narrow])
    assert errors(overrides=[narrow, goals[0]]) == []


def test_contradiction_of_two_entries_is_found_at_a_function() -> None:
    read = policy(
        overrides=[
            {"functions": ["shop-*"], "memory": {"ceiling_mb": 512}},
            {"tags": {"team": "x"}, "memory": {"floor_mb": 1024}},
        ]
    )
    assert [str(error) for error in contradictions_of(read, "shop-web", {"team": "x"})] == [
        "memory.floor_mb: 1024 is above memory.ceiling_mb, which is 512."
    ]
    assert contradictions_of(read, "shop-web", {}) == []


def test_unknown_keys_and_values_of_an_entry_have_their_path() -> None:
    found = errors(overrides=[{"memory": {"flor_mb": 512, "goal": "fast"}, "mode": "never"}])
    assert [error.partition(":")[0] for error in found] == [
        "overrides[0].memory.flor_mb",
        "overrides[0].memory.goal",
        "overrides[0].mode",
    ]
    assert "Did you mean floor_mb?" in found[0]
    assert find_errors({"version": 1, "overrides": [{"memory": 3, "functions": 4, "tags": 5}]})
