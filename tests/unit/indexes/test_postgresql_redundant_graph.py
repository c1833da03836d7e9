"""Check on random tables that a dropped index is covered by one that stays."""

from dataclasses import replace
from datetime import UTC, datetime

from hypothesis import given, settings, strategies as st
from optimizer.indexes.model.catalog import Catalog, CatalogServer, Constraint, Engine, Index, KeyPart
from optimizer.indexes.model.finding import Action
from optimizer.indexes.postgresql.cover import why_never_dropped, why_not_covered
from optimizer.indexes.postgresql.redundant import find_redundant

from tests.helpers.examples import examples

SERVER = CatalogServer(Engine.POSTGRESQL, (16, 3), "db", "writer", datetime(2026, 6, 1, tzinfo=UTC))
KEYS = st.builds(
    KeyPart,
    text=st.sampled_from("ab"),
    column=st.just("x"),
    opclass=st.sampled_from(["int4_ops", "int4_ops", "other_ops"]),
    descending=st.booleans(),
    nulls_first=st.booleans(),
)
INDEXES = st.builds(
    Index,
    schema=st.just("s"),
    table=st.just("t"),
    name=st.just("i"),
    method=st.sampled_from(["btree", "btree", "btree", "gin"]),
    keys=st.lists(KEYS, min_size=1, max_size=3).map(tuple),
    definition=st.just("CREATE INDEX"),
    include=st.sampled_from([(), (), ("a",), ("c",), ("a", "c")]),
    predicate=st.sampled_from([None, None, None, "(a > 0)"]),
    is_unique=st.booleans(),
    nulls_not_distinct=st.booleans(),
    constraint=st.sampled_from([None, None, None, None, Constraint.PRIMARY, Constraint.UNIQUE]),
    is_deferrable=st.sampled_from([False, False, True]),
    is_valid=st.sampled_from([True, True, True, False]),
    is_replica_identity=st.sampled_from([False, False, False, True]),
    is_clustered=st.sampled_from([False, False, False, True]),
    is_referenced=st.sampled_from([False, False, False, True]),
    is_partition=st.sampled_from([False, False, False, True]),
    size_bytes=st.sampled_from([8192, 16384]),
)


def _catalog(indexes: list[Index]) -> Catalog:
    named = tuple(replace(index, name=f"i{at}", oid=at, table_oid=1) for at, index in enumerate(indexes))
    return Catalog(SERVER, indexes=named)


@given(st.lists(INDEXES, max_size=8))
@settings(max_examples=examples(400), deadline=None)
def test_dropped_index_is_covered_by_one_that_stays(indexes: list[Index]) -> None:
    catalog = _catalog(indexes)
    by_name = {index.name: index for index in catalog.indexes}
    found = find_redundant(catalog)
    dropped = {finding.index for finding in found if finding.action is Action.DROP}
    for finding in found:
        index = by_name[finding.index or ""]
        assert index.is_valid
        if finding.action is Action.DROP:
            assert finding.covered_by not in dropped
            assert why_never_dropped(index) is None
            assert why_not_covered(index, by_name[finding.covered_by or ""], {}) is None
            assert finding.statement == index.definition
        else:
            assert finding.kept_because
    # No redundant index is missed: no other index that stays covers a plain one that stays.
    staying = [index for index in catalog.indexes if index.is_valid and index.name not in dropped]
    for index in staying:
        others = [other for other in staying if other is not index]
        assert why_never_dropped(index) is not None or all(why_not_covered(index, other, {}) for other in others)


@given(st.lists(INDEXES, max_size=6), st.randoms(use_true_random=False))
@settings(max_examples=examples(200), deadline=None)
def test_order_of_indexes_does_not_matter(indexes: list[Index], random: "object") -> None:
    catalog = _catalog(indexes)
    shuffled = list(catalog.indexes)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    one, other = find_redundant(catalog), find_redundant(replace(catalog, indexes=tuple(shuffled)))
    said = [{(item.index, item.action, item.covered_by) for item in found if item.action is Action.DROP}
            for found in (one, other)]  # fmt: skip
    assert said[0] == said[1]
