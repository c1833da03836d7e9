"""Namespaces from the names of keys."""

import pytest
from hypothesis import given, strategies as st
from optimizer.caches.probe.key_names import OTHER, UNNAMED, assign_namespaces, is_version_key
from optimizer.caches.probe.summary import KeyReading, summarise


def many(*patterns: str, count: int = 30) -> list[str]:
    return [pattern.replace("#", str(i)) for pattern in patterns for i in range(count)]


@pytest.mark.parametrize(
    ("names", "spaces"),
    [
        (many("user:#"), {"user"}),
        (many("user:#:cart", "user:#:name"), {"user"}),
        (many("shop:price:#", "shop:stock:#"), {"shop:price", "shop:stock"}),
        (many("v1/price/#", "v2/price/#"), {"v1:price", "v2:price"}),
        (many("{user:#}:cart"), {"user"}),
        (many("{price}:#"), {"price"}),
        (many("token#"), {UNNAMED}),
        (many("a:b:c:d:e:#"), {"a:b:c"}),
        (many("oc:price:0123456789ab:#", "oc:price:ba9876543210:#"), {"price"}),
        (["oc:price:version", *many("oc:price:0123456789ab:shop:#")], {"price"}),
    ],
)
def test_namespace_tells_kinds_apart_not_single_things(names, spaces):
    assert set(assign_namespaces(names).values()) == spaces


def test_longest_prefix_that_the_team_names_decides():
    found = assign_namespaces(
        ["shop:price:1", "shop:stock:1", "oc:price:0123456789ab:1"],
        {"all": "shop:", "prices": "shop:price:", "c": "oc"},
    )
    assert list(found.values()) == ["prices", "all", "c"]


def test_version_key_is_only_the_record_of_the_client():
    assert is_version_key("oc:price:version")
    assert not any(map(is_version_key, ("oc:price:0123456789ab:version", "app:price:version", "version")))


@given(st.lists(st.text(alphabet="ab1:{}/", max_size=12), max_size=60, unique=True))
def test_every_name_has_one_namespace(names):
    assert set(assign_namespaces(names)) == set(names)


@given(st.lists(st.text(alphabet="abcdefg:", max_size=8), min_size=1, max_size=200), st.integers(1, 5))
def test_summary_limits_namespaces_and_loses_no_key(names, most):
    readings = [KeyReading(name, 2.0, None, 10) for name in names]
    found = summarise(readings, most=most)
    assert len(found) <= most
    assert sum(space.keys for space in found.values()) == 2 * len(names)
    assert OTHER not in list(found)[:-1]
